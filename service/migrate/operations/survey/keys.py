"""The key of an operation: the columns by which batches and triggers find exactly one row."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection

from service.migrate.dialects import ddl, reflected
from service.migrate.dialects.attributes import Attribute, Found
from service.migrate.dialects.reflected import folded

_POSTGRESQL = """
SELECT indexrelid, attname FROM pg_index, unnest(indkey) WITH ORDINALITY AS keys (number, place)
LEFT JOIN pg_attribute ON attnum = number AND attrelid = {table} AND attnum > 0
WHERE indrelid = {table} AND indisunique AND indisvalid AND indpred IS NULL AND place <= indnkeyatts
"""
_SQLITE = """
SELECT i.name, c.name FROM pragma_index_list({table}) AS i, pragma_index_info(i.name) AS c
WHERE i."unique" AND NOT i.partial
"""
# A column of these is never NULL, also without NOT NULL.
_NEVER_NULL = {Attribute.ROWID, Attribute.AUTOINCREMENT}


def fault(
    connection: Connection, table: str, key: tuple[str, ...], found: Iterable[Found], *, is_unique: bool
) -> str | None:
    """Why no batch or trigger would find a row by these columns, or more than one; `None` if the key is right."""
    database = connection.dialect.name
    columns = reflected.columns(connection, table)
    wanted = {folded(database, name) for name in key}
    if not wanted <= columns.keys():
        return None
    known = list(found)
    filled = {folded(database, each.column) for each in known if each.column and each.attribute in _NEVER_NULL}
    if any(each.attribute is Attribute.WITHOUT_ROWID for each in known):
        filled |= {folded(database, name) for name in reflected.primary_key(connection, table)}
    if empty := sorted(name for name in wanted if columns[name]["nullable"] and name not in filled):
        return f"{', '.join(empty)} may be NULL, and no batch or trigger would find such a row"
    if is_unique and not any(
        {folded(database, name) for name in unique} <= wanted for unique in _unique(connection, table)
    ):
        return f"no unique constraint is on {', '.join(key)}, so that several rows may have the same key"
    return None


def _unique(connection: Connection, table: str) -> list[set[str]]:
    """The columns of the primary key, and of each unique index on plain columns and all rows."""
    name = reflected.table_name(connection, table) or table
    if connection.dialect.name == "sqlite":
        asked = _SQLITE.format(table=ddl.literal(name))
    else:
        asked = _POSTGRESQL.format(table=ddl.regclass(name))
    found: dict[Any, set[str | None]] = defaultdict(set)
    for index, column in connection.exec_driver_sql(asked):
        found[index].add(column)
    primary = set(reflected.primary_key(connection, table))
    plain = [{each for each in columns if each is not None} for columns in found.values() if None not in columns]
    return [primary, *plain] if primary else plain
