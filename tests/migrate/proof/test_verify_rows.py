"""What a verification finds of the rows that revisions add, and of revisions that it cannot read."""

import json

from click.testing import CliRunner

from service.cli import main
from service.migrate.proof.verify import sequences
from tests.migrate.memory import in_memory
from tests.migrate.project import Project

BASE = """
op.create_table("audit", sa.Column("id", sa.Integer(), primary_key=True), sa.Column("what", sa.Text()))
"""
ADD = "op.execute(\"INSERT INTO audit (what) SELECT 'seen' FROM audit WHERE id = (SELECT min(id) FROM audit)\")"


def test_rows_that_a_downgrade_leaves_and_a_revision_that_raises_are_findings(project: Project) -> None:
    project.clear()
    project.add("0001_base", after=None, up=BASE, down="op.drop_table('audit')")
    project.add("0002_adds", after="0001_base", up=ADD)
    project.add("0003_removes", after="0001_base", up=ADD, down="op.execute(\"DELETE FROM audit WHERE what = 'seen'\")")
    project.add("0004_keeps", after="0001_base", up=ADD)
    project.add_safe("0005_raises", after="0001_base", up='raise ValueError("no name")')
    project.add("0007_exits", after="0001_base", up="raise SystemExit(3)")
    project.add("0006_unclear", after="0001_base")
    for id, declared in (("0004_keeps", '("audit",)'), ("0006_unclear", '"audit"')):
        file = project.versions / f"{id}.py"
        file.write_text(file.read_text() + f"\n\nkept_rows = {declared}\n")
    result = CliRunner().invoke(main, ["db", "verify", "--on", "sqlite", "--rows", "3", "--json"])
    assert result.exit_code == 1, result.output
    document = json.loads(result.stdout)
    found = {each["revision"]: [one["what"] for one in each["findings"]] for each in document["verified"]}
    (what,) = found["0002_adds"]
    assert what.startswith("audit: 1 row more than before, such as integer ")
    assert (found["0001_base"], found["0003_removes"], found["0004_keeps"]) == ([], [], [])
    assert document["notes"] == ["0004_keeps: rows that the upgrade adds to audit stay after a downgrade"]
    assert ["ValueError: no name. Correct the file" in each for each in found["0005_raises"]] == [True]
    assert ["SystemExit: 3. Correct the file" in each for each in found["0007_exits"]] == [True]
    (unclear,) = found["0006_unclear"]
    assert "kept_rows is 'audit', and must be a tuple of names of tables, such as (\"users\",)." in unclear


def test_the_position_of_autoincrement_must_not_go_back() -> None:
    with in_memory() as connection:
        connection.exec_driver_sql("CREATE TABLE books (id INTEGER PRIMARY KEY AUTOINCREMENT, title TEXT)")
        connection.exec_driver_sql("INSERT INTO books (title) VALUES ('Emma')")
        sequences.advance(connection)
        before = sequences.read(connection)
        assert sequences.behind(before, before) == []
        connection.exec_driver_sql("DELETE FROM sqlite_sequence")
        (line,) = sequences.behind(before, sequences.read(connection))
    assert line == "sqlite_sequence of books.id: the next value was 12 and is 2, so that values are given again"
