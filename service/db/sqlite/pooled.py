"""aiosqlite connections for SQLAlchemy: opened on a known file, rolled back when returned or invalidated."""

import sqlite3
from collections.abc import Awaitable, Callable
from typing import Any

from sqlalchemy import Connection, Engine, ExceptionContext, ForeignKeyConstraint, event, select, true

from service.db.sqlite.adapter import Driver
from service.db.sqlite.connection import FileConnection
from service.db.sqlite.file import SqliteFile

# aiosqlite's own default: rows that one hop to its thread brings when a cursor is iterated.
_CHUNK_ROWS = 64


def opener(
    file: SqliteFile, pragmas: dict[str, str], *, writes: bool, creates: bool, busy_seconds: float
) -> Callable[[], Awaitable[Any]]:
    """Return the function that opens the connections of an engine; with `creates`, it creates a missing file."""

    def connect() -> FileConnection:
        if creates:
            file.create()
        return FileConnection.open(file, pragmas, writes=writes, busy_seconds=busy_seconds)

    async def open_connection() -> Any:
        return await Driver(connect, _CHUNK_ROWS)

    return open_connection


def prepare(engine: Engine) -> None:
    """Let SQLAlchemy terminate connections, and name the foreign key that failed."""
    dialect: Any = engine.dialect
    if not dialect.has_terminate:
        # Older SQLAlchemy cannot terminate an aiosqlite connection; its thread would block the exit of the process.
        dialect.has_terminate, dialect.do_terminate = True, _terminate
    event.listen(engine, "handle_error", _name_foreign_key)


def roll_back_returned(engine: Engine) -> None:
    """Roll back each connection that is returned to the pool or invalidated."""

    @event.listens_for(engine, "reset")
    def roll_back(connection: Any, _record: Any, state: Any) -> None:
        # After a COMMIT that failed SQLAlchemy takes the transaction for ended; SQLite keeps it open.
        if state.asyncio_safe and connection.driver_connection.in_transaction:
            connection.rollback()

    event.listen(engine, "invalidate", _roll_back_in_its_thread)
    event.listen(engine, "close", _roll_back_in_its_thread)
    event.listen(engine, "close_detached", _roll_back_in_its_thread)


def _terminate(connection: Any) -> None:
    terminate = getattr(connection, "terminate", None) or connection.driver_connection.stop
    terminate()


def _roll_back_in_its_thread(connection: Any, *_: Any) -> None:
    """Queue a ROLLBACK in the connection's thread, behind the statement of a cancelled task; nothing awaits it."""
    driver = connection.driver_connection

    def roll_back() -> None:
        if driver._connection is not None and driver._connection.in_transaction:
            driver._connection.rollback()

    driver._tx.put_nowait((None, roll_back))


def _name_foreign_key(context: ExceptionContext) -> None:
    """Give the error the name of the key that failed, as PostgreSQL does; SQLite keeps it to itself."""
    error: Any = context.original_exception
    execution: Any = context.execution_context
    if getattr(error, "sqlite_errorcode", None) != sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY or context.connection is None:
        return
    if execution is not None and (execution.isinsert or execution.isupdate):
        for key in execution.compiled.statement.table.foreign_key_constraints:
            if any(_leads_nowhere(context.connection, key, values) for values in execution.compiled_parameters):
                error.constraint_name = key.name


def _leads_nowhere(connection: Connection, key: ForeignKeyConstraint, values: dict[str, Any]) -> bool:
    # service.db.rows sets a column from a parameter of another name, as SQLAlchemy demands.
    sent = [values.get(column.key, values.get(f"new_{column.key}")) for column in key.columns]
    if None in sent:
        return False
    there = (each.column == value for each, value in zip(key.elements, sent, strict=True))
    return connection.scalar(select(true()).where(*there)) is None
