"""Alembic's operations for PostgreSQL, with defaults compared as PostgreSQL itself writes them."""

from typing import Any

from alembic.ddl.postgresql import PostgresqlImpl
from sqlalchemy import Column, Connection
from sqlalchemy.exc import DBAPIError

from service.migrate.dialects import ddl

_PROBE = "_migration_probe"
_WRITTEN = f"SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef WHERE adrelid = 'pg_temp.{_PROBE}'::regclass"


class ExactPostgreSQL(PostgresqlImpl):
    """Importing this class replaces Alembic's, which fails on a default with a quote, and on one of type json."""

    __dialect__ = "postgresql"

    def compare_server_default(
        self,
        inspector_column: Column[Any],
        metadata_column: Column[Any],
        rendered_metadata_default: str | None,
        rendered_inspector_default: str | None,
    ) -> bool:
        """Whether the defaults differ, in their text and in their values."""
        there, connection = rendered_inspector_default, self.connection
        wanted = ddl.default_text(metadata_column, "postgresql")
        if there is None or wanted is None or connection is None or wanted == there:
            compare: Any = super().compare_server_default
            return bool(
                compare(inspector_column, metadata_column, rendered_metadata_default, rendered_inspector_default)
            )
        if metadata_column.primary_key and metadata_column is metadata_column.table.autoincrement_column:
            return False
        written = _written(connection, metadata_column)
        return written != there and _has_other_value(connection, there, written or wanted)


def _written(connection: Connection, column: Column[Any]) -> str | None:
    """The default as PostgreSQL writes it; `None` if it cannot be set, or nothing may be created."""
    if connection.exec_driver_sql("SHOW transaction_read_only").scalar() == "on":
        # The error of a write would close the connection of an engine that only reads.
        return None
    nested = connection.begin_nested()
    try:
        text = ddl.column_text(column, "postgresql")
        connection.exec_driver_sql(f"CREATE TEMPORARY TABLE {_PROBE} ({text})")
        found: str | None = connection.exec_driver_sql(_WRITTEN).scalar()
    except DBAPIError:
        return None
    finally:
        nested.rollback()
    return found


def _has_other_value(connection: Connection, one: str, other: str) -> bool:
    """Whether the values differ; a number of a sequence would be taken by asking."""
    if "nextval(" in one or "nextval(" in other:
        return True
    nested = connection.begin_nested()
    try:
        asked = f"SELECT CAST({one} AS text) IS DISTINCT FROM CAST({other} AS text)"
        return bool(connection.exec_driver_sql(asked).scalar())
    except DBAPIError:
        return True
    finally:
        nested.rollback()
