"""The floor's database access: an asyncpg pool, or sqlite3 in the event loop."""

import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Protocol

import asyncpg

from bench.statements import Statement
from service.db.urls import parse_url

Rows = Sequence[Sequence[Any]]
Run = Callable[..., Awaitable[Rows]]

POOL_SIZE = 10
BATCH_SIZE = 1000


class Driver(Protocol):
    """Runs a statement by itself, or several in one transaction."""

    # A column that holds a list is returned as JSON text.
    lists_are_json: bool

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def fetch(self, statement: Statement, **values: Any) -> Rows: ...

    def batches(self, statement: Statement) -> AsyncIterator[Rows]: ...

    def transaction(self) -> AbstractAsyncContextManager[Run]: ...


class Asyncpg:
    """A pool of connections, which prepare each statement once; a release costs no round trip."""

    lists_are_json = False

    def __init__(self, url: str) -> None:
        self._url = url

    async def open(self) -> None:
        self._pool = await asyncpg.create_pool(
            self._url, min_size=POOL_SIZE, max_size=POOL_SIZE, reset=_leave, server_settings={"jit": "off"}
        )

    async def close(self) -> None:
        await self._pool.close()

    async def fetch(self, statement: Statement, **values: Any) -> Rows:
        async with self._pool.acquire() as connection:
            return await _fetch(connection, statement, values)

    async def batches(self, statement: Statement) -> AsyncIterator[Rows]:
        async with self._pool.acquire() as connection, connection.transaction(readonly=True):
            cursor: Any = await connection.cursor(statement.sql)
            while rows := await cursor.fetch(BATCH_SIZE):
                yield rows

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Run]:
        async with self._pool.acquire() as connection, connection.transaction():

            async def run(statement: Statement, **values: Any) -> Rows:
                return await _fetch(connection, statement, values)

            yield run


async def _fetch(connection: Any, statement: Statement, values: dict[str, Any]) -> Rows:
    rows: Rows = await connection.fetch(statement.sql, *statement.arguments(**values))
    return rows


async def _leave(_connection: Any) -> None:
    pass


sqlite3.register_adapter(datetime, lambda moment: moment.replace(tzinfo=None).isoformat(" ", "microseconds"))
sqlite3.register_converter("DATETIME", lambda raw: datetime.fromisoformat(raw.decode()).replace(tzinfo=UTC))
sqlite3.register_converter("DATE", bytes.decode)
sqlite3.register_converter("BOOLEAN", b"1".__eq__)


class Sqlite:
    """One connection that blocks the event loop: without a thread there is no switch between threads."""

    lists_are_json = True

    def __init__(self, url: str) -> None:
        self._file = parse_url(url).database or ""

    async def open(self) -> None:
        self._connection = sqlite3.connect(
            self._file, isolation_level=None, timeout=30, detect_types=sqlite3.PARSE_DECLTYPES
        )
        self._connection.execute("PRAGMA foreign_keys = ON")

    async def close(self) -> None:
        self._connection.close()

    async def fetch(self, statement: Statement, **values: Any) -> Rows:
        return self._connection.execute(statement.sql, statement.arguments(**values)).fetchall()

    async def batches(self, statement: Statement) -> AsyncIterator[Rows]:
        cursor = self._connection.execute(statement.sql)
        while rows := cursor.fetchmany(BATCH_SIZE):
            yield rows

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Run]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield self.fetch
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")


def driver_of(url: str) -> Driver:
    return Sqlite(url) if parse_url(url).get_backend_name() == "sqlite" else Asyncpg(url)
