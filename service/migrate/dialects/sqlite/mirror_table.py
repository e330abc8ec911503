"""Mirror tables: a copy of a table under another name, which triggers on both keep equal."""

from collections.abc import Iterator, Sequence

from sqlalchemy import Connection

from service.migrate import naming
from service.migrate.dialects.ddl import is_trash, literal
from service.migrate.dialects.sqlite import catalog
from service.migrate.dialects.sqlite.tokens import join, lowered, quoted, tokenize
from service.migrate.errors import Refused

_EVENTS = ("insert", "update", "delete")


def mirror(
    connection: Connection, table: str, name: str, *, columns: Sequence[str], key: Sequence[str]
) -> Iterator[str]:
    """Yield the statements that create the mirror table, copy the rows, and create the triggers on both tables.

    Raises:
        Refused: the table does not exist, `columns` are not exactly its columns, or a table is named NEW or OLD.
    """
    refuse_row_names(table, name)
    before = catalog.stored(connection, table)
    stored = {column.name: column for column in before.definition.columns}
    trash = [name for name in stored if is_trash(name)]
    if missing := {*stored} ^ {*map(lowered, columns), *trash}:
        names = ", ".join(sorted(missing))
        raise Refused(f"The columns that ops.rename_table lists differ from those of {table}: {names}.")
    # Columns in the trash are copied too; SQLite computes generated columns.
    written = [name for name in (*columns, *trash) if not stored[lowered(name)].clause("AS")]
    listed = ", ".join(map(quoted, written))
    yield _with_name(before.definition.sql, before.name, name)
    yield f"INSERT INTO {quoted(name)} ({listed}) SELECT {listed} FROM {quoted(before.name)}"
    sequence = catalog.sequence(connection, before.name) if before.definition.has_autoincrement else None
    if sequence is not None:
        yield f"DELETE FROM sqlite_sequence WHERE name = {literal(name)}"
        yield f"INSERT INTO sqlite_sequence (name, seq) VALUES ({literal(name)}, {sequence})"
    for index, sql in before.indexes.items():
        yield _with_name(_with_name(sql, index, f"{index}_twin"), before.name, name)
    for one, other in ((before.name, name), (name, before.name)):
        yield from _triggers(one, other, written, key)


def without_mirror(table: str, name: str) -> tuple[str, ...]:
    """The statements that drop the mirror table and all triggers."""
    drops = [f"DROP TRIGGER IF EXISTS {quoted(trigger_name(one, event))}" for one in (table, name) for event in _EVENTS]
    return (*drops, f"DROP TABLE IF EXISTS {quoted(name)}")


def _triggers(one: str, other: str, columns: Sequence[str], key: Sequence[str]) -> Iterator[str]:
    listed = ", ".join(map(quoted, columns))
    new = ", ".join(f"NEW.{quoted(each)}" for each in columns)
    same_new = " AND ".join(f"{quoted(each)} IS NEW.{quoted(each)}" for each in key)
    same_old = " AND ".join(f"{quoted(each)} IS OLD.{quoted(each)}" for each in key)
    # EXCEPT would compare by the collations of the columns, and take 1 and 1.0 for one value.
    same = " AND ".join(
        f"{each} COLLATE BINARY IS NEW.{each} AND typeof({each}) = typeof(NEW.{each})" for each in map(quoted, columns)
    )
    differs = f"NOT EXISTS (SELECT 1 FROM {quoted(other)} WHERE {same_new} AND {same})"
    yield (
        f"CREATE TRIGGER {quoted(trigger_name(one, 'insert'))} AFTER INSERT ON {quoted(one)} WHEN {differs} "
        f"BEGIN INSERT INTO {quoted(other)} ({listed}) VALUES ({new}); END"
    )
    yield (
        f"CREATE TRIGGER {quoted(trigger_name(one, 'update'))} AFTER UPDATE ON {quoted(one)} WHEN {differs} "
        f"BEGIN UPDATE {quoted(other)} SET ({listed}) = ({new}) WHERE {same_old}; END"
    )
    yield (
        f"CREATE TRIGGER {quoted(trigger_name(one, 'delete'))} AFTER DELETE ON {quoted(one)} "
        f"BEGIN DELETE FROM {quoted(other)} WHERE {same_old}; END"
    )


def refuse_row_names(*tables: str) -> None:
    """Raises Refused for a table named as the row in a trigger: SQLite would read NEW.a as the table's column."""
    if found := [table for table in tables if lowered(table) in ("new", "old")]:
        raise Refused(
            f"SQLite reads {found[0]}.a in a trigger as a column of the table {found[0]}, not of the row. "
            "Use another name."
        )


def trigger_name(table: str, event: str) -> str:
    return naming.owned(f"twin_{table}_{event}")


def _with_name(sql: str, name: str, other: str) -> str:
    """The CREATE statement with the first mention of `name` replaced by `other`."""
    tokens = tokenize(sql)
    for at, token in enumerate(tokens):
        if token.name == lowered(name):
            return join(tokens[:at]) + quoted(other) + join(tokens[at + 1 :])
    raise Refused(f"The stored statement does not contain the name {name}: {sql}")
