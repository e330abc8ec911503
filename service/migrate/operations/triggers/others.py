"""Triggers of others on a table that has a trigger of the migrator: those that the migrator's cannot meet."""

import re
from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection

from service.migrate import naming
from service.migrate.dialects import ddl, predicates
from service.migrate.dialects.sqlite.tokens import Token, lowered, tokenize
from service.migrate.operations import dependents
from service.migrate.operations.step import CATALOG, Precondition, Target
from service.migrate.operations.triggers.trigger import Rank, trigger_name

# tgtype: https://github.com/postgres/postgres/blob/REL_18_STABLE/src/include/catalog/pg_trigger.h
_BEFORE_ROW = "(tgtype & 3) = 3 AND (tgtype & 20) <> 0"
_TRIGGERS = f"""
SELECT tgname AS name, p.oid::regprocedure::text AS function, prosrc AS body, proname AS of, {_BEFORE_ROW} AS is_before,
       substring(pg_get_triggerdef(t.oid) FROM ' FOR EACH (?:ROW|STATEMENT) (.*)$') AS definition, ARRAY(
         SELECT attname::text FROM pg_attribute WHERE attrelid = tgrelid AND attnum = ANY(tgattr)) AS columns
FROM pg_trigger t JOIN pg_proc p ON p.oid = tgfoid
WHERE NOT tgisinternal AND tgrelid IN (
  SELECT {{table}} UNION SELECT relid FROM pg_partition_tree({{table}}))
ORDER BY 1
"""
_ON_SQLITE = "SELECT name, tbl_name, sql FROM sqlite_schema WHERE type = 'trigger' ORDER BY name"


def fires_last(target: Target, table: str, name: str, rank: Rank) -> Precondition:
    """No trigger of others changes a row after the migrator's trigger read the row."""
    if target.is_sqlite:
        return none_ignores(table)
    own = trigger_name(target, name, rank)

    def find(connection: Connection) -> list[tuple[Any, ...]]:
        return [
            (dependents.trigger(row.name), f"the function {row.function}")
            for row in _others(connection, table)
            if row.is_before and row.name.encode() > own.encode()
        ]

    why = f"{table} has triggers that may change a row after {own} has read it"
    cure = f"Drop them, or rename each trigger so that its name sorts before {own}"
    return Precondition(why=why, rows=find, table=table, cure=cure, script=CATALOG)


def none_ignores(table: str) -> Precondition:
    """SQLite: no trigger calls RAISE(IGNORE), which also abandons the triggers that were still to fire."""

    def find(connection: Connection) -> list[tuple[Any, ...]]:
        return [(dependents.trigger(name),) for name in _ignoring(connection, table)]

    why = f"{table} has triggers that call RAISE(IGNORE), which would also skip the migrator's triggers"
    return Precondition(why=why, rows=find, table=table, cure="Drop them, or call RAISE(ABORT, …)", script=CATALOG)


def fires_alike(target: Target, table: str, column: str, new: str) -> Precondition:
    """What fires on a write of the column fires on a write of its new name too."""

    def find(connection: Connection) -> list[tuple[Any, ...]]:
        if target.is_sqlite:
            return [(dependents.trigger(name),) for name in _blind_on_sqlite(connection, table, column)]
        return [
            (dependents.trigger(row.name), f"the function {row.function}")
            for row in _others(connection, table)
            if column in row.columns or (row.is_before and _mentions(f"{row.definition} {row.body}", column))
        ]

    why = f"A write of {table}.{new} does not reach triggers that read or write {table}.{column}"
    cure = "Drop them in upgrade(), or write each as an AFTER trigger without UPDATE OF"
    if target.is_sqlite:
        cure = f"Drop them in upgrade(), or write each as AFTER UPDATE OF {column}, without a write of {table}"
    return Precondition(why=why, rows=find, table=table, needs=(column,), cure=cure, script=CATALOG)


def is_not_being_renamed(table: str, column: str) -> Precondition:
    """PostgreSQL: the column is not the new name of another one; triggers copy a value one step, in one order."""

    def find(connection: Connection) -> list[tuple[Any, ...]]:
        own = ddl.inner_name(naming.owned(f"sync_{table}_{column}"))
        there = connection.exec_driver_sql(predicates.has_trigger_of(table, own)).scalar()
        return [(dependents.trigger(own),)] if there else []

    why = f"{table}.{column} is the new name of a column that is being renamed"
    cure = "Run the contract of that rename before"
    return Precondition(why=why, rows=find, table=table, needs=(column,), cure=cure, script=CATALOG)


def default_is_free(table: str, column: str) -> Precondition:
    """No trigger of a rename compares the column with its default."""

    def find(connection: Connection) -> list[tuple[Any, ...]]:
        own = naming.owned("sync_")
        if connection.dialect.name == "sqlite":
            found = [(row.name, row.tbl_name, row.sql) for row in connection.exec_driver_sql(_ON_SQLITE)]
        else:
            asked = _TRIGGERS.format(table=ddl.regclass(table))
            found = [(row.of, table, row.body) for row in connection.exec_driver_sql(asked)]
        return [
            (dependents.trigger(name),)
            for name, on, text in found
            if name.startswith(own) and lowered(on) == lowered(table) and _mentions(text, column)
        ]

    why = f"{table}.{column} is being renamed, and a trigger knows by its default whether it was written"
    cure = "Run the contract of the rename before, or give ops.rename_column the default"
    return Precondition(why=why, rows=find, table=table, needs=(column,), cure=cure, script=CATALOG)


def _others(connection: Connection, table: str) -> list[Any]:
    found = connection.exec_driver_sql(_TRIGGERS.format(table=ddl.regclass(table))).all()
    return [row for row in found if not row.of.startswith(naming.current().prefix)]


def _mentions(text: str, column: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(column)}(?!\w)", text, re.IGNORECASE) is not None


def _ignoring(connection: Connection, table: str) -> Iterator[str]:
    for row, words in _on_sqlite(connection, table):
        keywords = [word.keyword or word.text for word in words]
        if any(keywords[at : at + 3] == ["RAISE", "(", "IGNORE"] for at in range(len(keywords))):
            yield row.name


def _blind_on_sqlite(connection: Connection, table: str, column: str) -> Iterator[str]:
    """A trigger's row has the value of the new name only once the migrator's AFTER trigger has run."""
    for row, words in _on_sqlite(connection, table):
        names = [word.name for word in words]
        keywords = [word.keyword for word in words]
        on = keywords.index("ON")
        is_after_column = keywords[on - 4 : on - 1] == ["AFTER", "UPDATE", "OF"] and names[on - 1] == lowered(column)
        writes_table = lowered(table) in names[on + 2 :]
        if lowered(column) in names and not (is_after_column and not writes_table):
            yield row.name


def _on_sqlite(connection: Connection, table: str) -> Iterator[tuple[Any, list[Token]]]:
    """The table's triggers on INSERT and UPDATE, except the migrator's, and the tokens of each."""
    for row in connection.exec_driver_sql(_ON_SQLITE):
        is_other = not row.name.startswith(naming.current().prefix)
        if is_other and lowered(row.tbl_name) == lowered(table):
            words = [token for token in tokenize(row.sql) if token.kind != "gap"]
            event = next(word.keyword for word in words if word.keyword in ("INSERT", "UPDATE", "DELETE"))
            if event != "DELETE":
                yield row, words
