"""SQLite's catalog: tables, and the indexes, triggers and views that belong to or use them."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Row, text
from sqlalchemy.exc import DBAPIError

from service.migrate.dialects.kept import once
from service.migrate.dialects.sqlite.definition import Definition, parse
from service.migrate.dialects.sqlite.tokens import lowered, quoted, tokenize
from service.migrate.errors import Refused


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """A table, the CREATE statements of its indexes and triggers, and its dependents.

    `keyed` are the tables with foreign keys to or from it, `leaning` the views on it, `triggered` the tables and views
    with triggers that use it; `analyzed` says whether the planner has statistics of it.
    """

    name: str
    definition: Definition
    indexes: dict[str, str]
    triggers: dict[str, str]
    keyed: tuple[str, ...]
    leaning: tuple[str, ...]
    triggered: tuple[str, ...]
    analyzed: bool


def definition_text(connection: Connection, table: str) -> str | None:
    """The CREATE TABLE statement of a table; `None` if there is no such table."""
    return once(connection, "definitions", lambda: _definition_texts(connection)).get(lowered(table))


def _definition_texts(connection: Connection) -> dict[str, str]:
    rows = connection.exec_driver_sql("SELECT name, sql FROM sqlite_schema WHERE type = 'table'")
    return {lowered(row.name): row.sql for row in rows}


def stored(connection: Connection, table: str) -> Stored:
    """Raises Refused if there is no such table."""
    rows = connection.exec_driver_sql("SELECT type, name, tbl_name, sql FROM sqlite_schema").all()
    found = next((row for row in rows if row.type == "table" and lowered(row.name) == lowered(table)), None)
    if found is None:
        raise Refused(f"There is no table {table}.")
    # A trigger has the table's name as its own statement writes it.
    attached = [row for row in rows if lowered(row.tbl_name) == lowered(found.name) and row.sql is not None]
    leaning, triggered = _leaning(rows, found.name)
    return Stored(
        name=found.name,
        definition=parse(found.sql, found.name),
        indexes={row.name: row.sql for row in attached if row.type == "index"},
        triggers={row.name: row.sql for row in attached if row.type == "trigger"},
        keyed=tuple(row.name for row in rows if row.type == "table" and _is_keyed(row, found.name)),
        leaning=leaning,
        triggered=triggered,
        analyzed=any(row.name == "sqlite_stat1" for row in rows),
    )


def rowid_column(connection: Connection, table: str) -> str | None:
    """The column that is an alias of the rowid, if there is one."""
    key = [row for row in connection.exec_driver_sql(f"PRAGMA table_xinfo({quoted(table)})") if row.pk]
    if len(key) != 1 or key[0].type.upper() != "INTEGER":
        return None
    # INTEGER PRIMARY KEY DESC is no alias of the rowid.
    indexes = connection.exec_driver_sql(f"PRAGMA index_list({quoted(table)})").all()
    return None if any(index.origin == "pk" for index in indexes) else lowered(key[0].name)


def sequence(connection: Connection, table: str) -> int | None:
    """The highest id that AUTOINCREMENT has generated, if any."""
    query = text("SELECT seq FROM sqlite_sequence WHERE name = :table")
    found: int | None = connection.execute(query, {"table": table}).scalar()
    return found


def enforces_foreign_keys(connection: Connection) -> bool:
    return bool(connection.exec_driver_sql("PRAGMA foreign_keys").scalar())


def dangling_rows(connection: Connection, tables: Iterable[str] | None = None) -> Counter[str]:
    """The number of rows that violate a foreign key, by child and parent, in these tables or in all."""
    scopes = [""] if tables is None else [f"({quoted(table)})" for table in tables]
    found: Counter[str] = Counter()
    for scope in scopes:
        rows = connection.exec_driver_sql(f"PRAGMA foreign_key_check{scope}")
        found.update(f"{row[0]} to {row[2]}" for row in rows)
    return found


def faults(connection: Connection, table: Stored) -> dict[str, str]:
    """SQLite's error for each view and trigger on the table that fails to compile now."""
    found = {}
    trials = [(f"the view {view}", f"SELECT * FROM {quoted(view)} LIMIT 0") for view in table.leaning]
    for other in table.triggered:
        trials += [(f"a trigger of {other}", statement) for statement in _compiling(connection, other)]
    for thing, statement in trials:
        # Run for no rows, not EXPLAINed: a cached EXPLAIN of a trigger crashes SQLite 3.40 after a schema change.
        try:
            connection.exec_driver_sql(statement).close()
        except DBAPIError as error:
            found[thing] = str(error.orig)
    return found


def index_uses(sql: str, column: str) -> bool:
    """Whether a CREATE INDEX statement names the column."""
    behind_the_table = sql[sql.index("(") :]
    return any(token.name == lowered(column) for token in tokenize(behind_the_table) if token.kind != "string")


def _is_keyed(row: Row[Any], table: str) -> bool:
    sql = row.sql or ""
    return "REFERENCES" in sql.upper() and lowered(table) in _names_with_keys(sql)


@lru_cache(maxsize=256)
def _names_with_keys(sql: str) -> frozenset[str]:
    """The names in a CREATE TABLE statement that has foreign keys; empty for any other."""
    tokens = tokenize(sql)
    if not any(token.keyword == "REFERENCES" for token in tokens):
        return frozenset()
    return frozenset(token.name for token in tokens)


def _leaning(rows: Sequence[Row[Any]], table: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The views and tables with triggers that use the table, directly or through a view."""
    unseen = {
        row: {token.name for token in tokenize(row.sql)} for row in rows if row.type in ("view", "trigger") and row.sql
    }
    mentioned = {lowered(table)}
    views: list[str] = []
    triggered: dict[str, None] = {}
    while touched := [row for row, names in unseen.items() if names & mentioned]:
        for row in touched:
            del unseen[row]
            if row.type == "view":
                mentioned.add(lowered(row.name))
                views.append(row.name)
            else:
                triggered[row.tbl_name] = None
    return tuple(views), tuple(triggered)


def _compiling(connection: Connection, table: str) -> list[str]:
    return setting_off_triggers(connection.exec_driver_sql(f"PRAGMA table_xinfo({quoted(table)})").all(), table)


def setting_off_triggers(rows: Iterable[Sequence[Any]], table: str) -> list[str]:
    """Statements that make SQLite compile every trigger of a table, for no row; `rows` are those of table_xinfo."""
    name = quoted(table)
    columns = [quoted(row[1]) for row in rows if row[6] not in (2, 3)]
    listed = ", ".join(columns)
    settings = ", ".join(f"{column} = {column}" for column in columns)
    return [
        f"INSERT INTO {name} ({listed}) SELECT {listed} FROM {name} WHERE 0",
        f"UPDATE {name} SET {settings} WHERE 0",
        f"DELETE FROM {name} WHERE 0",
    ]
