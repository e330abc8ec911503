"""Rehearsals of a small shop: two versions over real HTTP, on both databases."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from service.migrate.__main__ import main
from tests.migrate.proof.shops import Shop, shop

# Times are the machine's: a busy one must not fail.
QUICK = ("--seconds=0.2", "--rows=150", "--rate=20", "--connections=2", "--max-lock-wait=60s", "--max-lock-held=60s")


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Shop]:
    with shop(tmp_path) as made:
        yield made


def run(own: Shop, *arguments: str, status: int = 0) -> Result:
    result = CliRunner().invoke(main, ["-c", own.ini, "rehearse", *arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exc_info
    assert result.exit_code == status, result.output
    return result


def left_behind(own: Shop) -> list[str]:
    """What Git still knows of the worktree."""
    return [each.name for each in (own.folder / ".git").glob("worktrees/*")]


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["sqlite", "postgresql"])
def test_a_safe_change_costs_nobody_a_request_or_a_write(
    own: Shop, request: pytest.FixtureRequest, backend: str
) -> None:
    own.safe(
        'ops.add_column("books", sa.Column("isbn", sa.String(50), server_default="", nullable=False))',
        'def contract() -> None:\n    ops.drop_column("books", sa.Column("pages", sa.Integer()))',
    )
    own.serve_columns("title", "isbn")
    server = ["--server", request.getfixturevalue("postgres_admin_url")] if backend == "postgresql" else []
    document: Any = json.loads(run(own, *QUICK, "--on", backend, *server, "--json").stdout)
    assert document["revisions"] == ["0002_change"]
    assert [(each["phase"], each["direction"], each["serving"]) for each in document["phases"]] == [
        ("control", "", ["old"]),
        ("expand", "up", ["old"]),
        ("rollout", "up", ["old", "new"]),
        ("old away", "up", ["new"]),
        ("contract", "up", ["new"]),
        ("undo contract", "down", ["new"]),
        ("old back", "down", ["old", "new"]),
        ("downgrade", "down", ["old"]),
        ("expand again", "up", ["old"]),
        ("at the end", "up", ["old", "new"]),
    ]
    assert document["findings"] == []
    assert all(each["seen"]["requests"] and each["seen"]["read_back"] for each in document["phases"])
    assert all(4 * each["seen"]["writes"] >= each["seen"]["requests"] - 40 for each in document["phases"])
    assert left_behind(own) == []


@pytest.mark.slow
def test_what_breaks_the_previous_version_is_found(own: Shop) -> None:
    own.plain(
        'op.execute("ALTER TABLE books RENAME COLUMN pages TO leaves")',
        'op.execute("ALTER TABLE books RENAME COLUMN leaves TO pages")',
    )
    own.serve_columns("title")
    shown = run(own, *QUICK, "--on=sqlite", status=1).stdout
    assert "expand 0002_change on SQLite: " in shown
    assert "old: GET /books 500" in shown


def refusal(own: Shop, *arguments: str) -> str:
    """One line, or the end of a program's output after it."""
    result = run(own, *QUICK, "--on=sqlite", *arguments, status=2)
    return result.stderr.removeprefix("Error: ")


def test_what_cannot_be_rehearsed_is_said_in_one_line(own: Shop, tmp_path: Path) -> None:
    file = tmp_path / "traffic.toml"
    assert refusal(own).startswith("The commit that added 0001_create_books.py is the first one here")
    own.safe('ops.add_column("books", sa.Column("isbn", sa.String(50)))')
    assert refusal(own, "--previous=nothing") == "There is no commit nothing.\n"
    assert "no {port}" in refusal(own, "--serve=uvicorn shop:application")
    assert "cannot be read" in refusal(own, "--serve={python} {port} {what}")
    assert refusal(own, f"--traffic={file}") == f"{file} cannot be read: No such file or directory.\n"
    file.write_text("server = 1\n")
    assert refusal(own, f"--traffic={file}") == f"{file}: Object contains unknown field `server`.\n"
    file.write_text("")
    assert refusal(own, f"--traffic={file}").startswith("No command serves this project: give --serve, such as ")
    said = refusal(own, "--serve={python} -c 'print(\"No shop today\"); {port}'")
    assert said.startswith("the previous version (")
    assert said.endswith("did not start; its output ends:\n  No shop today\n")
    assert left_behind(own) == []
    (own.folder / ".git").rename(tmp_path / "elsewhere")
    assert refusal(own) == (
        f"{own.folder} is in no Git repository, which a rehearsal takes the previous version from.\n"
    )
