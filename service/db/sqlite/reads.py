"""Short queries of SQLite in the event loop: a hop to a thread and back costs several times what a keyed read does."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from threading import Lock
from typing import Any

from service.db.sqlite.connection import FileConnection

# Some 0.2 ms; a page of 50 users takes half of it.
_MOST_OPERATIONS = 5_000
_MOST_LONG = 1_000


class ShortReads:
    """Runs queries on a connection of its own and gives up those that take long, whose text it remembers.

    A query that fails, whatever the reason, runs again in a thread: that decides what the caller meets. This connection
    waits for no lock.
    """

    def __init__(self, open_connection: Callable[[], FileConnection]) -> None:
        self._open = open_connection
        self._connection: FileConnection | None = None
        self._is_opening = False
        # Held to hand a connection over, or to close it.
        self._lock = Lock()
        self._closings = 0
        self._long: set[str] = set()
        self._operations = 0

    async def open(self, run_in_thread: Callable[..., Awaitable[None]]) -> None:
        """Connect, unless that is done or under way, in the thread of a connection that works.

        The thread hands the connection over: whatever uses it, and closes it, runs in the event loop. SQLite's driver
        crashes if one thread closes a connection on which another runs a statement. The caller may be cancelled
        meanwhile.
        """
        if self._connection is not None or self._is_opening:
            return
        self._is_opening = True
        try:
            # A file that cannot be opened now is a matter for the next query.
            with suppress(sqlite3.Error):
                await run_in_thread(self._connect, self._closings)
        finally:
            self._is_opening = False

    def _connect(self, _connection: object, closings: int) -> None:
        """Open a connection for the event loop, unless it has one by then, or has closed it meanwhile."""
        connection = self._open()
        connection.set_progress_handler(self._interrupts, _MOST_OPERATIONS)
        with self._lock:
            if self._connection is None and self._closings == closings:
                self._connection = connection
                return
        connection.close()

    def fetch(self, sql: str, arguments: Sequence[Any]) -> list[Any] | None:
        """Return all rows, or `None` if the query has to run in a thread."""
        connection = self._connection
        if connection is None or sql in self._long:
            return None
        self._operations = 0
        try:
            rows: list[Any] = connection.execute(sql, arguments).fetchall()
        except sqlite3.Error as failure:
            if getattr(failure, "sqlite_errorcode", None) == sqlite3.SQLITE_INTERRUPT:
                self._remember(sql)
            else:
                self.close()
            return None
        return rows

    def fetch_in_turn(self, sql: str, arguments: Sequence[Any]) -> list[Any] | None:
        """As `fetch`, for requests that arrived before this turn of the loop began: they share one look at the file."""
        rows = self.fetch(sql, arguments)
        connection = self._connection
        if rows is not None and connection is not None and not connection.is_trusted:
            connection.is_trusted = True
            asyncio.get_running_loop().call_soon(_distrust, connection)
        return rows

    def close(self) -> None:
        with self._lock:
            connection, self._connection = self._connection, None
            self._closings += 1
        if connection is not None:
            connection.close()

    def _interrupts(self) -> bool:
        # SQLite counts the operations of all runs of a statement: a short one passes the mark now and then, but once.
        self._operations += 1
        return self._operations > 1

    def _remember(self, sql: str) -> None:
        if len(self._long) >= _MOST_LONG:
            self._long.clear()
        self._long.add(sql)


def _distrust(connection: FileConnection) -> None:
    connection.is_trusted = False
