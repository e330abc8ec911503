"""The version of a row, which counts the changes of what callers read."""

from sqlalchemy import Connection

from service.migrate import naming
from service.migrate.dialects import ddl, predicates


def counted_change(connection: Connection, table: str) -> str:
    """The rest of a SET clause that counts a change of the row; empty if the table has no version."""
    name = naming.current().version_column
    if not name or not connection.exec_driver_sql(has_version(connection.dialect.name, table)).scalar():
        return ""
    return f", {setting()}"


def has_version(database: str, table: str) -> str:
    """A query: whether the rows of the table have a version."""
    return predicates.has_column(database, table, naming.current().version_column)


def setting() -> str:
    name = ddl.quoted(naming.current().version_column)
    return f"{name} = {name} + 1"
