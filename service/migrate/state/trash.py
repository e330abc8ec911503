"""The trash: columns and tables that contracts and downgrades renamed out of use."""

import re
from dataclasses import dataclass

from sqlalchemy import Connection

from service.migrate.dialects import ddl
from service.migrate.dialects.kept import once

_NAMED = re.compile(r"_trash_(\d{4}|[0-9a-f]{12})_(.+)")
# Columns, and tables without a column.
_ITEMS = {
    "sqlite": "SELECT s.name, c.name FROM sqlite_schema AS s, pragma_table_xinfo(s.name) AS c "
    "WHERE s.type = 'table' AND c.name LIKE '\\_trash\\_%' ESCAPE '\\' UNION ALL "
    "SELECT name, NULL FROM sqlite_schema WHERE type = 'table' AND name LIKE '\\_trash\\_%' ESCAPE '\\'",
    "postgresql": "WITH here AS (SELECT oid, relname FROM pg_class "
    "WHERE relnamespace = (SELECT quote_ident(current_schema())::regnamespace) AND relkind IN ('r', 'p')) "
    "SELECT relname, attname FROM pg_attribute JOIN here ON here.oid = attrelid "
    "WHERE NOT attisdropped AND attname LIKE '\\_trash\\_%' UNION ALL "
    "SELECT relname, NULL FROM here WHERE relname LIKE '\\_trash\\_%'",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A table in the trash, or a column of `table`, removed by the revision of this tag."""

    tag: str
    table: str
    column: str | None
    name: str

    @property
    def described(self) -> str:
        """Its name before it was removed."""
        return self.name if self.column is None else f"{self.table}.{self.name}"


def items(connection: Connection) -> list[Item]:
    """Everything in the trash, columns first."""
    return once(connection, "trash", lambda: _items(connection))


def _items(connection: Connection) -> list[Item]:
    found = []
    rows = connection.exec_driver_sql(_ITEMS[connection.dialect.name]).all()
    for table, column in sorted(rows, key=lambda row: (row[1] is None, *map(str, row))):
        if match := _NAMED.fullmatch(table if column is None else column):
            found.append(Item(tag=match[1], table=table, column=column, name=match[2]))
    return found


def original_name(name: str) -> str | None:
    """What a column or a table in the trash was named before; `None` for another name."""
    match = _NAMED.fullmatch(name)
    return match[2] if match else None


def size(connection: Connection, item: Item) -> int:
    """The number of values or rows that a purge of the item deletes."""
    counted = "*" if item.column is None else ddl.quoted(item.column)
    count: int = connection.exec_driver_sql(f"SELECT count({counted}) FROM {ddl.quoted(item.table)}").scalar_one()
    return count
