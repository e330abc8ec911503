"""The one connection that writes to SQLite: units take turns on it, and units that wait share one COMMIT."""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, TypeVar

from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from service.db.sqlite import in_thread
from service.db.sqlite.adapter import Driver
from service.db.sqlite.connection import BEGIN_IMMEDIATE
from service.db.sqlite.file import FileReplaced
from service.db.sqlite.unit import Group, Regrouped, Unit, failure_of

T = TypeVar("T")

# A group takes no more units when it has so many, or when its first began so long ago.
_MOST_UNITS = 64
_LONGEST_SECONDS = 0.05
# How long units that have ended wait for one that has not.
_PATIENCE_SECONDS = 1.0
# COMMIT itself copies the WAL when it has 1,000 pages, and those who wait for it wait for that too (decision 143).
# sqlite3 does not tell how many pages there are: some for each COMMIT, and a few for each unit.
_CHECKPOINT_PAGES = 500
_PAGES_OF_COMMIT, _PAGES_OF_UNIT = 10, 2
_BEGIN = (BEGIN_IMMEDIATE,)
_SAVEPOINT, _RELEASE = "SAVEPOINT unit", "RELEASE unit"
_LOST = "The failure of another unit rolled the transaction back."
_UNDO = ("ROLLBACK TO unit", _RELEASE)


