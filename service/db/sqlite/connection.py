"""A SQLite connection that knows its file: it refuses to work once the path names another, and queues to write."""

import sqlite3
import time
from collections.abc import Mapping
from typing import Any, Self

from service.db.sqlite import stale_wal
from service.db.sqlite.file import FileReplaced, Identity, SqliteFile, identity
from service.db.sqlite.write_queue import WriteQueue, write_backoff
from service.errors import Unsettled

BEGIN_IMMEDIATE = "BEGIN IMMEDIATE"


class FileConnection(sqlite3.Connection):
    """A connection to a database file; everything here runs in the driver's thread."""

    _file: SqliteFile
    _identity: Identity | None = None
    _wal: Identity | None = None
    _queue: WriteQueue | None = None
    _busy_seconds = 0.0
    # Whether the file was looked at so shortly ago that the next statement may go without.
    is_trusted = False

    @classmethod
    def open(cls, file: SqliteFile, pragmas: Mapping[str, str], *, writes: bool, busy_seconds: float) -> Self:
        """Open the file that the path names.

        Raises:
            FileUnusable: there is none, or it cannot be a database.
            FileReplaced: it was replaced meanwhile.
        """
        found = file.identify()
        stale_wal.set_aside(file, found)
        connection = sqlite3.connect(
            f"{file.path.as_uri()}?mode={'rw' if writes else 'ro'}",
            uri=True,
            isolation_level=None,
            timeout=busy_seconds,
            # The pool looks at a connection, and terminates it, from the loop's thread.
            check_same_thread=False,
            factory=cls,
        )
        try:
            for name, value in pragmas.items():
                connection.execute(f"PRAGMA {name} = {value}")
            # The first read opens the WAL, and says if the file is no database.
            connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchone()
            connection.watch(file, found, WriteQueue(str(file.path)) if writes else None, busy_seconds)
        except BaseException:
            connection.close()
            raise
        return connection

    def watch(self, file: SqliteFile, found: Identity, queue: WriteQueue | None, busy_seconds: float) -> None:
        """Refuse to work, from now on, once the path names another file than the one that was found.

        Raises:
            FileReplaced: it does so already.
        """
        if identity(file.path) != found:
            raise FileReplaced(f"{file.path} was replaced while it was opened")
        self._file, self._identity, self._wal = file, found, identity(file.wal)
        self._queue, self._busy_seconds = queue, busy_seconds
        stale_wal.remember(file, found, self._wal)

    def cursor(self, factory: Any = None) -> Any:
        """Return a cursor, asked for before each statement; raises FileReplaced outside a transaction."""
        if self._identity is not None and not (self.is_trusted or self.in_transaction):
            self._require_same_file()
        return super().cursor(factory or _Cursor)

    def execute(self, sql: str, parameters: Any = (), /) -> Any:
        # sqlite3's own makes its cursor without calling the method above.
        return self.cursor().execute(sql, parameters)

    def commit(self) -> None:
        """Commit; what was committed is in the file that the path names when this returns.

        Raises:
            FileReplaced: the path names another file; nothing was committed.
            Unsettled: the path came to name another file while the transaction was committed.
        """
        if not self.in_transaction:
            return
        if identity(self._file.path) != self._identity:
            raise self._replaced()
        super().commit()
        if not self._is_kept():
            name = self._file.path.name
            raise Unsettled(f"The database file {name} was deleted or replaced while the change was being stored.")

    def close(self) -> None:
        super().close()
        if self._queue is not None:
            self._queue.close()

    def wait_and_begin(self, cursor: "_Cursor") -> None:
        """BEGIN IMMEDIATE in this process's turn of the write queue; raises SQLITE_BUSY after the busy timeout."""
        if self._queue is None:
            cursor.begin_immediate()
            return
        deadline = time.monotonic() + self._busy_seconds
        if not self._queue.enter(deadline):
            raise _busy()
        try:
            # SQLite's own busy handler sleeps far longer between tries than most transactions take.
            self._run("PRAGMA busy_timeout = 0")
            _begin_until(deadline, cursor)
        finally:
            self._queue.leave()
            self._run(f"PRAGMA busy_timeout = {self._busy_seconds * 1000:.0f}")

    def is_awaited(self) -> bool:
        """Whether another process waits for the end of this connection's transaction."""
        return self._queue is not None and self._queue.is_taken()

    def _run(self, sql: str) -> sqlite3.Cursor:
        """Run a statement whatever the path names."""
        return super().cursor().execute(sql)

    def _require_same_file(self) -> None:
        if identity(self._file.path) != self._identity:
            raise self._replaced()
        if self._is_wal_gone():
            if self._queue is not None:
                self._save_wal()
            raise FileReplaced(f"{self._file.wal} was deleted or replaced while it was open")

    def _replaced(self) -> FileReplaced:
        return FileReplaced(f"{self._file.path} was deleted or replaced while it was open")

    def _is_wal_gone(self) -> bool:
        found = identity(self._file.wal)
        if self._wal is None:
            self._wal = found
        return found != self._wal

    def _is_kept(self) -> bool:
        """Whether the transaction that was just committed is in the file that the path names."""
        if identity(self._file.path) != self._identity:
            return False
        return not self._is_wal_gone() or self._save_wal()

    def _save_wal(self) -> bool:
        """Checkpoint a WAL that was deleted into the database file, and return whether all frames were copied."""
        if identity(self._file.wal) is not None:
            # Another process has begun a WAL of its own; its pages may be newer than those here.
            return False
        busy, *_ = self._run("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        return not busy


class _Cursor(sqlite3.Cursor):
    """A cursor that waits for its turn before it begins to write."""

    connection: FileConnection

    def execute(self, sql: str, parameters: Any = (), /) -> Self:
        if sql == BEGIN_IMMEDIATE:
            self.connection.wait_and_begin(self)
            return self
        return super().execute(sql, parameters)

    def begin_immediate(self) -> None:
        super().execute(BEGIN_IMMEDIATE)


def _begin_until(deadline: float, cursor: _Cursor) -> None:
    backoff = write_backoff()
    while True:
        try:
            cursor.begin_immediate()
        except sqlite3.OperationalError as failure:
            is_busy = getattr(failure, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY
            if not is_busy or time.monotonic() >= deadline:
                raise
        else:
            return
        time.sleep(backoff.pause())


def _busy() -> sqlite3.OperationalError:
    failure = sqlite3.OperationalError("database is locked")
    failure.sqlite_errorcode, failure.sqlite_errorname = sqlite3.SQLITE_BUSY, "SQLITE_BUSY"
    return failure
