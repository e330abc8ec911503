import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from service.cli import main
from service.migrate.proof.diagram import diagram, mermaid, svg
from service.migrate.proof.diagram.schema import Column, Mark, Relation, Schema, Table, changed, compared
from tests.migrate.foreign.conftest import PROJECT
from tests.migrate.operations.live import BASE
from tests.migrate.project import Project
from tests.project.files import read

ID = Column(name="id", type="bigint", is_nullable=False, is_key=True)
TITLE = Column(name="full title", type="numeric(8, 2)", is_nullable=True, is_unique=True)
SHELF = Column(name="shelf_id", type="bigint", is_nullable=True, references="shelves")
BOOKS = Table(name="books", columns=(ID, TITLE, SHELF))
SHELVES = Table(name="shelves", columns=(ID,))
KEY = Relation(
    table="books",
    columns=("shelf_id",),
    referred="shelves",
    referred_columns=("id",),
    is_required=False,
    is_unique=False,
)
LIBRARY = Schema(tables=(BOOKS, SHELVES), relations=(KEY,))


def run(*arguments: str, status: int = 0) -> Result:
    result = CliRunner().invoke(main, ["db", "diagram", *arguments])
    assert result.exit_code == status, result.output
    return result


def test_a_schema_as_mermaid() -> None:
    assert mermaid.written(LIBRARY) == (
        "erDiagram\n"
        '    shelves |o--o{ books : "shelf_id"\n'
        "    books {\n"
        "        bigint id PK\n"
        '        numeric(8-2) full_title UK "null, full title"\n'
        '        bigint shelf_id FK "null"\n'
        "    }\n"
        "    shelves {\n"
        "        bigint id PK\n"
        "    }\n"
    )


def test_what_changed_is_marked() -> None:
    other = Table(name="other", columns=(ID,))
    before = Schema(tables=(replace(BOOKS, columns=(ID, TITLE)), SHELVES, other), relations=())
    after = Schema(tables=(replace(BOOKS, columns=(ID, replace(TITLE, type="text"), SHELF)), SHELVES), relations=(KEY,))
    both = compared(before, after)
    assert {each.name: each.mark for each in both.tables} == {
        "books": Mark.CHANGED,
        "shelves": Mark.SAME,
        "other": Mark.REMOVED,
    }
    assert [each.mark for each in both.tables[0].columns] == [Mark.SAME, Mark.CHANGED, Mark.ADDED]
    assert [each.mark for each in both.relations] == [Mark.ADDED]
    # A table that the change refers to is shown beside it.
    assert {each.name for each in changed(both).tables} == {"books", "shelves", "other"}
    assert changed(compared(after, after)).tables == ()
    assert 'numeric(8-2) full_title UK "null, changed, full title"' in mermaid.written(compared(after, before))


def test_a_drawing_is_one_file_that_asks_for_nothing() -> None:
    loop = replace(KEY, table="books", referred="books", columns=("shelf_id",))
    schema = Schema(tables=LIBRARY.tables, relations=(KEY, loop))
    text = svg.drawn(compared(LIBRARY, schema), 'Books & "shelves"')
    ET.fromstring(text)  # noqa: S314 - the text is this test's own
    assert set(re.findall(r"<(\w+)", text)) == {"svg", "title", "style", "rect", "text", "path"}
    assert "http" not in text.replace("http://www.w3.org/2000/svg", "")
    assert svg.drawn(Schema(tables=(), relations=()), "Nothing").startswith("<svg")


def test_the_models_and_the_newest_revision_have_the_same_tables() -> None:
    models, head = diagram.of_models(), diagram.of_revision("head", print)
    assert [each.name for each in models.tables] == [each.name for each in head.tables]
    assert models.relations == head.relations
    for one, other in zip(models.tables, head.tables, strict=True):
        assert sorted(each.name for each in one.columns) == sorted(each.name for each in other.columns)


def test_what_a_revision_changes(project: Project) -> None:
    project.clear()
    project.add_safe("0001_base", after=None, up=BASE)
    up = 'ops.rename_column("t", sa.Column("a", sa.String(50), nullable=False), sa.Column("c", sa.Text()))'
    project.add_safe("0002_change", after="0001_base", up=up)
    schema = diagram.of_change("0002", print)
    assert [(each.name, each.mark) for each in schema.tables[0].columns] == [
        *(("id", Mark.SAME), ("b", Mark.SAME), ("c", Mark.ADDED), ("a", Mark.REMOVED))
    ]
    assert [each.mark for each in diagram.of_change("0001", print).tables] == [Mark.ADDED]
    project.add_safe("0003_change", after="0001_base")
    project.add_safe("0004_merge", after=("0002_change", "0003_change"))
    assert diagram.of_change("0004", print).tables == ()


def test_another_project(tmp_path: Path) -> None:
    schema = diagram.of_revision("heads", print, config=PROJECT / "alembic.ini")
    assert [each.name for each in schema.tables] == [
        each.name for each in diagram.of_models(PROJECT / "alembic.ini").tables
    ]


def test_the_command_writes_a_file_in_the_format_of_its_name(tmp_path: Path) -> None:
    run("-o", str(tmp_path / "schema.svg"))
    assert (tmp_path / "schema.svg").read_text() == read("docs/pictures/schema.svg"), (
        "run: roster db diagram -o docs/pictures/schema.svg"
    )
    run("-o", str(tmp_path / "schema.md"), "--table", "users", "--table", "roles")
    assert (tmp_path / "schema.md").read_text() == run("--table", "users", "--table", "roles").stdout
    assert run("--format", "svg", "--table", "users").stdout.startswith("<svg")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--changes"], "--changes needs the REVISION"),
        (["0999"], "0999"),
        (["--table", "user"], "There is no table user; there are "),
        (["-o", "/nowhere/schema.svg"], "/nowhere/schema.svg cannot be written: No such file or directory."),
    ],
)
def test_a_mistake_is_one_line(arguments: list[str], expected: str) -> None:
    (line,) = run(*arguments, status=2).stderr.splitlines()
    assert line.startswith("Error: ")
    assert expected in line
