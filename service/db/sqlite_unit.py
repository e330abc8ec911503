"""A unit of work on the shared connection that writes to SQLite, and what the driver's thread does for it."""

import asyncio
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

T = TypeVar("T")

_shares = ContextVar("shares", default=False)


@contextmanager
def sharing(*, commits: bool) -> Iterator[None]:
    """Let the transactions that begin inside share their COMMIT with others, if `commits`; else each has its own."""
    token = _shares.set(commits)
    try:
        yield
    finally:
        _shares.reset(token)


class Regrouped(sqlite3.OperationalError):
    """The unit was rolled back for no fault of its own; it runs again in a transaction that it shares with nobody."""

    sqlite_errorcode, sqlite_errorname = sqlite3.SQLITE_BUSY, "SQLITE_BUSY"


class Unit:
    """One transaction of a caller: a transaction of SQLite, or a savepoint in one that is shared."""

    __slots__ = ("began", "is_busy", "is_late", "is_over", "is_savepoint", "shares")

    def __init__(self) -> None:
        self.shares = _shares.get()
        self.began = self.is_savepoint = False
        # Whether a statement of it is in the driver's thread.
        self.is_busy = False
        self.is_over = self.is_late = False


def run(connection: sqlite3.Connection, before: Sequence[str], function: Callable[..., T], *arguments: Any) -> T:
    """Run the statements `before` and then the function, which finds a transaction begun."""
    for sql in before:
        connection.execute(sql)
    return function(connection, None, *arguments)


def roll_back(connection: sqlite3.Connection, undo: Sequence[str]) -> None:
    """Roll back by these statements, or the whole transaction; do nothing if SQLite has done so itself."""
    if not connection.in_transaction:
        return
    for sql in undo:
        connection.execute(sql)
    if not undo:
        connection.rollback()


def commit(connection: sqlite3.Connection) -> None:
    """Commit, or roll back and raise."""
    try:
        connection.commit()
    finally:
        # A COMMIT that failed leaves the transaction open.
        if connection.in_transaction:
            connection.rollback()


def fail(group: Sequence["asyncio.Future[None]"], failure: BaseException) -> None:
    """Let each caller of a group meet the failure."""
    for stored in group:
        if not stored.done():
            stored.set_exception(_copy(failure))


def _copy(failure: BaseException) -> BaseException:
    """Return the same error for one more caller: each adds a traceback and a context of its own."""
    kind = type(failure)
    copied: BaseException = kind.__new__(kind, *failure.args)
    copied.args = failure.args
    copied.__dict__.update(failure.__dict__)
    copied.__cause__ = failure
    return copied
