"""A broken revision file is reported in one line with the file, the line and the cure."""

import asyncio
from pathlib import Path

import pytest
from click.testing import CliRunner

from service.app import create_app
from service.cli import main
from service.migrate.entrypoints.aio import head_revision
from service.migrate.entrypoints.commands import head
from service.migrate.plan import config
from service.settings import Settings
from tests.conftest import client_of
from tests.migrate.project import Project, following
from tests.programs import run

NEWEST = head_revision()
THIS = following("change")
HEAD = f"""import sqlalchemy as sa

from service.migrate import ops

revision = "{THIS}"
down_revision = "{NEWEST}"
"""
DOWN = "\n\ndef downgrade() -> None:\n    ops.undo()\n"
UP = "\n\ndef upgrade() -> None:\n    pass\n"
# The file, the reported line, and a part of the message. Line 10 is the first of upgrade().
FILES: dict[str, tuple[str | bytes, int, str]] = {
    "an unknown down_revision": (
        HEAD.replace(NEWEST, f"{NEWEST[:-1]}_") + UP + DOWN,
        6,
        f"'{NEWEST[:-1]}_', and no file here has that revision. Use '{NEWEST}'",
    ),
    "a circle": (
        HEAD.replace(NEWEST, THIS) + UP + DOWN,
        6,
        f"The down_revision of {THIS} forms a cycle",
    ),
    "an id that is there already": (
        HEAD.replace(THIS, "0002_add_age_to_users") + UP + DOWN,
        5,
        "has the revision 0002_add_age_to_users too",
    ),
    "no downgrade()": (HEAD + UP, 1, "downgrade() is missing. Add `def downgrade() -> None:`"),
    "no upgrade()": (HEAD + DOWN, 1, "upgrade() is missing. Add `def upgrade() -> None:`"),
    "an async upgrade()": (HEAD + UP.replace("def", "async def") + DOWN, 9, "upgrade() is async or has a yield"),
    "a yield in downgrade()": (
        HEAD + UP + "\n\ndef downgrade() -> None:\n    yield\n",
        13,
        "downgrade() is async or has a yield",
    ),
    "a syntax error": (HEAD + "\n\ndef upgrade() -> None\n    pass\n" + DOWN, 9, "SyntaxError: expected ':'"),
    "tabs and blanks": (HEAD + "\n\ndef upgrade():\n\tpass\n        pass\n", 11, "TabError"),
    "a module that is not there": ("import nothing\n" + HEAD + UP + DOWN, 1, "No module named 'nothing'"),
    "a name that is not there": (HEAD + "\nx = ops.Backfil(name='x')\n" + UP + DOWN, 8, "Did you mean Backfill?"),
    "a file that fails": (HEAD + "\nx = 1 / 0\n" + UP + DOWN, 8, "ZeroDivisionError: division by zero"),
    "a file that ends the program": ("import sys\nsys.exit(3)\n" + HEAD + UP + DOWN, 2, "SystemExit: 3"),
    "no revision": (HEAD.replace("revision = ", "id = ", 1) + UP + DOWN, 1, "`revision = …` is missing"),
    "no down_revision": (HEAD.replace("down_revision", "after") + UP + DOWN, 1, "`down_revision = …` is missing"),
    "a revision that is no string": (HEAD.replace(f'"{THIS}"', "17") + UP + DOWN, 5, "revision is 17. Use a string"),
    "a down_revision that is no string": (
        HEAD.replace(f'"{NEWEST}"', "16") + UP + DOWN,
        6,
        "down_revision is 16. Use an id",
    ),
    "an id that is too long": (HEAD.replace(THIS, "0017_" + "x" * 40) + UP + DOWN, 5, "at most 32"),
    "an id with a sign": (HEAD.replace(THIS, "0017-change") + UP + DOWN, 5, "Use letters, digits and _"),
    "bytes that are no UTF-8": ((HEAD + "\n# né").encode("latin-1"), 8, "The byte 0xe9 is not UTF-8"),
    "a NUL": (HEAD.encode() + b"\x00", 1, "null bytes"),
    "either in a file": (HEAD + "\nx = ops.either(postgresql='', sqlite='')\n" + UP + DOWN, 8, "ops.either"),
}
# A body of upgrade(), and a part of the message.
CALLS = {
    "a misspelt operation": ("ops.ad_column('users', 1)", "Did you mean add_column?"),
    "a misspelt name": ("ops.add_column('users', sa.Colum('x'))", "has no attribute 'Colum'. Did you mean Column?"),
    "a name of nothing": ("op.add_column('users')", "name 'op' is not defined. Did you mean ops?"),
    "an argument too few": ("ops.add_column('users')", "Call ops.add_column(table, column, *, derived=False, "),
    "an argument too many": ("ops.undo(1)", "Call ops.undo()"),
    "an argument of another name": ("ops.add_unique('users', 'u', column=['x'])", "Call ops.add_unique("),
    "a text for a column": ("ops.add_column('users', 'x')", "column is 'x', expected a Column"),
    "a column for a text": ("ops.drop_not_null('users', sa.Column('x'))", "expected a string"),
    "a text for a list": ("ops.create_index('ix', 'users', 'name')", "columns is 'name', expected a list of strings"),
    "a number for a list": ("ops.add_unique('users', 'u', 5)", "columns is 5, expected a list of strings"),
    "a number for a table": ("ops.drop_trigger('x', 5)", "table is 5, expected a string"),
    "a text for a constraint": ("ops.drop_constraint('users', 'ck')", "constraint is 'ck', expected a Constraint"),
    "a text in a table": ("ops.create_table('x', 'y')", "items is 'y', expected a SchemaItem"),
    "an error of its own": ("raise ValueError('not yet')", "ValueError: not yet"),
    "a column with no type": ("ops.add_column('users', sa.Column('x'))", ""),
}


