"""Tables and columns of the database under the names of a revision, compared as the database compares them."""

import warnings
from typing import Any

from sqlalchemy import Connection, inspect
from sqlalchemy.exc import SAWarning

from service.migrate.dialects.postgresql.tokens import truncated
from service.migrate.dialects.sqlite.tokens import lowered


def folded(database: str, name: str) -> str:
    """The same text for all spellings of one name: SQLite ignores case, PostgreSQL all but the first 63 bytes."""
    return lowered(name) if database == "sqlite" else truncated(name)


def table_name(connection: Connection, table: str) -> str | None:
    """The name of the table or view as the catalog has it; `None` without one."""
    if connection.dialect.name != "sqlite":
        return truncated(table) if inspect(connection).has_table(truncated(table)) else None
    asked = "SELECT name FROM sqlite_schema WHERE type IN ('table', 'view')"
    names = connection.exec_driver_sql(asked).scalars()
    return next((name for name in names if lowered(name) == lowered(table)), None)


def columns(connection: Connection, table: str) -> dict[str, Any]:
    """The columns of a table as SQLAlchemy reflects them, by their folded names; none without the table."""
    name = table_name(connection, table)
    with warnings.catch_warnings():
        # A type that SQLAlchemy does not know is no fault of the revision, which may leave the column alone.
        warnings.simplefilter("ignore", SAWarning)
        found = [] if name is None else inspect(connection).get_columns(name)
    return {folded(connection.dialect.name, each["name"]): each for each in found}


def primary_key(connection: Connection, table: str) -> list[str]:
    """The columns of the primary key; none without one."""
    name = table_name(connection, table)
    return [] if name is None else inspect(connection).get_pk_constraint(name)["constrained_columns"]
