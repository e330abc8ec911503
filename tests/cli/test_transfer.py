"""`roster import` and `roster export`, on both databases."""

import asyncio
import io
import json
import os
import pty
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from service.app import Roster
from service.cli.transfer import NOUNS, export_command, import_command, watcher_of
from service.http.transfer.reports import Report
from service.terminal import progress
from tests.files import DATA, REAL, errors, people, real, report
from tests.programs import start
from tests.project.files import ROOT

USAGE = 2


async def run(url: str, command: str, *arguments: str, stdin: bytes | None = None) -> Result:
    """What a command prints and how it exits."""
    chosen = import_command if command == "import" else export_command
    # The command line runs a loop of its own.
    return await asyncio.to_thread(CliRunner().invoke, chosen, [*arguments, "--database", url], input=stdin)


@pytest.fixture
def url(shared_url: str, roster: Roster) -> str:
    """The shared database, which is emptied afterwards."""
    return shared_url


@pytest.fixture
def people_csv(tmp_path: Path) -> Path:
    file = tmp_path / "people.csv"
    file.write_bytes(people(2))
    return file


def test_every_noun_with_an_import_is_a_noun_of_the_command() -> None:
    declared = (ROOT / "service").glob("*/transfer.py")
    assert set(NOUNS) == {each.parent.name.replace("_", "-") for each in declared if each.parent.name != "cli"}


async def test_imports_and_exports_real_files(url: str, tmp_path: Path) -> None:
    assert set(REAL) <= set(NOUNS)
    for noun, lines in REAL.items():
        done = await run(url, "import", noun, str(DATA / f"{noun.replace('-', '_')}.csv"))
        counts = f"{lines} created, 0 updated, 0 unchanged, 0 failed"
        assert (done.exit_code, done.output) == (0, f"{noun}: {lines} lines: {counts}.\n")
    for noun, lines in REAL.items():
        for suffix in ("csv", "ndjson", "jsonl"):
            file = tmp_path / f"{noun}.{suffix}"
            done = await run(url, "export", noun, "-o", str(file))
            assert (done.exit_code, done.output) == (0, "")
            done = await run(url, "import", noun, str(file), "--mode", "upsert", "--json")
            found = json.loads(done.output)
            assert (done.exit_code, found["unchanged"], found["lines"]) == (0, lines, lines)
    assert sorted(tmp_path.glob("*.part")) == []


async def test_tells_of_lines_that_fail_as_a_compiler_would(url: str, people_csv: Path) -> None:
    with people_csv.open("ab") as file:
        file.write(b"Ann,user0@EXAMPLE.org,\nBob,b@,\nx\n")
    done = await run(url, "import", "users", str(people_csv))
    assert done.exit_code == 1
    assert done.stdout == "users: 5 lines: 2 created, 0 updated, 0 unchanged, 3 failed.\n"
    assert done.stderr.splitlines() == [
        f"{people_csv}:4: email: Another user has this email.",
        f"{people_csv}:5: email: Expected str of length >= 3.",
        f"{people_csv}:6: Expected 3 cells, as in the header, got 1.",
    ]


async def test_reports_as_json(url: str, people_csv: Path) -> None:
    await run(url, "import", "users", str(people_csv))
    done = await run(url, "import", "users", str(people_csv), "--json", "--dry-run")
    taken = [(line, field, f"Another user has this {field}.") for line in (2, 3) for field in ("email", "external_id")]
    assert json.loads(done.stdout) == report(dry_run=True, failed=2, errors=errors(*taken))
    assert (done.exit_code, done.stderr) == (1, "")


async def test_says_when_nothing_was_stored(url: str, people_csv: Path) -> None:
    dry = await run(url, "import", "users", str(people_csv), "--dry-run")
    assert dry.stdout.splitlines()[-1] == "This was a dry run: nothing was stored."
    with people_csv.open("ab") as file:
        file.write(b"Bob,bob,\n")
    atomic = await run(url, "import", "users", str(people_csv), "--atomic")
    assert (atomic.exit_code, atomic.stdout.splitlines()[-1]) == (1, "Nothing was stored.")
    assert (await run(url, "export", "users")).stdout == ""


@pytest.mark.parametrize("how", [[], ["--atomic"]])
async def test_reads_standard_input(url: str, how: list[str]) -> None:
    done = await run(url, "import", "users", "-", "--format", "csv", *how, stdin=people(3))
    assert (done.exit_code, done.stdout) == (0, "users: 3 lines: 3 created, 0 updated, 0 unchanged, 0 failed.\n")


@pytest.mark.slow
async def test_reads_a_pipe_twice_where_it_must(url: str, tmp_path: Path) -> None:
    reading, writing = os.pipe()
    with os.fdopen(writing, "wb") as pipe:
        pipe.write(people(3))
    output = tmp_path / "output"
    with os.fdopen(reading, "rb") as stdin, output.open("wb") as stdout:
        arguments = ("import", "users", "-", "--format=csv", "--atomic", f"--database={url}")
        program = start("service", *arguments, stdin=stdin, stdout=stdout, stderr=subprocess.DEVNULL)
        status = await asyncio.to_thread(program.wait, 60)
    assert (status, output.read_text()) == (0, "users: 3 lines: 3 created, 0 updated, 0 unchanged, 0 failed.\n")


