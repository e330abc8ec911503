"""SQLAlchemy's queue of connections, without the waits and the ceremony that help no one."""

import asyncio
from typing import Any

from sqlalchemy import AsyncAdaptedQueuePool
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.pool.base import ConnectionPoolEntry, _ConnectionRecord


class Pool(AsyncAdaptedQueuePool):
    """A pool that hands out no connection it could know to be closed, and whose waiters hear of every free place."""

    async def borrow(self) -> ConnectionPoolEntry | None:
        """Return a connection that is open, for one statement in no transaction; `give_back` ends the loan.

        `None` if one has to be opened: the engine does that. A checkout by the engine costs a greenlet, a proxy, a weak
        reference and a ROLLBACK that has nothing to roll back (docs/decisions/0016); the events of a pool are not
        sent here.

        Raises:
            TimeoutError: SQLAlchemy's; no connection became free in time.
        """
        idle = self._idle
        if idle.empty():
            if self._overflow < self._max_overflow:
                return None
            try:
                async with asyncio.timeout(self._timeout):
                    entry: _ConnectionRecord = await idle.get()
            except TimeoutError:
                raise PoolTimeoutError("No connection became free in time.") from None
        else:
            entry = idle.get_nowait()
        if _is_open(entry) and entry.starttime >= self._invalidate_time and not entry._soft_invalidate_time:
            return entry
        self.give_back(entry)
        return None

    def give_back(self, entry: ConnectionPoolEntry) -> None:
        """End a loan, also that of a connection that was invalidated meanwhile."""
        self._do_return_conn(entry)

    def _create_connection(self) -> ConnectionPoolEntry:
        # Opened when it is handed out: if that fails the record is put back into the queue, which wakes a waiter.
        return _ConnectionRecord(self, connect=False)

    def _do_get(self) -> ConnectionPoolEntry:
        record = super()._do_get()
        if not _is_open(record):
            record.invalidate()
        return record

    @property
    def _idle(self) -> Any:
        queue: Any = self._pool
        return queue._queue


def _is_open(entry: ConnectionPoolEntry) -> bool:
    driver = entry.driver_connection
    if driver is None:
        return False
    # asyncpg hears at once when its server goes; without a question to it, unlike pool_pre_ping.
    is_closed = getattr(driver, "is_closed", None)
    return is_closed is None or not is_closed()
