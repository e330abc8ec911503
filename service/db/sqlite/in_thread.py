"""The parts of a SQLite transaction that run in the driver's thread."""

import sqlite3
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from service.db.sqlite.connection import FileConnection

T = TypeVar("T")


def run(connection: sqlite3.Connection, before: Sequence[str], function: Callable[..., T], *arguments: Any) -> T:
    """Run the statements `before` and then the function, which finds a transaction begun."""
    for sql in before:
        connection.execute(sql)
    return function(connection, None, *arguments)


def is_awaited(connection: sqlite3.Connection) -> bool:
    """Whether another process waits to write."""
    return isinstance(connection, FileConnection) and connection.is_awaited()


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


def checkpoint(connection: sqlite3.Connection) -> None:
    """Copy what is committed from the WAL into the database file, as far as no reader is in the way."""
    connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
