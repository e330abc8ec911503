"""The key of an operation: the columns by which batches and triggers find exactly one row."""

from collections.abc import Iterable, Iterator

from sqlalchemy import Connection, inspect

from service.migrate.dialects import reflected
from service.migrate.dialects.attributes import Attribute, Found
from service.migrate.dialects.reflected import folded

# A column of these is never NULL, also without NOT NULL.
_NEVER_NULL = {Attribute.ROWID, Attribute.AUTOINCREMENT}


def fault(connection: Connection, table: str, key: tuple[str, ...], found: Iterable[Found]) -> str | None:
    """Why no batch or trigger would find exactly one row by these columns; `None` if the key is right."""
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
    if not any({folded(database, name) for name in unique} <= wanted for unique in _unique(connection, table)):
        return f"no unique constraint is on {', '.join(key)}, so that several rows may have the same key"
    return None


def _unique(connection: Connection, table: str) -> Iterator[list[str]]:
    """The columns of the primary key, and of each unique constraint and unique index without a condition."""
    name = reflected.table_name(connection, table)
    if name is None:
        return
    inspector = inspect(connection)
    if primary := reflected.primary_key(connection, table):
        yield primary
    yield from (each["column_names"] for each in inspector.get_unique_constraints(name))
    for index in inspector.get_indexes(name):
        names = [each for each in index["column_names"] if each is not None]
        is_whole = len(names) == len(index["column_names"])
        if index["unique"] and is_whole and not any(key.endswith("_where") for key in index.get("dialect_options", {})):
            yield names
