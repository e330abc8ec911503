"""`python -m service.migrate` in a project of its own: every verb, on both databases, with no word of Roster."""

import asyncio
import json
import re
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tests.alembic.store import opened
from tests.migrate.foreign.conftest import Run

FIRST, TITLES, ROOMS, MERGE, LOANS = "3b6f0c9d21aa", "91c4e7a05f3d", "0d72be58c6e1", "f5a8813e9b47", "c20d64f7e811"
ROWS = """
INSERT INTO shelves (id, label) VALUES (1, 'north/1'), (2, 'south/7');
INSERT INTO books (id, title, condition, shelf_id) VALUES (1, 'Emma', 'good', 1), (2, 'Dune', NULL, 2)
"""
# The names of what the migrator makes beside tables.
OWNED = {
    "sqlite": "SELECT name FROM sqlite_schema WHERE type = 'trigger'",
    "postgresql": "SELECT tgname AS name FROM pg_trigger WHERE NOT tgisinternal UNION SELECT proname FROM pg_proc "
    "WHERE pronamespace = current_schema()::regnamespace",
}
# An env.py that passes something else as the metadata.
CALLS = """import sqlalchemy as sa
from alembic import context
from service.migrate.entrypoints import environment
from service.migrate.naming import Naming
environment.main(context, {}, Naming())
"""


def document(result: Result) -> Any:
    return json.loads(result.stdout)


async def execute(url: str, script: str) -> list[dict[str, Any]]:
    """The rows of the last statement."""
    async with opened(url) as store:
        *_, last = [await store.execute(each) for each in script.split(";\n")]
        return last


@pytest.mark.slow
def test_a_schema_goes_through_every_phase_and_back_with_its_rows(run: Run, empty_url: str) -> None:
    run = partial(run, LIBRARY_DATABASE_URL=empty_url)

    def rows(script: str) -> list[dict[str, Any]]:
        return asyncio.run(execute(empty_url, script))

    assert run("upgrade", FIRST).stdout.splitlines()[0] == f"Upgrade to {FIRST}: done."
    rows(ROWS)
    *done, last, fill, contract = run("upgrade").stdout.splitlines()
    assert done == [f"Upgrade to {each}: done." for each in (ROOMS, TITLES, MERGE, LOANS)]
    assert last.startswith(f"The database is at {LOANS}, after ")
    assert fill.startswith("To fill, with `python -m service.migrate backfill`: ")
    assert contract == (
        f"To contract when no older code runs, with `python -m service.migrate contract`: {ROOMS}, {TITLES}."
    )
    names = [each["name"] for each in rows(OWNED[empty_url.partition(":")[0]])]
    assert names != []
    assert [name for name in names if not re.match(r"(zzz_\d_)?library_", name)] == []
    assert rows("SELECT DISTINCT code_version FROM migration_audit") == [{"code_version": "2.1"}]
    assert ROOMS in document(run("backfill", "--json"))["backfilled"]
    assert document(run("contract", "--json"))["contracted"] == [ROOMS, TITLES]
    found = document(run("status", "--json"))
    assert (found["current"], found["is_sound"]) == ([LOANS], True)
    assert found["phases"]["trash"] == ["books.condition", "books.title"]
    assert rows("SELECT headline FROM books ORDER BY id") == [{"headline": "Emma"}, {"headline": "Dune"}]
    assert document(run("contract", TITLES, "--undo", "--json"))["undone"] == [TITLES]
    assert document(run("downgrade", FIRST, "--json"))["reverted"] == [LOANS, MERGE, TITLES, ROOMS]
    assert rows("SELECT title, condition FROM books ORDER BY id") == [
        {"title": "Emma", "condition": "good"},
        {"title": "Dune", "condition": None},
    ]
    for command in ("upgrade", "backfill", "contract"):
        run(command)
    assert run("purge", "--yes").stdout.splitlines()[-1].startswith("Purged books.condition, books.title, in ")
    assert "purge" in run("downgrade", FIRST, status=1).stderr