class Writer:
    """Serializes units on one connection, first come, first served; a unit has the connection to itself until it ends.

    A unit that ends while others wait leaves its changes in the open transaction; the next runs inside a SAVEPOINT. One
    COMMIT then stores all of them, and `commit` returns to their callers after it. A unit that fails is rolled back to
    its savepoint. A group whose COMMIT a constraint refuses, or that has to wait for a slow unit, is taken apart: its
    units meet `Regrouped` and run again, each alone (docs/decisions/0080).
    """

    def __init__(self, open_driver: Callable[[], Awaitable[Driver]], wait_seconds: float | None) -> None:
        self._open_driver = open_driver
        self._wait_seconds = wait_seconds
        self._opening = asyncio.Lock()
        self._members = 0
        self._holder: Unit | None = None
        self._is_committing = False
        self._waiting: deque[tuple[Unit, asyncio.Future[None]]] = deque()
        self._group = Group()
        self._until = 0.0
        self._release: tuple[str, ...] = ()
        self._timer: asyncio.TimerHandle | None = None
        self._pages = 0
        self.driver: Driver | None = None

    async def join(self) -> None:
        """Count one more user of the connection, and open it; raises what opening raises."""
        async with self._opening:
            if self.driver is None:
                self.driver = await self._open_driver()
        self._members += 1

    def leave(self) -> Driver | None:
        """Count one user less; return the connection for the last one to close."""
        self._members -= 1
        if self._members:
            return None
        driver, self.driver = self.driver, None
        return driver

    async def run(self, unit: Unit, function: Callable[..., T], *arguments: Any, is_short: bool = False) -> T:
        """Return what the function returns in the driver's thread, inside the unit, which waits for its turn first.

        A short function runs in the loop, unless it has to begin the transaction.

        Raises:
            Regrouped: the unit has been rolled back.
            TimeoutError: SQLAlchemy's; the turn did not come in time.
        """
        self._require(unit)
        if self._holder is not unit:
            await self._wait_for_turn(unit)
        before = () if unit.began else self._opening_of(unit)
        unit.is_busy = True
        try:
            answer: T
            if is_short and before is not _BEGIN and self.driver is not None:
                answer = self.driver.run_here(in_thread.run, before, function, *arguments)
            else:
                answer = await self._submit(in_thread.run, before, function, *arguments)
        except asyncio.CancelledError:
            # The statement may still run: the turn ends behind it.
            self._undo(unit)
            raise
        except Exception as failure:
            self._note_failure(unit, failure)
            raise
        finally:
            unit.is_busy = False
        unit.began = True
        if unit.is_late:
            self._evict(unit)
            self._require(unit)
        return answer

    async def run_alone(self, function: Callable[..., T], *arguments: Any) -> T:
        """As `run`, for a statement in no transaction."""
        unit = Unit()
        unit.shares = False
        await self._wait_for_turn(unit)
        statement = self._submit(in_thread.run, (), function, *arguments)
        # The turn ends with the statement, not with a caller that is cancelled.
        statement.add_done_callback(self._pass_on_after)
        return await asyncio.shield(statement)

    async def commit(self, unit: Unit) -> None:
        """End the unit and return when its changes are stored; raises what its COMMIT raises, or Regrouped."""
        self._require(unit)
        unit.is_over = True
        if not unit.began:
            self._end(unit)
            return
        stored = self._group.add()
        self._release = (_RELEASE,) if unit.is_savepoint else ()
        self._pass_on(may_share=unit.shares)
        await stored

    def roll_back(self, unit: Unit) -> None:
        """End the unit, with nothing of it stored; statements of others come behind the ROLLBACK."""
        if unit.is_over:
            return
        if unit.began:
            if self._group:
                unit.sharing.seen = self._group.outcome()
            self._undo(unit)
            return
        unit.is_over = True
        self._end(unit)

    def is_awaited(self) -> bool:
        """Whether a unit or another process waits for the present unit to end; asked between its statements."""
        if any(not turn.done() for _unit, turn in self._waiting):
            return True
        return self.driver is not None and self.driver.run_here(in_thread.is_awaited)

    def discard(self) -> None:
        """Give the connection up; the next unit opens another."""
        driver, self.driver = self.driver, None
        if driver is not None:
            driver.stop()

    def _require(self, unit: Unit) -> None:
        if unit.is_over:
            raise Regrouped("The unit was rolled back, so that the units before it could be stored.")

    def _end(self, unit: Unit) -> None:
        if self._holder is unit:
            self._pass_on()

    def _opening_of(self, unit: Unit) -> Sequence[str]:
        if not self._group:
            self._until = time.monotonic() + _LONGEST_SECONDS
            return _BEGIN
        unit.is_savepoint = True
        release, self._release = self._release, ()
        return (*release, _SAVEPOINT)

    def _submit(self, function: Callable[..., T], *arguments: Any) -> "asyncio.Future[T]":
        if self.driver is None:
            # SQLAlchemy gives the member up, and the next one opens a connection.
            raise FileReplaced("the connection was given up")
        return self.driver.submit(function, *arguments)

    def _note_failure(self, unit: Unit, failure: Exception) -> None:
        if isinstance(failure, FileReplaced):
            self.discard()
        unit.began = self.driver is not None and self.driver.in_transaction
        if not unit.began:
            # BEGIN failed; or SQLite rolled the whole transaction back, as for want of space.
            self._take_group().finish(Regrouped(_LOST))
            unit.is_over = True
            self._pass_on()
        elif unit.is_late:
            self._evict(unit)

    def _undo(self, unit: Unit) -> None:
        unit.is_over = True
        undone = self._submit(in_thread.roll_back, _UNDO if unit.is_savepoint else ())
        undone.add_done_callback(self._undone)

    def _undone(self, undone: "asyncio.Future[None]") -> None:
        failure = failure_of(undone)
        if self._group and (failure or self.driver is None or not self.driver.in_transaction):
            self._take_group().finish(Regrouped(_LOST))
        self._pass_on()

    # The turn

    async def _wait_for_turn(self, unit: Unit) -> None:
        if self._holder is None and not self._is_committing and not self._waiting:
            self._holder = unit
            return
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[None] = loop.create_future()
        self._waiting.append((unit, turn))
        timer = None if self._wait_seconds is None else loop.call_later(self._wait_seconds, _expire, turn)
        try:
            await turn
        except BaseException:
            unit.is_over = True
            if self._holder is unit:
                # Handed over and cancelled in the same turn of the loop.
                self._pass_on()
            raise
        finally:
            if timer is not None:
                timer.cancel()

    def _pass_on_after(self, statement: "asyncio.Future[Any]") -> None:
        failure_of(statement)
        self._pass_on()

    def _pass_on(self, *, may_share: bool = True) -> None:
        """End the holder's turn: commit the group, or let the next unit begin."""
        self._holder = None
        while self._waiting and self._waiting[0][1].done():
            self._waiting.popleft()
        if self._group and not (may_share and self._takes_another()):
            self._commit_group()
        elif self._waiting:
            self._holder, turn = self._waiting.popleft()
            turn.set_result(None)
            if self._group and self._timer is None:
                self._timer = asyncio.get_running_loop().call_later(_PATIENCE_SECONDS, self._hurry)

    def _takes_another(self) -> bool:
        return (
            len(self._group) < _MOST_UNITS
            and bool(self._waiting)
            and self._waiting[0][0].shares
            and time.monotonic() < self._until
        )

    def _hurry(self) -> None:
        """Roll the slow holder back, so that the units before it are stored."""
        self._timer = None
        unit = self._holder
        if unit is None or not self._group:
            return
        if unit.is_busy:
            unit.is_late = True
        else:
            self._evict(unit)

    def _evict(self, unit: Unit) -> None:
        self._until = 0.0
        if unit.began:
            self._undo(unit)
        else:
            unit.is_over = True
            self._pass_on()

    # The group

    def _take_group(self) -> Group:
        group, self._group = self._group, Group()
        self._release = ()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        return group

    def _commit_group(self) -> None:
        self._is_committing = True
        committed = self._submit(in_thread.commit)
        committed.add_done_callback(partial(self._committed, self._take_group()))

    def _committed(self, group: Group, committed: "asyncio.Future[None]") -> None:
        self._is_committing = False
        failure = failure_of(committed)
        group.finish(failure)
        if isinstance(failure, FileReplaced):
            self.discard()
        self._count_pages(_PAGES_OF_COMMIT + _PAGES_OF_UNIT * len(group))
        self._pass_on()

    def _count_pages(self, pages: int) -> None:
        """Checkpoint now and then, behind the answers to those who waited for a COMMIT."""
        self._pages += pages
        if self._pages >= _CHECKPOINT_PAGES and self.driver is not None:
            self._pages = 0
            self._submit(in_thread.checkpoint).add_done_callback(failure_of)


def _expire(turn: "asyncio.Future[None]") -> None:
    if not turn.done():
        turn.set_exception(PoolTimeoutError("No connection became free in time."))
