"""Which of several tables a database has, in one statement."""

from collections.abc import Collection

from sqlalchemy import Connection

_ASKED = {
    "postgresql": (
        "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND pg_table_is_visible(oid) AND relname IN ({})"
    ),
    "sqlite": "SELECT name FROM sqlite_schema WHERE type = 'table' AND name IN ({})",
}


def tables_there(connection: Connection, names: Collection[str]) -> set[str]:
    """Those of the names that are tables on the search path; the names need no quotes."""
    listed = ", ".join(f"'{name}'" for name in sorted(names))
    return set(connection.exec_driver_sql(_ASKED[connection.dialect.name].format(listed)).scalars())
