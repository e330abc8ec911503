"""Many rows inserted into SQLite by one function, which runs in the driver's thread."""

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from itertools import chain
from typing import Any, NamedTuple

from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncConnection

from service.db.failures import Cure, cure

# The rows of one INSERT. sqlite3 lets go of the GIL for each statement, and waits for it while others compute.
_TOGETHER = 50
_HAS_TRIGGER = "SELECT 1 FROM sqlite_schema WHERE type = 'trigger' AND lower(tbl_name) = lower(?) LIMIT 1"


class Events(NamedTuple):
    """The statement that stores the events of the rows above `:last`, and its other parameters."""

    sql: str
    parameters: Mapping[str, Any]


async def insert_many(
    connection: AsyncConnection,
    table: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[Any]],
    events: Events | None = None,
    inserted: Callable[[], object] | None = None,
) -> None:
    """Insert rows whose values are what the driver takes, in the connection's transaction.

    An error may leave some of the rows in the transaction, which has to be rolled back. `inserted` is called in the
    driver's thread, before the events are stored.

    Raises:
        sqlite3.Error: what the driver raises.
    """
    try:
        await connection.run_sync(_insert_in_thread, table, tuple(columns), rows, events, inserted)
    except Exception as failure:
        # SQLAlchemy does not see what its connection runs by itself.
        if cure(failure) is Cure.RECONNECT:
            await connection.invalidate()
        raise


def _insert_in_thread(connection: Connection, *arguments: Any) -> None:
    adapted: Any = connection.connection.dbapi_connection
    adapted.run(_insert, *arguments)


def _insert(
    connection: sqlite3.Connection,
    begin: str | None,
    table: str,
    columns: tuple[str, ...],
    rows: Sequence[Sequence[Any]],
    events: Events | None,
    inserted: Callable[[], object] | None,
) -> None:
    if begin is not None:
        connection.execute(begin)
    # There is one writer, and it holds the lock: what is added comes after what is there.
    last = events and connection.execute(f"SELECT coalesce(max(rowid), 0) FROM {table}").fetchone()[0]
    # A trigger would take OR FAIL for the statements in its body too.
    if connection.execute(_HAS_TRIGGER, (table,)).fetchone():
        connection.executemany(_values("INSERT", table, columns, 1), rows)
    else:
        most = min(_TOGETHER, connection.getlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER) // len(columns))
        for at in range(0, len(rows), most):
            some = rows[at : at + most]
            # An INSERT of several rows that undoes them when one fails writes a journal of its own.
            connection.execute(_values("INSERT OR FAIL", table, columns, len(some)), [*chain.from_iterable(some)])
    if events is not None:
        parameters = {**events.parameters, "last": last}
        if inserted is not None:
            inserted()
        connection.execute(events.sql, parameters)


@cache
def _values(verb: str, table: str, columns: tuple[str, ...], count: int) -> str:
    row = f"({', '.join('?' * len(columns))})"
    return f"{verb} INTO {table} ({', '.join(columns)}) VALUES {', '.join([row] * count)}"
