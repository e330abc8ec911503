"""SQLAlchemy's adapter of aiosqlite with one hop to the driver's thread for a statement, where its own takes four."""

import asyncio
import sqlite3
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from threading import Thread
from typing import Any, NamedTuple, TypeVar

import aiosqlite
from aiosqlite import core
from sqlalchemy.dialects.sqlite.aiosqlite import AsyncAdapt_aiosqlite_connection, AsyncAdapt_aiosqlite_dbapi
from sqlalchemy.util import await_only

from service.db.sqlite.reads import ShortReads

T = TypeVar("T")

# Instructions of SQLite between two looks at whether the task was cancelled: about a millisecond.
_PROGRESS_STEPS = 100_000


class Driver(aiosqlite.Connection):
    """An aiosqlite connection; its thread runs any function of the sqlite3 connection in one hop.

    The thread outlives the event loop: a statement whose caller was cancelled may end when the loop is closed.
    """

    def __init__(self, connect: Callable[[], sqlite3.Connection], chunk_rows: int) -> None:
        # What the thread has opened, also for a caller that was cancelled meanwhile.
        self._opened: list[sqlite3.Connection] = []
        super().__init__(partial(_open, connect, self._opened), chunk_rows)
        self._thread = Thread(target=_work, args=(self._tx,), daemon=True)
        # The names of the functions that SQL may call.
        self.functions: set[str] = set()

    async def run(self, function: Callable[..., T], *arguments: Any) -> T:
        """Return what the function returns for the sqlite3 connection and the arguments, in the driver's thread."""
        answer: T = await self._execute(function, self._conn, *arguments)  # type: ignore[no-untyped-call]
        return answer

    def submit(self, function: Callable[..., T], *arguments: Any) -> "asyncio.Future[T]":
        """As `run`, behind everything that was submitted before; the call does not wait."""
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._tx.put_nowait((future, partial(function, self._conn, *arguments)))
        return future

    def stop(self) -> None:
        """Close behind everything that was submitted before; nothing waits for it."""
        self._running = False
        self._tx.put_nowait((None, self._close_and_end))

    def _close_and_end(self) -> object:
        self._connection = None
        for each in self._opened:
            each.close()
        return core._STOP_RUNNING_SENTINEL

    def run_here(self, function: Callable[..., T], *arguments: Any) -> T:
        """As `run`, without the hop: the thread must be idle, and the function quick."""
        return function(self._conn, *arguments)


def _open(connect: Callable[[], sqlite3.Connection], opened: list[sqlite3.Connection]) -> sqlite3.Connection:
    connection = connect()
    opened.append(connection)
    return connection


def _work(queue: Any) -> None:
    """Run what is queued; a result for an event loop that is closed is dropped."""
    while True:
        try:
            core._connection_worker_thread(queue)
        except RuntimeError:
            continue
        return


class Answer(NamedTuple):
    """What a statement left in its cursor."""

    description: Any
    rowcount: int
    lastrowid: int
    rows: Sequence[Any]


class Cursor:
    """A cursor whose statement is opened, run, fetched and closed in one hop to the driver's thread."""

    server_side = False

    def __init__(self, connection: "Connection") -> None:
        self._connection = connection
        self._rows: deque[Any] = deque()
        self.description: Any = None
        self.rowcount = -1
        self.lastrowid = 0
        self.arraysize = 1

    def execute(self, operation: str, parameters: Any = ()) -> None:
        self._keep(self._connection.run(_execute, operation, parameters))

    def executemany(self, operation: str, seq_of_parameters: Any) -> None:
        self._keep(self._connection.run(_execute_many, operation, seq_of_parameters))

    def _keep(self, answer: Answer) -> None:
        self.description, self.rowcount, self.lastrowid, rows = answer
        self._rows = deque(rows)

    def setinputsizes(self, *_sizes: Any) -> None:
        """Do nothing, as PEP 249 allows."""

    def fetchone(self) -> Any:
        return self._rows.popleft() if self._rows else None

    def fetchmany(self, size: int | None = None) -> list[Any]:
        rows = self._rows
        return [rows.popleft() for _ in range(min(size or self.arraysize, len(rows)))]

    def fetchall(self) -> list[Any]:
        rows = [*self._rows]
        self._rows.clear()
        return rows

    def __iter__(self) -> Iterator[Any]:
        while self._rows:
            yield self._rows.popleft()

    def close(self) -> None:
        self._rows.clear()

    async def _async_soft_close(self) -> None:
        """Keep the rows: nothing is open any more (SQLAlchemy 2.0.44 and later ask)."""


def _execute(connection: sqlite3.Connection, begin: str | None, sql: str, parameters: Any) -> Answer:
    cursor = connection.cursor()
    if begin is not None:
        cursor.execute(begin)
    cursor.execute(sql, parameters)
    rows = cursor.fetchall() if cursor.description else ()
    return Answer(cursor.description, cursor.rowcount, cursor.lastrowid or 0, rows)


