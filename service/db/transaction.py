"""A transaction of PostgreSQL on a borrowed connection, in the driver's own words."""

from collections.abc import Sequence
from typing import Any, Self

import asyncpg
from sqlalchemy.pool.base import ConnectionPoolEntry, PoolProxiedConnection

from service.db import commits
from service.db.commits import RECOVERED_AT, Mark
from service.db.failures import Cure, cure
from service.db.pool import Pool

_RECOVERED = "recovered_at"


class Transaction:
    """BEGIN to COMMIT without SQLAlchemy's connection, which costs as much as the statements (docs/decisions/0083).

    `xid` is the transaction's id, once a statement has returned it; a transaction without one wrote nothing. `is_over`
    says that the connection was given back.
    """

    __slots__ = ("_driver", "_entry", "_pool", "is_over", "xid")

    def __init__(self, pool: Pool, entry: ConnectionPoolEntry) -> None:
        self._pool = pool
        self._entry = entry
        self._driver: Any = entry.driver_connection
        self.is_over = False
        self.xid: str | None = None

    @classmethod
    async def start(cls, pool: Pool) -> Self:
        """Borrow a connection, as `Pool.borrow`, and begin."""
        transaction = cls(pool, await pool.borrow())
        try:
            await transaction._execute("BEGIN;")
        except BaseException as failure:
            transaction._end(failure)
            raise
        return transaction

    async def fetch(self, sql: str, arguments: Sequence[Any] = ()) -> Sequence[Sequence[Any]]:
        """Run one statement; raises what the driver raises."""
        self._require_open()
        try:
            rows: Sequence[Sequence[Any]] = await self._driver.fetch(sql, *arguments)
        except BaseException as failure:
            self._doubt(failure)
            raise
        return rows

    async def mark(self) -> Mark | None:
        """Return the mark of the transaction; `None` if it wrote nothing."""
        if self.xid is None:
            return None
        info = self._entry.info
        # A server that recovers closes all connections first: one question is enough for each.
        if _RECOVERED not in info:
            [[info[_RECOVERED]]] = await self.fetch(f"SELECT {RECOVERED_AT}")
        return Mark(self.xid, info[_RECOVERED])

    async def commit(self) -> None:
        """Commit and end the loan.

        Raises:
            InFailedSQLTransactionError: an earlier statement failed; PostgreSQL rolled back.
            Unconfirmed: as `commits.check_confirmed`.
        """
        self._require_open()
        try:
            status = await self._execute("COMMIT;")
        except BaseException as failure:
            self._doubt(failure)
            raise
        finally:
            info = self._entry.info
            self._end(None)
            commits.check_confirmed(info)
        # PostgreSQL answers COMMIT with ROLLBACK, and no error, after a statement that failed.
        if status != "COMMIT":
            raise asyncpg.InFailedSQLTransactionError("An earlier statement of the transaction failed.")

    async def close(self) -> None:
        """Roll back and end the loan, unless that is done."""
        if self.is_over:
            return
        failure: Exception | None = None
        try:
            if not self._driver.is_closed():
                await self._execute("ROLLBACK;")
        except Exception as caught:  # noqa: BLE001 - the connection is closed, which rolls back too
            failure = caught
        except BaseException as caught:
            self._end(caught)
            raise
        self._end(failure)

    def hand_over(self) -> PoolProxiedConnection:
        """Return the connection as SQLAlchemy checks it out, in this transaction, which SQLAlchemy now ends."""
        self.is_over = True
        return self._pool.proxy(self._entry, _Begun(self._driver))

    def _require_open(self) -> None:
        if self.is_over:
            # The unit runs again.
            raise asyncpg.InterfaceError("The transaction's connection was given up after an error.")

    async def _execute(self, sql: str) -> str:
        status: str = await self._driver.execute(sql)
        return status

    def _doubt(self, failure: BaseException) -> None:
        """Close the connection if a cancelled statement may still run there, or if only another connection helps."""
        if not isinstance(failure, Exception) or cure(failure) is Cure.RECONNECT:
            self._end(failure)

    def _end(self, failure: BaseException | None) -> None:
        if self.is_over:
            return
        self.is_over = True
        if failure is not None:
            self._pool.give_up(self._entry, failure)
        self._pool.give_back(self._entry)


class _Begun:
    """The transaction as SQLAlchemy's adapter of asyncpg ends it."""

    __slots__ = ("_driver",)

    def __init__(self, driver: Any) -> None:
        self._driver = driver

    async def commit(self) -> None:
        await self._driver.execute("COMMIT;")

    async def rollback(self) -> None:
        await self._driver.execute("ROLLBACK;")
