"""A first-come-first-served queue for SQLAlchemy's pool: a returned connection goes to the longest-waiting task."""

import asyncio
from collections import deque
from typing import TypeVar

from sqlalchemy.util import await_only
from sqlalchemy.util.queue import Empty, Full, QueueCommon

T = TypeVar("T")


class FairQueue(QueueCommon[T]):
    """Items that are idle, or tasks that wait for one, never both.

    `asyncio.Queue` wakes a waiter without giving it the item, so a task that puts an item back and asks again takes it
    first; here `put_nowait` hands the item to the waiter itself.
    """

    def __init__(self, maxsize: int = 0, use_lifo: bool = False) -> None:  # noqa: FBT001, FBT002 - SQLAlchemy's signature
        self.maxsize = maxsize
        self.use_lifo = use_lifo
        self._idle: deque[T] = deque()
        self._waiters: deque[asyncio.Future[T]] = deque()

    def empty(self) -> bool:
        return not self._idle

    def full(self) -> bool:
        return 0 < self.maxsize <= len(self._idle)

    def qsize(self) -> int:
        return len(self._idle)

    def waiting(self) -> int:
        """Return how many tasks wait."""
        return sum(not waiter.done() for waiter in self._waiters)

    def put_nowait(self, item: T) -> None:
        """Hand the item to the longest-waiting task, or keep it; raises Full."""
        waiters = self._waiters
        while waiters:
            waiter = waiters.popleft()
            if not waiter.done():
                waiter.set_result(item)
                return
        if 0 < self.maxsize <= len(self._idle):
            raise Full
        self._idle.append(item)

    def put(self, item: T, block: bool = True, timeout: float | None = None) -> None:  # noqa: ARG002, FBT001, FBT002 - SQLAlchemy's signature
        self.put_nowait(item)

    def get_nowait(self) -> T:
        """Return an idle item; raises Empty."""
        if not self._idle:
            raise Empty
        return self._idle.pop() if self.use_lifo else self._idle.popleft()

    def take(self) -> T | None:
        """Return an idle item, or `None` if there is none."""
        if not self._idle:
            return None
        return self._idle.pop() if self.use_lifo else self._idle.popleft()

    def get(self, block: bool = True, timeout: float | None = None) -> T:  # noqa: FBT001, FBT002 - SQLAlchemy's signature
        if self._idle or not block:
            return self.get_nowait()
        item: T = await_only(self.wait(timeout))
        return item

    async def wait(self, timeout: float | None) -> T:  # noqa: ASYNC109 - a timer costs less than asyncio.timeout
        """Return an item in the order of the calls; raises Empty after `timeout` seconds."""
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[T] = loop.create_future()
        self._waiters.append(waiter)
        # A connection that the garbage collector returned just now met no waiter.
        if self._idle:
            self.put_nowait(self.get_nowait())
        timer = None if timeout is None else loop.call_later(timeout, _expire, waiter)
        try:
            return await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                # Handed over and cancelled in the same turn of the loop: the next in line gets the item.
                self.put_nowait(waiter.result())
            raise
        finally:
            if timer is not None:
                timer.cancel()
            self._forget_finished()

    def _forget_finished(self) -> None:
        """Drop waiters that expired or were cancelled, as far as they stand at the head."""
        while self._waiters and self._waiters[0].done():
            self._waiters.popleft()


def _expire(waiter: "asyncio.Future[T]") -> None:
    if not waiter.done():
        waiter.set_exception(Empty())
