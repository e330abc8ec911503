"""A database read and written with plain SQL on the driver's own connection, without the service."""

import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import asyncpg
from sqlalchemy import Connection, make_url
from sqlalchemy.ext.asyncio import AsyncEngine

from service.db.engine import Purpose, create_engine

Row = dict[str, Any]
_TEXTS = {datetime: "%Y-%m-%d %H:%M:%S.%f", date: "%Y-%m-%d"}


@dataclass(kw_only=True)
class Store:
    """One connection, in no transaction between statements; foreign keys are enforced."""

    url: str
    backend: str
    connection: Any = None
    # A second one, of the migrator's kind.
    _engine: AsyncEngine | None = None

    async def execute(self, sql: str, *values: Any) -> list[Row]:
        """Run one statement, its parameters written $1, $2 …, and return its rows."""
        if self.backend == "postgresql":
            return [dict(row) for row in await self.connection.fetch(sql, *values)]
        with self.connection:
            return [dict(row) for row in self.connection.execute(sql, _named(values))]

    async def execute_many(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        """Run one statement for the parameters of each row, in one transaction."""
        if self.backend == "postgresql":
            await self.connection.executemany(sql, rows)
            return
        with self.connection:
            self.connection.executemany(sql, [_named(row) for row in rows])

    async def value(self, sql: str, *values: Any) -> Any:
        """The first column of the only row."""
        (row,) = await self.execute(sql, *values)
        return next(iter(row.values()))

    async def ask(self, question: Callable[[Connection], list[str]]) -> list[str]:
        """The answer to a question on SQLAlchemy's connection, which is kept for the next."""
        if self._engine is None:
            self._engine = create_engine(self.url, Purpose.MIGRATE)
        async with self._engine.connect() as connection:
            return await connection.run_sync(question)

    async def connect(self) -> None:
        if self.backend == "postgresql":
            # Plans are not cached: the schema changes under this connection.
            self.connection = await asyncpg.connect(self.url, statement_cache_size=0)
            return
        self.connection = sqlite3.connect(make_url(self.url).database or "", check_same_thread=False)
        self.connection.row_factory = sqlite3.Row
        self.connection.execute("PRAGMA foreign_keys = ON")

    async def close(self) -> None:
        if self._engine is not None:
            await self._engine.dispose()
            self._engine = None
        if self.backend == "postgresql":
            await self.connection.close()
        else:
            self.connection.close()


def _named(values: Sequence[Any]) -> dict[str, Any]:
    plain = [value.strftime(_TEXTS[type(value)]) if type(value) in _TEXTS else value for value in values]
    return {str(number): value for number, value in enumerate(plain, start=1)}


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Store]:
    store = Store(url=url, backend=make_url(url).get_backend_name())
    await store.connect()
    try:
        yield store
    finally:
        await store.close()
