import asyncio
import json
import subprocess
from pathlib import Path

import pytest

from service.migrate.plan import config
from tests.alembic.store import opened
from tests.migrate.project import Project
from tests.migrate.proof.lint.conftest import Look, run

ADD = "op.add_column('books', sa.Column('n', sa.Integer()))"
DROP = "op.drop_column('books', 'n')"
INDEX = "op.create_index('ix', 'books', ['title'])"


def test_findings_are_written_to_a_file(project: Project, look: Look, tmp_path: Path) -> None:
    look(INDEX, "op.drop_index('ix', 'books')")
    file = tmp_path / "findings.json"
    assert run("--format", "json", "-o", str(file), status=1).stdout == ""
    document = json.loads(file.read_text())
    assert document["revisions"] == ["0001_base", "0002_it"]
    (finding,) = document["findings"]
    assert {name: finding[name] for name in ("rule", "level", "line", "file", "database", "phase")} == {
        "rule": "index-blocks-writes",
        "level": "error",
        "line": 18,
        "file": "alembic/versions/0002_it.py",
        "database": "postgresql",
        "phase": "upgrade",
    }
    assert "cannot be written: " in run("-o", str(tmp_path / "none/x.txt"), status=2).stderr


def test_rules_are_chosen(look: Look) -> None:
    up = f"{INDEX}\nop.execute('UPDATE books SET kind = NULL')"
    assert {rule for _, rule in look(up)} == {
        "index-blocks-writes",
        "changes-many-rows",
        "irreversible-values",
        "false-downgrade",
    }
    assert look(up, only=("changes-many-rows",)) == [(19, "changes-many-rows")]
    assert "changes-many-rows" not in {rule for _, rule in look(up, ignored=("changes-many-rows",))}
    assert look(up, databases=("sqlite",), only=("index-blocks-writes",)) == []


def test_rules_are_listed_and_explained() -> None:
    assert "index-blocks-writes                error    Writers of the table wait until the index is built.\n" in (
        run("--list-rules").stdout
    )
    assert run("--explain", "not-null-scans-rows").stdout.splitlines()[0] == "not-null-scans-rows (error, PostgreSQL)"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--rule", "index-block-writes"], "There is no rule index-block-writes. Did you mean index-blocks-writes?"),
        (["--explain", "x"], "There is no rule x."),
        (["--since", "nowhere"], "There is no revision nowhere, and no commit of Git: "),
        (["--database", "sqlite:////no/such/x.db"], "cannot be used: "),
        (["--postgresql-version", "9"], "9 is not in the range 15<=x<=18."),
    ],
)
def test_a_mistake_is_one_line(project: Project, arguments: list[str], expected: str) -> None:
    (line,) = [each for each in run(*arguments, status=2).stderr.splitlines() if each.startswith("Error")]
    assert expected in line


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import nothing_there", ":1: ModuleNotFoundError: No module named 'nothing_there'."),
        ("\n\nraise ValueError('no')", ":3: ValueError: no."),
        ("def upgrade(:", ":1: SyntaxError: "),
    ],
)
def test_a_revision_that_does_not_import_is_one_line(project: Project, source: str, expected: str) -> None:
    file = project.versions / "0009_broken.py"
    file.write_text(source)
    config.forget()
    (line,) = run(status=1).stderr.splitlines()
    project.remove("0009_broken")
    assert line.startswith(f"Error: alembic/versions/0009_broken.py{expected}"), line


def test_two_heads_are_found(project: Project, look: Look) -> None:
    project.add("0003_other", after="0001_base", up=ADD, down=DROP)
    assert look("op.execute('SELECT 1')") == [(12, "several-heads"), (12, "several-heads")]


@pytest.mark.slow
def test_a_trace_finds_what_stands_in_strings(project: Project, look: Look, postgres_admin_url: str) -> None:
    hidden = "DO $$ BEGIN EXECUTE reverse('1 = ecirp TES skoob ETADPU'); END $$"
    project.add("0001_plain", after=None, up="op.execute('CREATE TABLE books (id integer PRIMARY KEY, price integer)')")
    file = project.versions / "0001_base.py"
    kept = file.read_text()
    project.remove("0001_base")
    up = f"op.execute({hidden!r})\n# lint: ignore[trace-blocks-writes] until 2099-01-01: tried\nop.execute({hidden!r})"
    project.add("0002_it", after="0001_plain", up=up)
    found = run(
        "--trace", "--server", postgres_admin_url, "--since", "0001_plain", "--on", "postgresql", status=1
    ).stdout
    file.write_text(kept)
    project.remove("0001_plain")
    lines = [line.partition("[")[2] for line in found.splitlines() if "[trace-" in line]
    assert [each.partition("]")[0] for each in lines] == ["trace-blocks-writes"], found
    assert "0002_it.py:18: warning[trace-blocks-writes] on postgresql: DO $$" in found


