"""Stores two batches of an import at a time, each in its own transaction, and commits them in the order of the file."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, NamedTuple, Self

from service.errors import RosterError
from service.http.transfer.batching import Batch
from service.http.transfer.reports import Outcome


class OvertakenError(RosterError):
    """The batch before did not end as expected; this one is rolled back, and stored after that."""


class Ticket:
    """The place of a batch in the order of the file; `before` is the one that may still be in its transaction.

    A batch begins once the rows of the one before are in that one's transaction. Its own rows are as far as it goes
    until that one is committed, which meanwhile only stores events: neither waits for a lock of the other.
    """

    def __init__(self, before: "Ticket | None" = None) -> None:
        loop = asyncio.get_running_loop()
        self.before = before
        self.follower: Ticket | None = None
        # Whether the next batch may begin now; False: when this one has ended.
        self.opened: asyncio.Future[bool] = loop.create_future()
        # Whether the next batch may commit.
        self.settled: asyncio.Future[bool] = loop.create_future()
        # The lines that failed, once the batch has ended.
        self.ended: asyncio.Future[int] = loop.create_future()
        self.left = asyncio.Event()
        if before is not None:
            before.follower = self

    async def is_open(self) -> bool:
        """Wait until the next batch may begin; return False if this batch has to end first, or has ended."""
        return await asyncio.shield(self.opened) and not self.settled.done()

    async def rows_stored(self) -> None:
        """Let the next batch begin, and return when the one before is committed as a whole; raises as `wait`."""
        if not self.opened.done():
            self.opened.set_result(True)
        await self.wait()

    async def wait(self) -> None:
        """Return when the batch before is committed as a whole.

        Raises:
            OvertakenError: the batch before is stored in another way.
        """
        if self.before is not None and not await asyncio.shield(self.before.settled):
            raise OvertakenError("The batch before this one was not stored as a whole.")

    async def go_alone(self) -> int:
        """Wait until no other batch is in a transaction; return how many lines of the one before have failed."""
        self._settle(whole=False)
        self.left.set()
        if self.follower is not None:
            await self.follower.left.wait()
        return 0 if self.before is None else await asyncio.shield(self.before.ended)

    def end(self, outcome: Outcome | None) -> None:
        """Let the next batch commit if all lines of this one are stored, or go alone; `None`: the import ends."""
        self._settle(whole=outcome is not None and not outcome.failed)
        self.left.set()
        if outcome is None:
            self.ended.cancel()
        elif not self.ended.done():
            self.ended.set_result(outcome.failed)
        # Tickets must not keep each other for as long as the file is.
        self.before = None

    def _settle(self, *, whole: bool) -> None:
        for future in (self.opened, self.settled):
            if not future.done():
                future.set_result(whole and future is self.settled)


class Steps(NamedTuple):
    """What an import does with its batches."""

    # Called before each batch; may raise, which ends the import.
    check: Callable[[], None]
    # Returns whether there is a connection for a second transaction.
    has_room: Callable[[], bool]
    # Stores a batch; the number is that of the lines of the one before that are known to fail.
    store: Callable[[Batch, Ticket, int], Awaitable[Outcome]]
    # Takes the outcomes in the order of the file, and returns whether the import stops there.
    finish: Callable[[Batch, Outcome], bool]


async def store_overlapping(batches: AsyncIterator[Batch], steps: Steps) -> None:
    """Store all batches; raises what `steps` raises, with no batch left in a transaction."""
    started: list[_Started] = []
    upcoming: asyncio.Future[Batch | None] | None = None
    try:
        while True:
            upcoming = asyncio.ensure_future(anext(batches, None))
            try:
                batch = await _next(upcoming, started, steps)
                if batch is None or await _makes_way(started, steps):
                    break
                steps.check()
            except Exception:
                # What is on its way is still stored.
                await _finish(started, steps)
                raise
            started.append(_Started.of(batch, started, steps))
            if len(started) > 1 and await _finish(started, steps):
                break
    finally:
        await _give_up(upcoming, *(each.task for each in started))


async def _next(upcoming: "asyncio.Future[Batch | None]", started: "list[_Started]", steps: Steps) -> Batch | None:
    """Return the next batch; `None` after the last one, or if the import stops before."""
    if started:
        # A sender may be slow: what is stored, or has failed, is reported meanwhile.
        both: set[asyncio.Future[Any]] = {upcoming, started[0].task}
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        if started[0].task.done() and await _finish(started, steps):
            return None
    batch = await upcoming
    if batch is None:
        await _finish(started, steps)
    return batch


async def _makes_way(started: "list[_Started]", steps: Steps) -> bool:
    """Wait until another batch may begin; return whether the import stops instead."""
    if not started or (await started[0].ticket.is_open() and steps.has_room()):
        return False
    return await _finish(started, steps)


async def _finish(started: "list[_Started]", steps: Steps) -> bool:
    """Wait for the oldest batch, and return whether the import stops there."""
    if not started:
        return False
    stops = steps.finish(started[0].batch, await started[0].task)
    del started[0]
    return stops


class _Started(NamedTuple):
    batch: Batch
    ticket: Ticket
    task: "asyncio.Task[Outcome]"

    @classmethod
    def of(cls, batch: Batch, earlier: "list[_Started]", steps: Steps) -> Self:
        ticket = Ticket(earlier[-1].ticket if earlier else None)
        failures = sum(each.batch.outcome.failed for each in earlier)
        return cls(batch, ticket, asyncio.create_task(_store(batch, ticket, failures, steps)))


async def _store(batch: Batch, ticket: Ticket, failures: int, steps: Steps) -> Outcome:
    outcome: Outcome | None = None
    try:
        outcome = await steps.store(batch, ticket, failures)
    finally:
        ticket.end(outcome)
    return outcome


async def _give_up(*futures: "asyncio.Future[Any] | None") -> None:
    left = [each for each in futures if each is not None]
    for each in left:
        each.cancel()
    await asyncio.gather(*left, return_exceptions=True)
