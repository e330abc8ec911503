"""Alembic's operations for PostgreSQL, with defaults compared as PostgreSQL itself writes them."""

from typing import Any

from alembic.ddl.postgresql import PostgresqlImpl
from sqlalchemy import FLOAT, REAL, Column, Connection, Float
from sqlalchemy.exc import DBAPIError

from service.migrate.dialects import ddl

# In binary digits.
_LONGEST_REAL = 24
_PROBE = "_migration_probe"
_WRITTEN = f"SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef WHERE adrelid = 'pg_temp.{_PROBE}'::regclass"


class ExactPostgreSQL(PostgresqlImpl):
    """Importing this class replaces Alembic's, which fails on a default with a quote, and on one of type json."""

    __dialect__ = "postgresql"

    def compare_type(self, inspector_column: Column[Any], metadata_column: Column[Any]) -> bool:
        """Whether the types differ; PostgreSQL stores FLOAT(1) to FLOAT(24) as REAL."""
        there, wanted = inspector_column.type, metadata_column.type
        if type(wanted) in (Float, FLOAT) and 0 < (getattr(wanted, "precision", None) or 0) <= _LONGEST_REAL:
            return not isinstance(there, REAL)
        return bool(super().compare_type(inspector_column, metadata_column))

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
        if there is None and wanted is not None and wanted.strip("() ").upper() == "NULL":
            return False
        if there is None or wanted is None or connection is None or wanted == there:
            compare: Any = super().compare_server_default
            return bool(
                compare(inspector_column, metadata_column, rendered_metadata_default, rendered_inspector_default)
            )
        if metadata_column.primary_key and metadata_column is metadata_column.table.autoincrement_column:
            return False
        written = _written(connection, metadata_column)
        kind = metadata_column.type.compile(dialect=self.dialect)
        return written != there and _has_other_value(connection, there, written or wanted, kind)


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


def _has_other_value(connection: Connection, one: str, other: str, kind: str) -> bool:
    """Whether the values of this type differ; a number of a sequence would be taken by asking."""
    if one.replace("::regclass", "") == other.replace("::regclass", ""):
        return False
    if "nextval(" in one or "nextval(" in other:
        return True
    nested = connection.begin_nested()
    try:
        one, other = (f"CAST(CAST({each} AS {kind}) AS text)" for each in (one, other))
        asked = f"SELECT {one} IS DISTINCT FROM {other}"
        return bool(connection.exec_driver_sql(asked).scalar())
    except DBAPIError:
        return True
    finally:
        nested.rollback()
