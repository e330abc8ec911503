"""`roster db backup` and `roster db restore`: a whole database into a file, and back."""

import asyncio
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from service.cli.db.options import as_json, database, print_json, resolved
from service.cli.db.status import read_status
from service.errors import Misconfigured, RosterError

if TYPE_CHECKING:
    from sqlalchemy import URL

    from service.db.backup.files import Copied, Watch
    from service.db.backup.server import Server

LINE_SECONDS = 5.0
_MEGABYTE = 1_000_000

_force = click.option("--force", is_flag=True, help="Replace what is there.")


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@_force
@as_json
@database
@click.pass_obj
def backup(url: str | None, file: Path, *, force: bool, as_json: bool) -> None:
    """Copy the whole database to FILE, online.

    \b
      roster db backup roster.backup

    The service goes on reading and writing. FILE holds the database as it was at
    one moment. SQLite's online backup makes a SQLite file of it, whose pages are
    then checked; pg_dump makes a dump in its custom format. FILE appears when it is whole, readable by its owner alone.
    """  # noqa: D301 - click's mark for lines that stay as they are
    from service.db.backup import postgresql, sqlite
    from service.db.urls import parse_url, shown, sqlite_file

    target = parse_url(resolved(url))
    is_sqlite = target.get_backend_name() == "sqlite"
    _require_name(file, sqlite_file(target) if is_sqlite else None)
    if file.exists() and not force:
        raise RosterError(f"{file} is there already; --force replaces it.")
    began = time.monotonic()
    with _watching("backup", as_json=as_json) as watch:
        if is_sqlite:
            copied = sqlite.back_up(sqlite_file(target), file, _require_revision, watch)
        else:
            copied = postgresql.back_up(target, _server(target).major, file, _require_revision, watch)
    _tell(f"Backed up {shown(target)} to {file}", copied, began, as_json=as_json, file=str(file))


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@_force
@click.option("--no-owner", is_flag=True, help="PostgreSQL: all belongs to the URL's account, without grants.")
@as_json
@database
@click.pass_obj
def restore(url: str | None, file: Path, *, force: bool, no_owner: bool, as_json: bool) -> None:
    """Restore the database from a backup FILE.

    \b
      roster db restore roster.backup            into an empty database
      roster db restore roster.backup --force    replace all that is in it

    FILE was made by `roster db backup` of a database of the same kind.

    It is done whole or not at all: a SQLite file is replaced in one step, and nobody may have it open; PostgreSQL does
    it in one transaction. A backup at a revision that this code does not know is refused.
    """  # noqa: D301 - click's mark for lines that stay as they are
    from service.db.backup import postgresql, sqlite
    from service.db.urls import parse_url, shown, sqlite_file

    target = parse_url(resolved(url))
    _require_kind(file, target)
    began = time.monotonic()
    if target.get_backend_name() == "sqlite":
        there = sqlite_file(target)
        if there.exists() and file.samefile(there):
            raise Misconfigured(f"{file} is the database itself: name its backup.")
        with _watching("restore", as_json=as_json) as watch:
            copied = sqlite.restore(file, there, _require_known, watch, force=force)
    else:
        server = _server(target)
        if not server.empty and not force:
            raise RosterError(f"{shown(target)} is not empty; --force replaces all that is in it.")
        if migrator := read_status(url).migrator:
            raise RosterError(f"A migrator is at work: {migrator}. Wait until it ends.")
        with _watching("restore", as_json=as_json) as watch:
            copied = postgresql.restore(
                file, target, server.major, _require_known, watch, force=force, owner=not no_owner
            )
    command = f"roster {'serve' if read_status(url).up_to_date else 'db upgrade'}"
    _tell(f"Restored {shown(target)} from {file}", copied, began, as_json=as_json, file=str(file), next=command)
    if not as_json:
        click.echo(f"Next: `{command}`.")


def _require_name(file: Path, of: Path | None) -> None:
    """Refuse a name under which no backup can be kept: of the database itself, and of what SQLite keeps beside it."""
    if str(file) == "-":
        raise Misconfigured("A backup is written to a file: give its name.")
    if not file.parent.is_dir():
        raise Misconfigured(f"There is no folder {file.parent} for {file.name}.")
    if file.exists() and not file.is_file():
        raise Misconfigured(f"{file} is no ordinary file: name another one.")
    if of is not None and file.parent.samefile(of.parent) and file.name.startswith(f"{of.name}-"):
        raise Misconfigured(f"{file} is a name that goes with the database {of}: name another file.")
    if of is not None and file.exists() and of.exists() and file.samefile(of):
        raise Misconfigured(f"{file} is the database itself: name another file.")


def _require_kind(file: Path, target: "URL") -> None:
    from service.db.backup.files import Kind, kind_of

    wanted = Kind.SQLITE if target.get_backend_name() == "sqlite" else Kind.POSTGRESQL
    found = kind_of(file)
    if found is None:
        raise RosterError(f"{file} is no backup: neither a SQLite file nor a dump in pg_dump's custom format.")
    if found is not wanted:
        raise RosterError(
            f"{file} is a backup of {found}, and the database is {wanted}. `roster export` and `roster import` carry "
            "rows from one to the other."
        )


def _require_revision(revisions: tuple[str, ...]) -> None:
    if not revisions:
        raise RosterError("The database is at no revision, so there is nothing to back up: see `roster db status`.")


def _require_known(revisions: tuple[str, ...]) -> None:
    from service.migrate.plan import revisions as known

    if not revisions:
        raise RosterError("The backup is at no revision: it is none of this service.")
    if unknown := sorted(set(revisions) - {script.revision for script in known.walk()}):
        raise RosterError(
            f"The backup is at revision {', '.join(unknown)}, which this code does not know. Restore it with the code "
            "that made it, or newer."
        )


def _server(target: "URL") -> "Server":
    from service.db.backup import server
    from service.migrate.errors import told

    with told(target):
        return asyncio.run(server.ask(target))


def _tell(sentence: str, copied: "Copied", began: float, *, as_json: bool, **more: str) -> None:
    seconds = round(time.monotonic() - began, 3)
    if as_json:
        print_json(more | {"current": copied.revisions, "bytes": copied.bytes, "seconds": seconds})
        return
    size = f"{copied.bytes / _MEGABYTE:,.1f} MB"
    click.echo(f"{sentence}: {size}, at {' and '.join(copied.revisions)}, after {seconds:.1f} s.")


@contextmanager
def _watching(name: str, *, as_json: bool) -> "Iterator[Watch]":
    """What tells standard error how a copy comes along: a bar for a person, a line now and then for a log."""
    if as_json:
        yield _tell_nobody
    elif sys.stderr.isatty():
        with _bar(name) as watch:
            yield watch
    else:
        yield _Lines(name)


class _Lines:
    def __init__(self, name: str) -> None:
        self._name = name
        self._told = time.monotonic()

    def __call__(self, done: int, total: int | None) -> None:
        if time.monotonic() - self._told >= LINE_SECONDS:
            self._told = time.monotonic()
            of = f" of {total / _MEGABYTE:,.0f}" if total else ""
            click.echo(f"{self._name}: {done / _MEGABYTE:,.0f}{of} MB", err=True)


@contextmanager
def _bar(name: str) -> "Iterator[Watch]":
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn

    columns: tuple[Any, ...] = (TextColumn(name), BarColumn(), DownloadColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(name, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


def _tell_nobody(_done: int, _total: int | None) -> None:
    pass