def test_history_current_and_scripts_need_no_setting(run: Run) -> None:
    listed = run("history").stdout.splitlines()
    assert [line.split()[0] for line in listed] == [LOANS, MERGE, TITLES, ROOMS, FIRST]
    assert run("current").stdout == "none\n"
    address = ("--database", "postgresql://nobody@nowhere/library")
    assert "ALTER TABLE books ADD COLUMN headline" in run(*address, "upgrade", "--sql").stdout
    assert "CREATE FUNCTION library_" in run("upgrade", f"{FIRST}:{TITLES}", "--sql", *address).stdout.replace(
        "OR REPLACE ", ""
    )
    assert "_trash_" in document(run("contract", TITLES, "--sql", "--json", *address))["sql"]


def test_a_draft_has_a_random_id_and_the_project_s_template(run: Run, library: Path) -> None:
    models = library / "library/models.py"
    models.write_text(models.read_text() + "\n    due: Mapped[str | None]\n")
    run("upgrade")
    file = Path(document(run("revision", "-m", "add a due date", "--json"))["file"])
    text = file.read_text()
    assert re.fullmatch(r"[0-9a-f]{12}_add_a_due_date\.py", file.name)
    assert text.startswith('"""Add a due date."""\n\nimport sqlalchemy as sa\n\nfrom service.migrate import ops\n')
    assert 'ops.add_column("loans", sa.Column("due", sa.String(), nullable=True))' in text
    compile(text, file.name, "exec")


@pytest.mark.parametrize(
    ("arguments", "environment", "status", "sentence"),
    [
        ("upgrade", {"LIBRARY_DATABASE_URL": "mysql://h/x"}, 2, "Only postgresql:// and sqlite:// are supported."),
        ("status", {"LIBRARY_DATABASE_URL": ""}, 2, "No database is named: give its URL, or let env.py or "),
        ("status -x", {}, 2, "No such option"),
        ("--config none.ini status", {}, 2, "There is no file none.ini. Name the project's alembic.ini."),
        ("--name other status", {}, 2, "No 'script_location' key found"),
        ("upgrade nowhere", {}, 2, "`python -m service.migrate history` lists the revisions there are."),
        ("contract --sql", {}, 2, "as in `python -m service.migrate contract REVISION --sql`."),
        ("backfill", {}, 1, "The database has no revision yet: run `python -m service.migrate upgrade`."),
        ("downgrade --sql base", {}, 1, "Run `python -m service.migrate downgrade REVISION` on the database."),
        (
            "upgrade --database postgresql://u:secret@127.0.0.1:1/x",
            {},
            1,
            "Start PostgreSQL, or correct the host and the port in LIBRARY_DATABASE_URL.",
        ),
        ("upgrade --database sqlite:////no/such/x.db", {}, 1, "or name another in LIBRARY_DATABASE_URL."),
        (
            "upgrade --database postgresql://u@127.0.0.1:1/x?application_name=y&pool_size=3",
            {},
            1,
            "Start PostgreSQL",
        ),
    ],
)
def test_a_failure_is_one_sentence_about_this_project(
    run: Run, arguments: str, environment: dict[str, str], status: int, sentence: str
) -> None:
    result = run(*arguments.split(), status=status, **environment)
    assert sentence in result.stderr.replace("\n", " ")
    assert "secret" not in result.output


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("import nowhere\n", "migrations/env.py:1: ModuleNotFoundError: No module named 'nowhere'."),
        ("pass\n", "migrations/env.py does not call main() of service.migrate.entrypoints.environment."),
        (CALLS.format("None"), "with None as metadata: pass the one MetaData of the models, such as Base.metadata."),
        (CALLS.format("[sa.MetaData()]"), "with a list as metadata: pass the one MetaData of the models"),
    ],
)
def test_an_env_py_that_cannot_be_used_is_named_with_its_line(
    run: Run, library: Path, text: str, sentence: str
) -> None:
    (library / "migrations/env.py").write_text(text)
    assert sentence in run("status", status=1 if "nowhere" in text else 2).stderr


def test_a_project_has_the_commands_among_its_own(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run("current")
    from library.__main__ import main

    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, ["db", "upgrade", "--database", f"sqlite:///{tmp_path}/own.db"])
    assert f"The database is at {LOANS}" in result.stdout, result.output
