"""SQLAlchemy's queue of connections, without the two waits that help no one."""

from sqlalchemy import AsyncAdaptedQueuePool
from sqlalchemy.pool.base import ConnectionPoolEntry, _ConnectionRecord


class Pool(AsyncAdaptedQueuePool):
    """A pool that hands out no connection it could know to be closed, and whose waiters hear of every free place."""

    def _create_connection(self) -> ConnectionPoolEntry:
        # Opened when it is handed out: if that fails the record is put back into the queue, which wakes a waiter.
        return _ConnectionRecord(self, connect=False)

    def _do_get(self) -> ConnectionPoolEntry:
        record = super()._do_get()
        # asyncpg hears at once when its server goes; without a question to it, unlike pool_pre_ping.
        is_closed = getattr(record.driver_connection, "is_closed", None)
        if is_closed is not None and is_closed():
            record.invalidate()
        return record
