"""A transaction of SQLite past SQLAlchemy's connection: a unit of the writer, in the driver's own words."""

from collections.abc import Callable, Sequence
from typing import Any, Self

from sqlalchemy.pool.base import ConnectionPoolEntry, PoolProxiedConnection

from service.db.failures import Cure, cure
from service.db.pool import Pool
from service.db.sqlite.adapter import fetch, fetch_stored, insert_many
from service.db.sqlite.group import Writer
from service.db.sqlite.unit import Unit


class SqliteTransaction:
    """BEGIN to COMMIT without SQLAlchemy's connection, which costs more than the statements (docs/decisions/0081).

    Its statements change or read few rows, by their keys: most run in the event loop. `is_over` says that the
    connection was given back.
    """

    __slots__ = ("_entry", "_pool", "_unit", "_writer", "is_over")

    def __init__(self, pool: Pool, entry: ConnectionPoolEntry) -> None:
        # `pool` belongs to an engine that serves.
        member: Any = entry.dbapi_connection
        self._pool = pool
        self._entry = entry
        self._writer: Writer = member.writer
        self._unit = Unit()
        self.is_over = False

    @classmethod
    async def start(cls, pool: Pool) -> Self:
        """Borrow a connection, as `Pool.borrow`; the first statement begins."""
        return cls(pool, await pool.borrow())

    async def fetch(self, sql: str, arguments: Sequence[Any] = ()) -> Sequence[Sequence[Any]]:
        """Run one statement; raises what the driver raises, and as `Writer.run`."""
        return await self._run(fetch, sql, arguments)

    async def fetch_stored(self, sql: str, arguments: Sequence[Any], again: str) -> Sequence[Sequence[Any]]:
        """Run an INSERT or UPDATE of one row, as `adapter.fetch_stored`; raises as `fetch`."""
        return await self._run(fetch_stored, sql, arguments, again)

    async def _run(self, function: Callable[..., Sequence[Sequence[Any]]], *arguments: Any) -> Sequence[Sequence[Any]]:
        try:
            return await self._writer.run(self._unit, function, *arguments, is_short=True)
        except Exception as failure:
            self._doubt(failure)
            raise

    async def commit(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        """Insert these rows, commit and end the loan; raises as `fetch`, and as `Writer.commit`."""
        try:
            if rows:
                await self._writer.run(self._unit, insert_many, sql, rows, is_short=True)
            await self._writer.commit(self._unit)
        except Exception as failure:
            self._doubt(failure)
            raise
        self._end(None)

    async def close(self) -> None:
        """Roll back and end the loan, unless that is done."""
        if not self.is_over:
            self._writer.roll_back(self._unit)
            self._end(None)

    def hand_over(self) -> PoolProxiedConnection:
        """Return the connection as SQLAlchemy checks it out, in this transaction, which SQLAlchemy now ends."""
        self.is_over = True
        member: Any = self._entry.dbapi_connection
        member.unit = self._unit
        return self._pool.proxy(self._entry, None)

    def _doubt(self, failure: Exception) -> None:
        """Give the connection up if only another helps."""
        if not self.is_over and cure(failure) is Cure.RECONNECT:
            self._writer.roll_back(self._unit)
            self._end(failure)

    def _end(self, failure: Exception | None) -> None:
        if self.is_over:
            return
        self.is_over = True
        if failure is not None:
            self._pool.give_up(self._entry, failure)
        self._pool.give_back(self._entry)
