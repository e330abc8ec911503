"""A plan of safe revisions that follow revisions in Alembic's plain style, on a database that has neither."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from service.cli import main
from service.migrate.entrypoints import commands
from service.migrate.entrypoints.project import url_of
from service.migrate.proof.forecast.forecast import Forecaster
from service.migrate.proof.forecast.violations import Violations
from tests.migrate.memory import in_memory
from tests.migrate.project import Project

PLAIN = """
op.create_table("shows", sa.Column("id", sa.Integer(), primary_key=True), sa.Column("title", sa.Text()))
op.create_table("acts", sa.Column("id", sa.Integer(), primary_key=True), sa.Column("title", sa.Text()))
op.rename_table("acts", "scenes")
op.add_column("shows", sa.Column("note", sa.Text()))
"""
SAFE = """
ops.create_index("ix_shows_note", "shows", ["note"])
ops.set_not_null("scenes", "title", fill="'none'")
"""


def test_what_a_plain_revision_makes_is_not_missing(project: Project, tmp_path: Path) -> None:
    (tmp_path / "unused.db").touch()
    url = f"sqlite:///{tmp_path}/unused.db"
    project.clear()
    project.add("0001_plain", after=None, up=PLAIN)
    project.add_safe("0002_safe", after="0001_plain", up=SAFE)
    project.add_safe("0003_wrong", after="0002_safe", up='ops.create_index("ix_cast", "cast", ["name"])')
    found = Forecaster(config=None, measured_seconds=0).run(url_of(url))
    assert [(each.what, each.is_certain) for each in found.obstacles] == [("the table cast does not exist.", True)]
    assert found.fails
    # What a revision makes that cannot be tried to its end is unknown, and so is its duration.
    project.add("0002_broken", after="0001_plain", up="op.execute('SELECT nothing')")
    project.add_safe("0003_wrong", after="0002_broken", up='ops.create_index("ix_cast", "cast", ["name"])')
    project.remove("0002_safe")
    result = CliRunner().invoke(main, ["db", "plan", "--database", url])
    assert result.exit_code == 0, result.output
    assert "MAY FAIL  0002_broken, upgrade: it fails in an empty scratch database: " in result.output
    assert "MAY FAIL  0003_wrong, upgrade: the table cast does not exist." in result.output
    assert "upgrade 0002_broken, duration unknown\n" in result.output
    assert "upgrade 0001_plain, about " in result.output


def test_what_a_plain_revision_drops_may_be_out_of_the_way(project: Project, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/used.db"
    project.clear()
    trigger = 'op.execute("CREATE TRIGGER t AFTER INSERT ON shows BEGIN SELECT 1; END")'
    project.add("0001_base", after=None, up=f"{PLAIN}\n{trigger}")
    commands.upgrade(url)
    drop = 'ops.drop_table("shows")'
    for plain, is_certain in (("pass", True), ('op.execute("DROP TRIGGER t")', False)):
        project.add("0002_plain", after="0001_base", up=plain)
        project.add_safe("0003_safe", after="0002_plain", contract=drop)
        found = Forecaster(config=None, measured_seconds=0).run(url_of(url)).obstacles
        said = "shows cannot be dropped before its dependents (1): the trigger t."
        assert [(each.what, each.is_certain) for each in found] == [(said, is_certain)]


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("ALTER TABLE acts RENAME TO scenes", ({"acts", "scenes"}, False)),
        ("SELECT 1 AS id INTO shows", ({"shows"}, False)),
        ("DO $$ BEGIN EXECUTE 'CREATE TABLE shows (id int)'; END $$", ({"shows"}, False)),
        ("DO $$ BEGIN EXECUTE format('CREATE TABLE %I (id int)', name); END $$", ({"…"}, True)),
        ("SELECT make_shows()", (set(), True)),
        ("CALL make_shows()", (set(), True)),
        ("SELECT setval('shows_id_seq', 9)", (set(), False)),
    ],
)
def test_what_a_statement_may_make_is_known_or_opaque(statement: str, expected: tuple[set[str], bool]) -> None:
    with in_memory() as connection:
        found = Violations(connection=connection, touched=set())
        assert list(found.of(statement)) == []
    assert (found.changed, found.is_opaque) == expected
