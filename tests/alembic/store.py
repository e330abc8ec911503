"""A database read and written with plain SQL on the driver's own connection, without the service."""

import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import asyncpg
from sqlalchemy import make_url

Row = dict[str, Any]
_TEXTS = {datetime: "%Y-%m-%d %H:%M:%S.%f", date: "%Y-%m-%d"}


@dataclass(kw_only=True)
class Store:
    """One connection, in no transaction between statements; foreign keys are enforced."""

    url: str
    backend: str
    connection: Any

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


def _named(values: Sequence[Any]) -> dict[str, Any]:
    plain = [value.strftime(_TEXTS[type(value)]) if type(value) in _TEXTS else value for value in values]
    return {str(number): value for number, value in enumerate(plain, start=1)}


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Store]:
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        with closing(sqlite3.connect(parsed.database or "", check_same_thread=False)) as connection:
            connection.row_factory = sqlite3.Row
            connection.execute("PRAGMA foreign_keys = ON")
            yield Store(url=url, backend="sqlite", connection=connection)
        return
    # Plans are not cached: the schema changes under this connection.
    other = await asyncpg.connect(url, statement_cache_size=0)
    try:
        yield Store(url=url, backend="postgresql", connection=other)
    finally:
        await other.close()
