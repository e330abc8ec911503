"""SQLAlchemy's pool of connections, first come, first served, and without the checkout's cost for one statement."""

import weakref
from typing import Any

from sqlalchemy import AsyncAdaptedQueuePool
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.pool.base import ConnectionPoolEntry, PoolProxiedConnection, _ConnectionFairy, _ConnectionRecord
from sqlalchemy.util import greenlet_spawn
from sqlalchemy.util.queue import Empty, Full

from service.db.queue import FairQueue


class Pool(AsyncAdaptedQueuePool):
    """A pool that serves in the order of asking, and hands out no connection it could know to be closed."""

    _queue_class: Any = FairQueue

    async def borrow(self) -> ConnectionPoolEntry:
        """Return an open connection for one statement in no transaction; `give_back` ends the loan.

        A checkout by the engine costs a greenlet, a proxy, a weak reference and a ROLLBACK that has nothing to roll
        back (docs/decisions/0016); of the pool's events only those of connecting are sent here.

        Raises:
            TimeoutError: SQLAlchemy's; no connection became free in time.
            Exception: the driver's own, when a connection has to be opened and cannot be.
        """
        queue: FairQueue[_ConnectionRecord] = self._pool  # type: ignore[assignment]
        if (idle := queue.take()) is not None:
            entry = idle
        elif self._overflow < self._max_overflow:
            entry = super()._do_get()  # type: ignore[assignment]
        else:
            try:
                entry = await queue.wait(self._timeout)
            except Empty:
                raise PoolTimeoutError("No connection became free in time.") from None
        if not (_is_open(entry) and entry.starttime >= self._invalidate_time and not entry._soft_invalidate_time):
            # In the place that was waited for: returning the place first would mean to queue again.
            try:
                await greenlet_spawn(_open, entry)
            except BaseException:
                self.give_back(entry)
                raise
        return entry

    def give_back(self, entry: ConnectionPoolEntry) -> None:
        """End a loan, also that of a connection that was invalidated meanwhile."""
        try:
            self._pool.put_nowait(entry)
        except Full:
            self._do_return_conn(entry)

    def give_up(self, entry: ConnectionPoolEntry, failure: BaseException) -> None:
        """Close the connection of a loan; after a timeout close all that are open, which may lead nowhere too."""
        if isinstance(failure, TimeoutError):
            self._invalidate(entry, failure, _checkin=False)  # type: ignore[arg-type]
        entry.invalidate(failure)

    def proxy(self, entry: ConnectionPoolEntry, transaction: object) -> PoolProxiedConnection:
        """Return the connection of a loan, in a transaction, as a checkout returns it; closing it ends the loan."""
        record: Any = entry
        adapted = record.dbapi_connection
        adapted._transaction = transaction
        if hasattr(adapted, "_started"):
            # SQLAlchemy 2.0
            adapted._started = True
        proxy = _ConnectionFairy(self, adapted, record, self._should_log_debug())
        proxy._counter = 1
        record.fairy_ref = weakref.ref(proxy, _ignore)
        return proxy

    def _create_connection(self) -> ConnectionPoolEntry:
        # Opened when it is handed out: if that fails the record is put back into the queue, which serves a waiter.
        return _ConnectionRecord(self, connect=False)

    def _do_get(self) -> ConnectionPoolEntry:
        record = super()._do_get()
        if not _is_open(record):
            record.invalidate()
        return record


def _ignore(_reference: object) -> None:
    """Do nothing: SQLAlchemy's finalizer of the proxy expects a weak reference with a callback."""


def _open(entry: _ConnectionRecord) -> None:
    if not _is_open(entry):
        entry.invalidate()
    try:
        entry.get_connection()
    except BaseException as failure:
        entry.invalidate(failure)
        raise


def _is_open(entry: ConnectionPoolEntry) -> bool:
    adapted: Any = entry.dbapi_connection
    if adapted is None:
        return False
    driver = adapted.driver_connection
    # asyncpg hears at once when its server goes; without a question to it, unlike pool_pre_ping.
    is_closed = getattr(driver, "is_closed", None)
    return is_closed is None or not is_closed()
