"""What is on a table: the one place that asks the catalog of either database."""

from sqlalchemy import Connection

from service.migrate.dialects.attributes import Found
from service.migrate.dialects.kept import once
from service.migrate.dialects.postgresql.inventory import inventory as on_postgresql
from service.migrate.dialects.sqlite.inventory import inventory as on_sqlite


def inventory(connection: Connection, table: str) -> list[Found]:
    """Every attribute of the table and its columns; empty if there is no such table."""
    of = on_sqlite if connection.dialect.name == "sqlite" else on_postgresql
    return once(connection, ("inventory", table), lambda: of(connection, table))
