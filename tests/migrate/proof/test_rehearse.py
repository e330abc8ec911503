"""Rehearsals of a small shop: two versions over real HTTP, on both databases."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from service.migrate.__main__ import main
from service.migrate.proof.rehearse.child import Child
from service.migrate.proof.rehearse.database import made
from service.migrate.proof.rehearse.messages import Run
from service.migrate.proof.rehearse.migrators import Faults, Migrators
from service.migrate.proof.verify.rows import Rows
from tests.migrate.proof import shops
from tests.migrate.proof.shops import Shop, shop
from tests.programs import commands

# Times are the machine's: a busy one must not fail.
QUICK = ("--seconds=0.2", "--rows=150", "--rate=40", "--connections=0", "--max-lock-wait=60s", "--max-lock-held=60s")


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Shop]:
    with shop(tmp_path) as made:
        yield made


@pytest.fixture
def forked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each `python -m` that a rehearsal starts fork from a process that has imported it."""
    monkeypatch.setattr(sys, "executable", str(commands() / "python"))


def run(own: Shop, *arguments: str, status: int = 0) -> Result:
    result = CliRunner().invoke(main, ["-c", own.ini, "rehearse", *arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exc_info
    assert result.exit_code == status, result.output
    return result


@pytest.mark.slow
@pytest.mark.usefixtures("forked")
def test_a_backfill_costs_nobody_a_request_or_a_write(own: Shop, postgres_admin_url: str) -> None:
    own.safe('ops.set_not_null("books", "pages", fill="1")')
    server = ("--on=postgresql", f"--server={postgres_admin_url}")
    # Two migrators at once, beside a transaction that has read every table.
    faults = ("--migrators=2", "--long-transaction=0.2")
    document: Any = json.loads(run(own, *QUICK, *server, *faults, "--json").stdout)
    assert ("backfill", "up", ["old", "new"]) in shops.phases(document)
    shops.check_costs_nothing(document)
    assert all(each["locks"]["samples"] for each in document["phases"])
    assert sum(each["wal_bytes"] for each in document["phases"])


@pytest.mark.slow
@pytest.mark.usefixtures("forked")
def test_what_blocks_or_breaks_the_previous_version_is_found(own: Shop, postgres_admin_url: str) -> None:
    own.plain(
        'op.execute("ALTER TABLE books RENAME COLUMN pages TO leaves")\n    op.execute("SELECT pg_sleep(0.6)")',
        'op.execute("ALTER TABLE books RENAME COLUMN leaves TO pages")',
    )
    own.serve_columns("title")
    bars = ("--max-lock-wait=200ms", "--max-lock-held=200ms", "--max-p99-ratio=1000")
    result = run(own, *QUICK, *bars, "--on=postgresql", f"--server={postgres_admin_url}", status=1)
    found = [line for line in result.stdout.splitlines() if line.startswith("  expand 0002_change on PostgreSQL: ")]
    assert [line for line in found if "old: GET /books 500" in line]
    assert [line for line in found if re.search(r"a request waited [\d,.]+ ms for the migrator \(books ", line)]
    assert [line for line in found if "ms (books AccessExclusiveLock)" in line]


LONG = """ops.set_not_null("books", "pages", fill="1")
    ops.create_index("ix_books_title", "books", ["title"])"""
# A migrator is killed before COMMIT, and inside of statements with which the server goes on.
KILLED_AT = {
    "sqlite": ("CREATE TRIGGER shop_fill_books", "in UPDATE books"),
    "postgresql": ("CREATE OR REPLACE FUNCTION", "in CREATE INDEX CONCURRENTLY ix_books_title", "in UPDATE books"),
}


@pytest.mark.slow
@pytest.mark.usefixtures("forked")
def test_a_migrator_killed_at_each_step_ends_with_the_same_schema(own: Shop, postgres_admin_url: str) -> None:
    own.safe(LONG)
    base, runs = ["0001_create_books"], (Run(command="upgrade", revision="heads"), Run(command="backfill"))
    with Child("service.migrate.proof.rehearse.migrator", own.ini, cwd=own.folder) as process:
        for backend in ("sqlite", "postgresql"):
            with made(backend, postgres_admin_url, own.ini) as database, database.empty_one() as other:
                database.prepare(base, Rows(seed=0, count=150, is_plain=True))
                other.upgrade(base)
                killed, calm = (
                    Migrators(url=each.url, children=[process], faults=faults, server=None).run(runs)
                    for each, faults in ((database, Faults(kill=True)), (other, Faults()))
                )
                assert (killed.error, calm.error, calm.killed_at) == ("", "", [])
                missed = [
                    point
                    for point in KILLED_AT[backend]
                    if not any(each.startswith(point) for each in killed.killed_at)
                ]
                assert missed == [], killed.killed_at
                assert database.catalog() == other.catalog()


@pytest.mark.slow
def test_an_interrupted_rehearsal_leaves_nothing_behind(own: Shop, tmp_path: Path) -> None:
    own.safe('ops.add_column("books", sa.Column("isbn", sa.String(50)))')
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    command = [sys.executable, "-m", "service.migrate", "-c", own.ini, "rehearse", "--on=sqlite", "--seconds=600"]
    process = subprocess.Popen(command, env={**os.environ, "TMPDIR": str(temporary)}, stderr=subprocess.PIPE)
    # The previous version serves, and requests are sent.
    while not list(temporary.glob("rehearse-*/old-*.log")) or len(of_folder(temporary)) < 3:
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate()
    assert (process.returncode, errors.decode().split()[-1]) == (1, "Aborted!")
    assert list(temporary.iterdir()) == []
    assert of_folder(temporary) == []
    assert own.worktrees() == []


def of_folder(folder: Path) -> list[bytes]:
    """The commands of processes that name the folder, or work in it."""
    found = []
    for each in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            command = (each / "cmdline").read_bytes()
            if str(folder).encode() in command or str((each / "cwd").readlink()).startswith(str(folder)):
                found.append(command)
    return found


def refusal(own: Shop, *arguments: str) -> str:
    """One line, or the end of a program's output after it."""
    databases = () if any(each.startswith("--on") for each in arguments) else ("--on=sqlite",)
    result = run(own, *QUICK, *databases, *arguments, status=2)
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
    nobody = "postgresql://127.0.0.1:1/none"
    last = ("--on=postgresql", f"--server={nobody}", "--serve=x {port}")
    assert refusal(own, *last).startswith("The database none at 127.0.0.1:1 cannot be used: ")
    said = refusal(own, "--serve={python} -c 'print(\"No shop today\"); {port}'")
    assert said.startswith("The previous version (")
    assert said.endswith("did not start; its output ends:\n  No shop today\n")
    assert own.worktrees() == []
    own.write("import nothing_there\n")
    assert "0002_change.py:1: ModuleNotFoundError: No module named 'nothing_there'" in refusal(own)
    own.safe('ops.add_column("books", sa.Column("isbn", sa.String(50)))')
    (own.folder / ".git").rename(tmp_path / "elsewhere")
    assert refusal(own) == (
        f"{own.folder} is in no Git repository, which a rehearsal takes the previous version from.\n"
    )
