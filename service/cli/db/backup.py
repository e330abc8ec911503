"""`roster db backup`."""

import time
from pathlib import Path

import click

from service.cli.db.copying import force, server_of, watched, write_copied
from service.cli.db.options import resolved
from service.errors import Misconfigured, RosterError
from service.terminal.options import database, output
from service.terminal.output import Output


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@force
@output
@database
def backup(url: str | None, file: Path, *, force: bool, output: Output) -> None:
    """Copy the whole database to FILE, online.

    \b
      roster db backup roster.backup

    The service goes on reading and writing. FILE holds the database as it was at
    one moment. SQLite's online backup makes a SQLite file, whose pages are then
    checked; pg_dump makes a dump in its custom format. FILE appears when it is whole, readable by its owner alone.
    """
    from service.db.backup import postgresql, sqlite
    from service.db.urls import parse_url, shown, sqlite_file

    target = parse_url(resolved(url))
    is_sqlite = target.get_backend_name() == "sqlite"
    _require_name(file, sqlite_file(target) if is_sqlite else None)
    if file.exists() and not force:
        raise RosterError(f"{file} is there already; --force replaces it.")
    began = time.monotonic()
    with watched("backup", output) as watch:
        if is_sqlite:
            copied = sqlite.back_up(sqlite_file(target), file, _require_revision, watch)
        else:
            copied = postgresql.back_up(target, server_of(target).major, file, _require_revision, watch)
    write_copied(output, f"Backed up {shown(target)} to {file}", copied, began, file=str(file))


def _require_name(file: Path, of: Path | None) -> None:
    """Refuse the name of the database itself, and of the files that SQLite creates beside the database."""
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


def _require_revision(revisions: tuple[str, ...]) -> None:
    if not revisions:
        raise RosterError("The database is at no revision, so there is nothing to back up: see `roster db status`.")
