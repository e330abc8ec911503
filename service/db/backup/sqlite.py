"""A SQLite file copied while it is written to, and put back in one step."""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

from service.db.backup.files import Copied, Watch, part, publish, sidecars
from service.db.backup.holders import holders
from service.errors import RosterError

_BUSY_SECONDS = 10.0
# 16 MB of pages of 4 kB between two reports of progress.
_PAGES = 4096
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)

# Told the revisions of a copy before it is put in place; raises if it is not to be.
Check = Callable[[tuple[str, ...]], None]


def back_up(database: Path, file: Path, check: Check, watch: Watch) -> Copied:
    """Copy the database as it is at one moment; others read and write it meanwhile.

    Raises:
        RosterError: it cannot be read, is damaged, or the copy cannot be written.
    """
    if not database.is_file():
        raise RosterError(f"There is no file {database} to back up.")
    with part(file, ".part") as (copy, _):
        copied = _copy(database, copy, check, watch)
        publish(copy, file)
    return copied


def restore(file: Path, database: Path, check: Check, watch: Watch, *, force: bool) -> Copied:
    """Put the copy in the place of the database; before the very last step nothing of the old one is touched.

    Raises:
        RosterError: the copy is damaged, or the database is in use or, without `force`, not empty.
    """
    if not database.parent.is_dir():
        raise RosterError(f"The folder {database.parent} of the database does not exist: `mkdir -p {database.parent}`.")
    with part(database, "-restoring") as (copy, _):
        _refuse_early(database, force=force)
        copied = _copy(file, copy, check, watch)
        with closing(_connect(copy, "rw")) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
        _keep_owner(database, copy)
        with _alone(database, force=force):
            publish(copy, database)
    return copied


def _copy(source: Path, target: Path, check: Check, watch: Watch) -> Copied:
    """Copy one file to another, and look at every page of the copy."""
    with _sentences(source):
        with closing(_connect(source, "ro")) as read, closing(_connect(target, "rw")) as written:
            # An open read transaction: pages that others write meanwhile neither show nor make the copy begin anew.
            read.execute("BEGIN")
            read.execute("SELECT count(*) FROM sqlite_schema").fetchone()
            [size] = read.execute("PRAGMA page_size").fetchone()
            read.backup(
                written,
                pages=_PAGES,
                progress=lambda _status, left, total: watch((total - left) * size, total * size),
            )
        with closing(_connect(target, "rw")) as connection:
            # One file with nothing beside it, to be kept, moved and opened read-only.
            connection.execute("PRAGMA journal_mode = DELETE")
            _require_sound(connection, source)
            revisions = _revisions(connection)
    check(revisions)
    return Copied(revisions=revisions, bytes=target.stat().st_size)


def _require_sound(connection: sqlite3.Connection, source: Path) -> None:
    [(first, *_), *more] = connection.execute("PRAGMA integrity_check(3)")
    if first != "ok":
        told = "; ".join([first, *(row[0] for row in more)])
        raise RosterError(f"{source} is damaged: {' '.join(told.split())}. The copy was not kept.")


def _revisions(connection: sqlite3.Connection) -> tuple[str, ...]:
    try:
        return tuple(sorted(row[0] for row in connection.execute("SELECT version_num FROM alembic_version")))
    except sqlite3.OperationalError:
        return ()


def _refuse_early(database: Path, *, force: bool) -> None:
    """Refuse before anything is copied what can be known by then; nothing is changed."""
    if not database.exists():
        return
    if others := holders(database):
        raise _in_use(database, others)
    with closing(_connect(database, "ro", seconds=1.0)) as connection, _refused(database, force=force):
        _require_empty(connection, database, force=force)


@contextmanager
def _alone(database: Path, *, force: bool) -> Iterator[None]:
    """Keep everyone else out of the database, with no file beside it, or refuse.

    Leaving WAL mode needs the only connection that there is: SQLite itself tells whether another is open.
    """
    if not database.exists():
        # SQLite would replay a log of the file that was here before.
        _remove_sidecars(database)
        yield
        return
    if others := holders(database):
        raise _in_use(database, others)
    with closing(_connect(database, "rw", seconds=1.0)) as connection:
        with _refused(database, force=force):
            _require_empty(connection, database, force=force)
            connection.execute("PRAGMA journal_mode = DELETE")
            connection.execute("BEGIN EXCLUSIVE")
        if not connection.in_transaction:
            _remove_sidecars(database)
        yield


@contextmanager
def _refused(database: Path, *, force: bool) -> Iterator[None]:
    """Say why SQLite cannot use the database as it is; a damaged one is let through with `force`."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode & 0xFF not in _DAMAGED:
            raise _in_use(database, holders(database)) from error
        if not force:
            raise RosterError(f"{database} is no SQLite database, or damaged; --force replaces it.") from error


def _require_empty(connection: sqlite3.Connection, database: Path, *, force: bool) -> None:
    [count] = connection.execute("SELECT count(*) FROM sqlite_schema WHERE type = 'table'").fetchone()
    if count and not force:
        raise RosterError(f"{database} is not empty; --force replaces all that is in it.")


def _in_use(database: Path, others: list[str]) -> RosterError:
    named = f": {', '.join(others)}" if others else " in another process"
    return RosterError(f"{database} is open{named}. Stop `roster serve` and other users of the file first.")


def _remove_sidecars(database: Path) -> None:
    for each in sidecars(database):
        each.unlink(missing_ok=True)


def _keep_owner(database: Path, copy: Path) -> None:
    """Give the copy the mode and, where root restores, the owner of the file that it replaces."""
    if database.exists():
        stat = database.stat()
        copy.chmod(stat.st_mode & 0o777)
        if os.geteuid() == 0:
            os.chown(copy, stat.st_uid, stat.st_gid)


def _connect(file: Path, mode: str, *, seconds: float = _BUSY_SECONDS) -> sqlite3.Connection:
    uri = f"file:{quote(str(file.absolute()))}?mode={mode}"
    return sqlite3.connect(uri, uri=True, isolation_level=None, timeout=seconds)


@contextmanager
def _sentences(source: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise RosterError(f"{source} cannot be copied: {error}.") from error