def written(project: Project, content: str | bytes) -> str:
    file = project.versions / "2026_04_01_0900_change.py"
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    config.forget()
    return str(file)


def roster(url: str, *arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(main, ["db", *arguments], env={"ROSTER_DATABASE_URL": url})
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exc_info
    return result.exit_code, result.output


def alembic(project: Project, url: str, *arguments: str) -> tuple[int, str]:
    done = run("alembic", "-c", str(project.folder / "alembic.ini"), "-x", f"database={url}", *arguments)
    # Alembic breaks its lines where the terminal would.
    return done.returncode, done.stderr + " ".join(done.stdout.split())


@pytest.mark.parametrize("case", FILES)
def test_a_broken_file_is_told_with_its_line(project: Project, tmp_path: Path, case: str) -> None:
    content, line, words = FILES[case]
    file = written(project, content)
    url = f"sqlite:///{tmp_path / 'roster.db'}"
    for arguments in (["upgrade"], ["status"], ["history"]):
        status, output = roster(url, *arguments)
        assert (status, output.count("\n")) == (1, 1), output
        assert output.startswith(f"Error: {file}:{line}: "), output
        assert words in output
        assert output.endswith(".\n")
    assert not (tmp_path / "roster.db").exists()


@pytest.mark.parametrize("case", CALLS)
def test_what_upgrade_says_wrong_is_told_with_its_line(project: Project, tmp_path: Path, case: str) -> None:
    body, words = CALLS[case]
    file = written(project, f"{HEAD}\n\ndef upgrade() -> None:\n    {body}\n{DOWN}")
    status, output = roster(f"sqlite:///{tmp_path / 'roster.db'}", "upgrade")
    if not words:
        assert "Traceback" not in output
        return
    assert (status, output.splitlines()[-1].startswith(f"Error: {file}:10: ")) == (1, True), output
    assert words in output


COMMANDS = [
    *(["upgrade", "head"], ["downgrade", "-1"], ["current"], ["history"], ["heads"], ["branches"], ["show", "head"]),
    *(["stamp", "head"], ["check"], ["revision", "-m", "x"], ["merge", "heads"], ["upgrade", "head", "--sql"]),
]


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_alembic_s_own_commands_tell_it_too(project: Project, tmp_path: Path, command: list[str]) -> None:
    file = written(project, HEAD + UP)
    status, errors = alembic(project, f"sqlite:///{tmp_path / 'roster.db'}", *command)
    assert status != 0
    assert "Traceback" not in errors
    assert f"{file}:1: downgrade() is missing." in errors


PLAIN = HEAD.replace("from service.migrate import ops", "from alembic import op")
UNDONE = "\n\ndef downgrade() -> None:\n    pass\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("body", "words"),
    [("op.ad_column('users', 1)", "Did you mean add_column?"), ("op.add_column('users')", "missing 1 required")],
)
async def test_a_plain_revision_that_is_wrong_is_told_with_its_line(
    project: Project, fresh_url: str, body: str, words: str
) -> None:
    file = written(project, f"{PLAIN}\n\ndef upgrade() -> None:\n    {body}\n{UNDONE}")
    status, output = await asyncio.to_thread(roster, fresh_url, "upgrade")
    assert (status, output.startswith(f"Error: {file}:10: "), words in output) == (1, True, True), output


@pytest.mark.slow
async def test_the_service_tells_it_and_stays_ready(project: Project, fresh_url: str) -> None:
    file = written(project, HEAD + UP)
    service = create_app(Settings(database_url=fresh_url))
    async with client_of(service) as client:
        for path in ("/v1/schema", "/v1/schema/history"):
            answer = await client.get(path)
            assert answer.status_code == 503
            assert answer.json()["detail"].startswith(f"{file}:1: downgrade() is missing.")
        assert (await client.get("/readyz")).status_code == 200
    await service.database.close()


def test_the_revisions_that_are_there_are_good() -> None:
    assert head()