@pytest.mark.parametrize("as_json", [False, True])
async def test_a_wrong_header_is_told(url: str, tmp_path: Path, as_json: bool) -> None:
    file = tmp_path / "bad.csv"
    file.write_text("name,emial\n")
    done = await run(url, "import", "users", str(file), *(["--json"] if as_json else []))
    faults = [("emial", "There is no such field."), ("email", "This column is required.")]
    assert done.exit_code == 1
    if as_json:
        detail = "The header is wrong; nothing was stored."
        wanted = [{"detail": sentence, "line": 1, "field": field} for field, sentence in faults]
        assert json.loads(done.stdout) == {"detail": detail, "errors": wanted}
    else:
        assert done.stderr.splitlines() == [
            *(f"{file}:1: {field}: {sentence}" for field, sentence in faults),
            "Error: The header is wrong; nothing was stored.",
        ]


async def test_tells_what_it_skips_and_how_many_errors_it_leaves_out(url: str, tmp_path: Path) -> None:
    file = tmp_path / "many.csv"
    file.write_text("id,name,email\n" + "7,Ann,\n" * 1001)
    done = await run(url, "import", "users", str(file))
    assert done.stdout.splitlines()[0] == "Not read, because the service gives them itself: id."
    assert done.stderr.splitlines()[-1] == f"{file}: 1 more line failed"


async def test_stops_when_as_many_lines_failed_as_may(url: str, people_csv: Path) -> None:
    with people_csv.open("ab") as file:
        file.write(b"x\n" * 5 + people(1, start=7).partition(b"\n")[2])
    done = await run(url, "import", "users", str(people_csv), "--max-errors", "4")
    assert done.exit_code == 1
    assert done.stdout.splitlines() == [
        "users: 6 lines: 2 created, 0 updated, 0 unchanged, 4 failed.",
        "Stopped at line 7: 4 failed lines reached --max-errors.",
    ]
    report = await run(url, "import", "users", str(people_csv), "--max-errors", "4", "--mode", "upsert", "--json")
    assert json.loads(report.stdout)["stopped_at_line"] == 7


async def test_a_spool_directory_that_cannot_be_used_is_misuse(
    url: str, people_csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROSTER_SPOOL_DIRECTORY", str(tmp_path / "none"))
    done = await run(url, "import", "users", str(people_csv))
    assert str(done.exception).startswith(f"ROSTER_SPOOL_DIRECTORY is '{tmp_path}/none': No such file or directory.")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["import", "user", "people.csv"], "'user' is not one of 'users', 'records'"),
        (["import", "users", "nowhere.csv"], "'nowhere.csv' does not exist"),
        (["import", "users", "-"], "Nothing says what standard input holds"),
        (["import", "users", str(DATA / "README.md")], "give --format csv or --format ndjson"),
        (["export", "users", "-o", "users.xml"], "Nothing says what users.xml holds"),
        (["export", "users", "-o", "nowhere/users.csv"], "nowhere/users.csv cannot be written"),
        (["export", "things"], "'things' is not one of"),
    ],
)
async def test_misuse_is_told(tmp_path: Path, arguments: list[str], told: str) -> None:
    done = await run(f"sqlite:///{tmp_path / 'nowhere.db'}", *arguments)
    assert done.exit_code == USAGE
    assert told in done.stderr


async def test_a_failed_export_leaves_the_file_before(empty_url: str, tmp_path: Path) -> None:
    file = tmp_path / "users.csv"
    file.write_text("before")
    done = await run(empty_url, "export", "users", "-o", str(file))
    assert "run `roster db upgrade`" in str(done.exception)
    assert [each.name for each in tmp_path.iterdir() if each.suffix != ".db"] == ["users.csv"]
    assert file.read_text() == "before"


def test_a_terminal_sees_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    master, slave = pty.openpty()
    with os.fdopen(slave, "w") as terminal:
        monkeypatch.setattr(sys, "stderr", terminal)
        with progress.progress() as show:
            watcher = watcher_of("people.csv", 100, show)
            watcher.read("check", 50, counted(lines=3))
            watcher.read("import", 100, counted(lines=7, failed=2))
    seen = b""
    # On Linux, reading a terminal without a writer ends with an error.
    with suppress(OSError):
        while piece := os.read(master, 65536):
            seen += piece
    os.close(master)
    assert b"check people.csv" in seen
    assert b"3 lines" in seen
    assert b"7 lines, 2 failed" in seen


def test_a_log_gets_a_line_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    log = io.StringIO()
    monkeypatch.setattr(sys, "stderr", log)
    times = iter([0.0, 1.0, 6.0, 6.0])
    monkeypatch.setattr(progress, "monotonic", lambda: next(times))
    with progress.progress() as show:
        watcher = watcher_of("people.csv", None, show)
        for lines in (1000, 2000):
            watcher.read("import", 0, counted(lines=lines, failed=1))
    assert log.getvalue() == "import people.csv: 2,000 lines, 1 failed\n"


def counted(**counts: Any) -> Report:
    return Report(mode="create", dry_run=False, atomic=False, **counts)


def test_the_real_files_are_there() -> None:
    assert [real(noun).count(b"\n") - 1 for noun in REAL] == list(REAL.values())