@pytest.mark.slow
def test_a_base_tells_what_was_edited_and_what_was_mapped(project: Project, look: Look) -> None:
    models = project.folder / "models.py"
    models.write_text(
        "class Book(Base):\n    __tablename__ = 'books'\n    id: Mapped[int] = mapped_column(primary_key=True)\n"
        "    cost: Mapped[int] = mapped_column('price')\n"
    )
    look(f"{ADD}\n{INDEX}", f"op.drop_index('ix')\n{DROP}")
    git = ["git", "-C", str(project.folder), "-c", "user.name=t", "-c", "user.email=t@example.org"]
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "old"]):
        subprocess.run([*git, *command], check=True)
    assert run("--since", "HEAD").stdout == "0 revisions, 0 findings.\n"
    project.add("0003_drop", after="0002_it", up="op.drop_column('books', 'price')\nop.drop_column('books', 'note')")
    found = run("--since", "HEAD", "--rule", "drops-used-column", status=1).stdout
    # The code of the commit maps `price`, and no longer `note`.
    assert [line.partition("[")[2] for line in found.splitlines() if "error" in line][:1] == [
        "drops-used-column]: books.price is dropped in upgrade(), while the previous version runs"
    ]
    assert "books.note" not in found
    file = project.versions / "0002_it.py"
    file.write_text(file.read_text().replace("import os\n", "# a comment\nimport os\n"))
    config.forget()
    assert "edited-revision" not in run("--since", "HEAD", status=1).stdout
    file.write_text(file.read_text().replace("'title'", "'kind'"))
    config.forget()
    assert (
        "0002_it.py:1: error[edited-revision]: The code of the file differs" in run("--since", "HEAD", status=1).stdout
    )


def test_tables_from_before_the_history_are_judged_by_what_a_revision_adds(look: Look) -> None:
    up = "op.add_column('older', sa.Column('n', sa.Integer()))\nop.alter_column('older', 'kind', nullable=True)"
    assert look(up, "op.drop_column('older', 'n')") == []
    assert look(up, "op.execute('SELECT 1')") == [(22, "false-downgrade")]


def test_a_type_that_is_dropped_is_not_left(look: Look) -> None:
    up = "op.execute(\"CREATE TYPE mood AS ENUM ('ok')\")\nop.execute('CREATE DOMAIN age AS integer')"
    assert (
        look(
            up,
            "op.execute('DROP DOMAIN age')\nop.execute('DROP TYPE IF EXISTS mood')",
            databases=("postgresql",),
            only=("false-downgrade",),
        )
        == []
    )
    left = look(up, "op.execute('DROP DOMAIN age')", databases=("postgresql",), only=("false-downgrade",))
    assert [rule for _, rule in left] == ["false-downgrade"]


def test_a_condition_on_a_column_without_an_index_may_meet_all_rows(look: Look) -> None:
    only = ("changes-many-rows",)
    for few in ("id = 7", "books.id IN (7, 8)", "kind = 'novel'", "unknown = 1"):
        assert look(f'op.execute("UPDATE books SET note = 1 WHERE {few}")', only=only) == [], few
    for many in ("title = 'x'", "\"title\" IN ('x', 'y')", "price >= 3", "note IS NULL"):
        assert look(f"op.execute({f'UPDATE books SET note = 1 WHERE {many}'!r})", only=only), many


def test_a_database_tells_what_names_a_column(look: Look, empty_url: str) -> None:
    on_sqlite = empty_url.startswith("sqlite")
    statements = ["CREATE TABLE books (id integer PRIMARY KEY, price integer)"]
    statements += ["CREATE VIEW prices AS SELECT id, price FROM books"]
    if not on_sqlite:
        body = "BEGIN UPDATE books SET price = 1; RETURN NULL; END"
        statements += [f"CREATE FUNCTION cheap() RETURNS trigger LANGUAGE plpgsql AS '{body}'"]
        statements += ["CREATE PUBLICATION outward FOR TABLE books"]
    asyncio.run(execute(empty_url, statements))
    look("op.drop_column('books', 'price')", "op.add_column('books', sa.Column('price', sa.Numeric(8, 2)))")
    backend = "sqlite" if on_sqlite else "postgresql"
    only = ["--rule", "text-names-column", "--rule", "published-table", "--on", backend, "--since", "0001_base"]
    found = run("--database", empty_url, *only, status=1).stdout
    named = "view prices" if on_sqlite else "function cheap, view prices"
    assert f"error[text-names-column] on {backend}: {named} names books.price\n" in found
    assert ("published by outward" in found) is not on_sqlite
    assert run(*only).stdout == "1 revision, 0 findings.\n"


async def execute(url: str, statements: list[str]) -> None:
    async with opened(url) as store:
        for each in statements:
            await store.execute(each)


def test_directives_are_judged_for_sqlite_alone(look: Look) -> None:
    up = "op.drop_column('books', 'shelf_id')\nop.alter_column('books', 'kind', new_column_name='sort')"
    assert {rule for _, rule in look(up, databases=("sqlite",))} == {
        "destroys-values",
        "drops-used-column",
        "false-downgrade",
        "renames-used-column",
    }


def test_what_a_revision_depends_on_is_there_before(project: Project, look: Look) -> None:
    project.add("0003_side", after=None, up="op.execute('CREATE TABLE side (a varchar(9))')")
    file = project.versions / "0002_it.py"
    up = "op.alter_column('side', 'a', type_=sa.Text())"
    assert (18, "type-change-rewrites") in look(up)
    file.write_text(file.read_text().replace("depends_on = None", "depends_on = '0003_side'"))
    config.forget()
    assert "type-change-rewrites" not in run("--since", "0001_base", status=1).stdout
