"""`roster db restore`."""

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from service.cli.db.copying import force, server_of, watched, write_copied
from service.cli.db.options import resolved
from service.errors import Misconfigured, RosterError
from service.migrate.cli.options import target_of
from service.migrate.cli.status import read_status
from service.terminal.options import database, output
from service.terminal.output import Output

if TYPE_CHECKING:
    from sqlalchemy import URL

    from service.db.backup.files import Copied


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@force
@click.option("--no-owner", is_flag=True, help="PostgreSQL: all belongs to the URL's account, without grants.")
@output
@database
def restore(url: str | None, file: Path, *, force: bool, no_owner: bool, output: Output) -> None:
    """Restore the database from a backup FILE.

    \b
      roster db restore roster.backup            into an empty database
      roster db restore roster.backup --force    replace all that is in it

    FILE was made by `roster db backup` of a database of the same kind.

    A restore is done whole or not at all: a SQLite file is replaced in one step, while no program has it open;
    PostgreSQL restores in one transaction. A backup at a revision that this code does not know is refused.
    """
    from service.db.urls import parse_url, shown

    url = resolved(url)
    target = parse_url(url)
    _require_kind(file, target)
    began = time.monotonic()
    if target.get_backend_name() == "sqlite":
        copied = _restore_sqlite(file, target, output, force=force)
    else:
        copied = _restore_postgresql(file, url, output, force=force, owner=not no_owner)
    command = f"roster {'serve' if read_status(target_of(url)).up_to_date else 'db upgrade'}"
    sentence = f"Restored {shown(target)} from {file}"
    write_copied(output, sentence, copied, began, [f"Next: `{command}`."], file=str(file), next=command)


def _restore_sqlite(file: Path, target: "URL", output: Output, *, force: bool) -> "Copied":
    from service.db.backup import sqlite
    from service.db.urls import sqlite_file

    there = sqlite_file(target)
    if there.exists() and file.samefile(there):
        raise Misconfigured(f"{file} is the database itself: name its backup.")
    with watched("restore", output) as watch:
        return sqlite.restore(file, there, _require_known, watch, force=force)


def _restore_postgresql(file: Path, url: str, output: Output, *, force: bool, owner: bool) -> "Copied":
    from service.db.backup import postgresql
    from service.db.urls import parse_url, shown

    target = parse_url(url)
    server = server_of(target)
    if not server.empty and not force:
        raise RosterError(f"{shown(target)} is not empty; --force replaces all that is in it.")
    if migrator := read_status(target_of(url)).migrator:
        raise RosterError(f"A migrator is at work: {migrator}. Wait until it ends.")
    with watched("restore", output) as watch:
        return postgresql.restore(file, target, server.major, _require_known, watch, force=force, owner=owner)


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


def _require_known(revisions: tuple[str, ...]) -> None:
    from service.migrate.plan.config import scripts

    if not revisions:
        raise RosterError("The backup is at no revision: it is none of this service.")
    if unknown := sorted(set(revisions) - {script.revision for script in scripts().walk_revisions()}):
        raise RosterError(
            f"The backup is at revision {', '.join(unknown)}, which this code does not know. Restore it with the code "
            "that made it, or newer."
        )
