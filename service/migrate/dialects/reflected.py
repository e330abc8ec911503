"""Tables and columns of the database under the names of a revision, compared as the database compares them."""

import warnings
from typing import Any

from sqlalchemy import Connection, Inspector, inspect
from sqlalchemy.exc import SAWarning

from service.migrate.dialects.kept import once
from service.migrate.dialects.postgresql.tokens import truncated
from service.migrate.dialects.sqlite.tokens import lowered


def folded(database: str, name: str) -> str:
    """The same text for all spellings of one name: SQLite ignores case, PostgreSQL all but the first 63 bytes."""
    return lowered(name) if database == "sqlite" else truncated(name)


def table_name(connection: Connection, table: str) -> str | None:
    """The name of the table or view as the catalog has it; `None` without one."""
    if connection.dialect.name != "sqlite":
        name = truncated(table)
        is_there = once(connection, ("has_table", name), lambda: inspector(connection).has_table(name))
        return name if is_there else None
    return once(connection, "names", lambda: _names_on_sqlite(connection)).get(lowered(table))


def _names_on_sqlite(connection: Connection) -> dict[str, str]:
    asked = "SELECT name FROM sqlite_schema WHERE type IN ('table', 'view')"
    return {lowered(name): name for name in connection.exec_driver_sql(asked).scalars()}


def inspector(connection: Connection) -> Inspector:
    """SQLAlchemy's inspector, which keeps what it has read."""
    return once(connection, "inspector", lambda: inspect(connection))


def columns(connection: Connection, table: str) -> dict[str, Any]:
    """The columns of a table as SQLAlchemy reflects them, by their folded names; none without the table."""
    name = table_name(connection, table)
    with warnings.catch_warnings():
        # A type that SQLAlchemy does not know is no fault of the revision, which may leave the column alone.
        warnings.simplefilter("ignore", SAWarning)
        found = [] if name is None else inspector(connection).get_columns(name)
    return {folded(connection.dialect.name, each["name"]): each for each in found}


def primary_key(connection: Connection, table: str) -> list[str]:
    """The columns of the primary key; none without one."""
    name = table_name(connection, table)
    return [] if name is None else inspector(connection).get_pk_constraint(name)["constrained_columns"]
