"""The help of every command, and the options that commands share."""

import json
import os
import pty
import sys
from collections.abc import Iterator
from contextlib import suppress
from fcntl import ioctl
from pathlib import Path
from struct import pack
from termios import TIOCSWINSZ

import click
import pytest
from click.testing import CliRunner

from service import __version__
from service.cli import main
from service.cli.transfer import watcher_of
from service.http.transfer.reports import Report
from service.migrate.cli.running import reported
from service.migrate.run.backfill.runner import Progress
from service.terminal.output import Output
from service.terminal.progress import progress
from tests.conftest import copy_of

WIDTH = 80


def commands(command: click.Command, *path: str) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        for name, child in command.commands.items():
            yield from commands(child, *path, name)


# `roster db alembic --help` is Alembic's own.
HELPED = [pytest.param(*each, id=" ".join(each[0])) for each in commands(main) if each[0] != ("db", "alembic")]


@pytest.mark.parametrize(("path", "command"), HELPED)
def test_the_help_of_a_command_is_whole_and_fits_a_terminal(path: tuple[str, ...], command: click.Command) -> None:
    shown = CliRunner().invoke(main, [*path, "--help"], terminal_width=WIDTH - 2)
    assert shown.exit_code == 0
    lines = shown.stdout.splitlines()[1:]
    assert [line for line in lines if len(line) > WIDTH or line.endswith("...")] == []
    options = [each for each in command.params if isinstance(each, click.Option) and not each.hidden]
    assert [each.name for each in options if not (each.help or "").endswith(".")] == []
    assert (command.help or "").split("\n")[0].endswith(".")


def test_every_command_that_opens_a_database_takes_the_same_option() -> None:
    without = {
        " ".join(path) for path, each in commands(main) if "database" not in {option.name for option in each.params}
    }
    # The last five make their own databases, or need none.
    assert without == {"", "openapi", "version", "db diagram", "db rehearse", "db report", "db verify"}


def test_the_version_is_an_option_too() -> None:
    assert CliRunner().invoke(main, ["--version"]).stdout == f"roster {__version__}\n"


@pytest.mark.parametrize(
    "command",
    [["upgrade", "0002"], ["backfill", "0006"], ["contract", "0015"], ["purge", "0015"]],
)
def test_a_script_can_be_a_field_of_a_document(command: list[str]) -> None:
    database = ["--database", "postgresql://127.0.0.1:1/none"]
    plain = CliRunner().invoke(main, ["db", *command, "--sql", *database])
    wrapped = CliRunner().invoke(main, ["db", *command, "--sql", "--json", *database])
    assert (plain.exit_code, wrapped.exit_code) == (0, 0), plain.output
    assert json.loads(wrapped.stdout) == {"sql": plain.stdout}


def watch_an_import() -> None:
    with progress() as show:
        watcher = watcher_of("a-file-with-quite-a-long-name-of-its-own.csv", 100, show)
        watcher.read("import", 50, Report(mode="create", dry_run=False, atomic=False, lines=1_234_567, failed=1234))


def watch_a_backfill() -> None:
    with reported(Output()) as how:
        name = "department_employees.a_column_with_quite_a_long_name"
        how["watch"](Progress(name=name, seen=50, total=100, filled=1_234_567, per_second=12345.6))


@pytest.mark.parametrize(
    ("watch", "figures"),
    [(watch_an_import, "1,234,567 lines, 1,234 failed"), (watch_a_backfill, "1,234,567 rows, 12,346/s")],
)
def test_a_bar_fits_a_terminal_of_eighty_columns(monkeypatch: pytest.MonkeyPatch, watch: object, figures: str) -> None:
    lines = drawn(monkeypatch, watch)
    assert [line for line in lines if len(line) > WIDTH] == []
    assert [line for line in lines if figures in line and "50%" in line]


def drawn(monkeypatch: pytest.MonkeyPatch, watch: object) -> list[str]:
    """The lines that a terminal shows, without what moves its cursor and colours it."""
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    master, slave = pty.openpty()
    ioctl(slave, TIOCSWINSZ, pack("HHHH", 24, WIDTH, 0, 0))
    with os.fdopen(slave, "w") as terminal, monkeypatch.context() as patched:
        patched.setattr(sys, "stderr", terminal)
        assert callable(watch)
        watch()
    seen = b""
    # Linux ends a terminal that has no writer with an error.
    with suppress(OSError):
        while piece := os.read(master, 65536):
            seen += piece
    os.close(master)
    return click.unstyle(seen.decode()).replace("\x1b", "\n").replace("\r", "\n").splitlines()


def test_one_change_is_one_change(sqlite_template_url: str, tmp_path: Path) -> None:
    import sqlite3

    url = copy_of(sqlite_template_url, tmp_path)
    with sqlite3.connect(tmp_path / "roster.db") as connection:
        connection.execute("CREATE INDEX by_hand ON users (age)")
    connection.close()
    told = CliRunner().invoke(main, ["db", "status", "--database", url]).stdout
    assert "\n1 change was made by other means than migrations:\n" in told