def _execute_many(connection: sqlite3.Connection, begin: str | None, sql: str, rows: Any) -> Answer:
    cursor = connection.cursor()
    if begin is not None:
        cursor.execute(begin)
    cursor.executemany(sql, rows)
    return Answer(cursor.description, cursor.rowcount, cursor.lastrowid or 0, ())


def _commit(connection: sqlite3.Connection, _begin: None) -> None:
    connection.commit()


def _roll_back(connection: sqlite3.Connection, _begin: None) -> None:
    connection.rollback()


def fetch(connection: sqlite3.Connection, begin: str | None, sql: str, parameters: Any) -> list[Any]:
    """Return the rows of a statement."""
    if begin is not None:
        connection.execute(begin)
    return connection.execute(sql, parameters).fetchall()


def fetch_stored(connection: sqlite3.Connection, begin: str | None, sql: str, parameters: Any, again: str) -> list[Any]:
    """Return the row of an INSERT or UPDATE with RETURNING, whose last value is the parameter of `again`.

    RETURNING answers before AFTER triggers run: after a trigger's change the row is read again.
    """
    before = connection.total_changes
    rows = fetch(connection, begin, sql, parameters)
    if rows and connection.total_changes > before + len(rows):
        rows = connection.execute(again, rows[0][-1:]).fetchall()
    return rows


def insert_many(connection: sqlite3.Connection, _begin: None, sql: str, rows: Any) -> None:
    """Run a statement that returns no rows for each row of parameters."""
    cursor = connection.cursor()
    cursor.executemany(sql, rows)


class Connection(AsyncAdapt_aiosqlite_connection):
    """An adapted connection that begins a transaction together with its first statement."""

    _begin: str | None = None
    # The task in whose thread statements run; `None` where they run in the driver's.
    _task: "asyncio.Task[Any] | None" = None

    def stay_in_loop(self) -> None:
        """Run statements in the thread of the event loop from now on, without a hop; nothing else may run in the loop.

        The end of the task's statement is not waited for when the task is cancelled, as after Ctrl-C.
        """
        self._task = asyncio.current_task()
        driver: Any = self._connection
        driver.run_here(lambda connection: connection.set_progress_handler(self._is_cancelled, _PROGRESS_STEPS))

    def _is_cancelled(self) -> bool:
        # A function in Python, unlike `Task.cancelling` itself: Python handles signals when it begins to run one.
        return self._task is not None and self._task.cancelling() > 0

    def cursor(self, server_side: bool = False) -> Any:  # noqa: ARG002, FBT001, FBT002 - SQLAlchemy's signature
        return Cursor(self)

    def begin_with_next(self, sql: str) -> None:
        """Run this BEGIN in the hop of the next statement."""
        self._begin = sql

    def run(self, function: Callable[..., T], *arguments: Any) -> T:
        """Return what the function returns in the driver's thread for its connection, a BEGIN or `None`, and more."""
        begin, self._begin = self._begin, None
        driver: Any = self._connection
        try:
            if self._task is not None:
                return self._run_here(driver, function, begin, *arguments)
            answer: T = await_only(driver.run(function, begin, *arguments))
        except Exception as error:  # noqa: BLE001 - the adapter decides what SQLAlchemy sees
            self._handle_exception(error)
        return answer

    def _run_here(self, driver: Any, function: Callable[..., T], *arguments: Any) -> T:
        try:
            self._yield_if_cancelled()
            answer: T = driver.run_here(function, *arguments)
        except sqlite3.OperationalError:
            self._yield_if_cancelled()
            raise
        return answer

    def _yield_if_cancelled(self) -> None:
        """Let the task end here, unless it is ending already."""
        if self._is_cancelled():
            await_only(asyncio.sleep(0))

    def commit(self) -> None:
        if not self._has_begun():
            return
        if self._task is not None:
            self.run(_commit)
        else:
            super().commit()

    def rollback(self) -> None:
        if not self._has_begun():
            return
        if self._task is not None:
            self.run(_roll_back)
        else:
            super().rollback()

    def _has_begun(self) -> bool:
        """Whether there is a transaction to end; one that no statement followed has not begun."""
        began, self._begin = self._begin is None, None
        return began


class Dbapi(AsyncAdapt_aiosqlite_dbapi):
    """The module of aiosqlite as SQLAlchemy sees it, with the connection above.

    `short_reads` is for queries of the engine that need no thread.
    """

    def __init__(self, short_reads: ShortReads | None = None) -> None:
        super().__init__(aiosqlite, sqlite3)
        self.short_reads = short_reads

    def connect(self, *_arguments: Any, **more: Any) -> Connection:
        return Connection(self, await_only(more["async_creator_fn"]()))
