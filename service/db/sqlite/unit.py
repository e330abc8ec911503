"""A unit of work on the shared connection that writes to SQLite, and the callers who wait for one COMMIT."""

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any


class Sharing:
    """Whether the transactions of a piece of work share their COMMIT, and what the work may have seen of others."""

    __slots__ = ("commits", "seen")

    def __init__(self, *, commits: bool) -> None:
        self.commits = commits
        # The COMMIT of changes that a unit which was rolled back could see.
        self.seen: asyncio.Future[BaseException | None] | None = None

    async def confirm(self) -> None:
        """Return once all that the work has seen is stored; raises Regrouped if something was not."""
        seen, self.seen = self.seen, None
        if seen is not None and await asyncio.shield(seen) is not None:
            raise Regrouped("What the unit had seen of another was not stored.")


_sharing: ContextVar[Sharing | None] = ContextVar("sharing", default=None)


@contextmanager
def sharing(*, commits: bool) -> Iterator[Sharing]:
    """Let the transactions that begin inside share their COMMIT with others, if `commits`; else each has its own."""
    inside = Sharing(commits=commits)
    token = _sharing.set(inside)
    try:
        yield inside
    finally:
        _sharing.reset(token)


class Regrouped(sqlite3.OperationalError):
    """The unit was rolled back for no fault of its own; it runs again in a transaction that it shares with nobody."""

    sqlite_errorcode, sqlite_errorname = sqlite3.SQLITE_BUSY, "SQLITE_BUSY"


class Unit:
    """One transaction of a caller: a transaction of SQLite, or a savepoint in one that is shared."""

    __slots__ = ("began", "is_busy", "is_late", "is_over", "is_savepoint", "shares", "sharing")

    def __init__(self) -> None:
        self.sharing = _sharing.get() or Sharing(commits=False)
        self.shares = self.sharing.commits
        self.began = self.is_savepoint = False
        # Whether a statement of it is in the driver's thread.
        self.is_busy = False
        self.is_over = self.is_late = False


class Group:
    """The callers of units that have ended in the open transaction, and wait for its COMMIT."""

    __slots__ = ("_callers", "_outcome")

    def __init__(self) -> None:
        self._callers: list[asyncio.Future[None]] = []
        self._outcome: asyncio.Future[BaseException | None] | None = None

    def __len__(self) -> int:
        return len(self._callers)

    def add(self) -> "asyncio.Future[None]":
        """Return what is done when the COMMIT of one more unit is, or fails as it does."""
        stored: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        # Nobody may be left to retrieve it.
        stored.add_done_callback(failure_of)
        self._callers.append(stored)
        return stored

    def outcome(self) -> "asyncio.Future[BaseException | None]":
        """Return how the COMMIT will fail, or `None`: for a unit that was rolled back, but could see its changes."""
        if self._outcome is None:
            self._outcome = asyncio.get_running_loop().create_future()
        return self._outcome

    def finish(self, failure: BaseException | None) -> None:
        """Let every caller go on, each with an error of its own."""
        if isinstance(failure, sqlite3.IntegrityError) and len(self) > 1:
            failure = Regrouped("A constraint refused the COMMIT of several units.")
        if self._outcome is not None:
            self._outcome.set_result(failure)
        for stored in self._callers:
            if stored.done():
                continue
            if failure is None:
                stored.set_result(None)
            else:
                stored.set_exception(_copy(failure))


def failure_of(future: "asyncio.Future[Any]") -> BaseException | None:
    """Return how a future failed, which also keeps the failure from being logged as lost."""
    return None if future.cancelled() else future.exception()


def _copy(failure: BaseException) -> BaseException:
    """Return the same error for one more caller: each adds a traceback and a context of its own."""
    kind = type(failure)
    copied: BaseException = kind.__new__(kind, *failure.args)
    copied.args = failure.args
    copied.__dict__.update(failure.__dict__)
    copied.__cause__ = failure
    return copied
