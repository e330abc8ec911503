"""The migrators' lock: an advisory lock on PostgreSQL, a lock file on SQLite.

The lock is polled with pg_try_advisory_lock: a blocked pg_advisory_lock would deadlock with CREATE INDEX CONCURRENTLY.
"""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import URL, Connection, text
from sqlalchemy.exc import DBAPIError

from service.db.backoff import Backoff
from service.migrate import naming
from service.migrate.errors import Refused
from service.migrate.run.locking.waiting import pause

WAIT_SECONDS = 300.0
_POLL_SECONDS = 0.1

Report = Callable[[str], None]


@contextmanager
def held(connection: Connection, report: Report, *, own: bool, wait_seconds: float = WAIT_SECONDS) -> Iterator[None]:
    """Hold the migrators' lock of this database.

    On PostgreSQL an advisory lock: for an `own` connection the session lock of a second connection, for a connection
    of the caller its session lock, or its transaction lock in a transaction. On SQLite flock on a file beside the
    database, or nothing in a transaction of the caller, which holds SQLite's write lock.

    Raises:
        Refused: another migrator held the lock for `wait_seconds`; the message names it.
    """
    if connection.dialect.name == "sqlite":
        held_now = _file_held if not connection.in_transaction() else _nothing_held
        with held_now(connection, report, wait_seconds):
            yield
    elif own:
        with connection.engine.connect() as keeper:
            # Never idle in a transaction: its snapshot would block CREATE INDEX CONCURRENTLY.
            keeper.execution_options(isolation_level="AUTOCOMMIT")
            with _session_held(keeper, report, wait_seconds):
                yield
    else:
        with _session_held(connection, report, wait_seconds):
            yield


def session_holder(connection: Connection) -> str | None:
    """The session that migrates this PostgreSQL database, described; `None` without one."""
    found = connection.execute(
        text(
            "SELECT a.pid, a.application_name, host(a.client_addr) AS client, a.backend_start "
            "FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid) "
            "WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 "
            "AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()) "
            "AND (l.classid::bigint << 32 | l.objid::bigint) = CAST(:key AS bigint)"
        ),
        {"key": naming.lock_key()},
    ).one_or_none()
    if found is None:
        return None
    client = f" from {found.client}" if found.client else ""
    who = f"{found.application_name or 'a session'}{client} (pid {found.pid})"
    return f"{who}, since {found.backend_start.astimezone(UTC):%H:%M:%S} UTC"


def file_holder(url: URL) -> str | None:
    """The process that migrates this SQLite database, described; `None` without one, and for PostgreSQL."""
    file = lock_file(url)
    if file is None:
        return None
    try:
        with file.open() as opened:
            fcntl.flock(opened, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return None
    except BlockingIOError:
        return file.read_text() or "another process"
    # The lock succeeded: the file of a migrator that was killed.
    return None


@contextmanager
def _session_held(keeper: Connection, report: Report, wait_seconds: float) -> Iterator[None]:
    in_transaction = keeper.in_transaction()
    function = "pg_try_advisory_xact_lock" if in_transaction else "pg_try_advisory_lock"
    attempt = text(f"SELECT {function}(CAST(:key AS bigint))")

    def taken() -> bool:
        answer = bool(keeper.execute(attempt, {"key": naming.lock_key()}).scalar())
        if not in_transaction:
            keeper.commit()
        return answer

    def who() -> str | None:
        answer = session_holder(keeper)
        if not in_transaction:
            keeper.commit()
        return answer

    _poll(keeper, taken, who, report, wait_seconds)
    try:
        yield
    finally:
        if not in_transaction:
            # The end of a session releases its locks.
            with suppress(DBAPIError):
                keeper.execute(text("SELECT pg_advisory_unlock(CAST(:key AS bigint))"), {"key": naming.lock_key()})
                keeper.commit()


@contextmanager
def _file_held(connection: Connection, report: Report, wait_seconds: float) -> Iterator[None]:
    file = lock_file(connection.engine.url)
    if file is None:
        yield
        return
    descriptor: int | None = None

    def taken() -> bool:
        nonlocal descriptor
        descriptor = lock(file)
        return descriptor is not None

    _poll(connection, taken, lambda: file_holder(connection.engine.url), report, wait_seconds)
    try:
        yield
    finally:
        with suppress(FileNotFoundError):
            file.unlink()
        if descriptor is not None:
            os.close(descriptor)


@contextmanager
def _nothing_held(*_: object) -> Iterator[None]:
    yield


def _poll(
    connection: Connection,
    taken: Callable[[], bool],
    who: Callable[[], str | None],
    report: Report,
    wait_seconds: float,
) -> None:
    backoff = Backoff(first=_POLL_SECONDS, longest=_POLL_SECONDS, deadline_seconds=wait_seconds)
    reported = False
    while not taken():
        other = who()
        if backoff.seconds_left < 0:
            raise Refused(
                f"Another migrator did not finish in {wait_seconds:g} seconds: {other or 'it has just ended'}. "
                "Nothing was changed. Run the command again later."
            )
        if other and not reported:
            report(f"Waiting for another migrator: {other}.")
            reported = True
        pause(connection, backoff.pause())


def lock_file(url: URL) -> Path | None:
    shared = url.get_backend_name() == "sqlite" and url.database and not url.database.startswith((":", "file:"))
    return Path(f"{url.database}-migrating") if shared else None


def lock(file: Path) -> int | None:
    """A descriptor that holds the lock until it is closed; `None` if another process holds the lock."""
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # The previous holder may have removed the file after this open: then a new file would be locked by others.
        if os.path.samestat(os.fstat(descriptor), file.stat()):
            os.ftruncate(descriptor, 0)
            os.write(descriptor, f"process {os.getpid()}, since {datetime.now(UTC):%H:%M:%S} UTC".encode())
            return descriptor
    except (BlockingIOError, FileNotFoundError):
        pass
    os.close(descriptor)
    return None
