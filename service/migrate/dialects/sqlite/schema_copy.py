"""An empty copy of a SQLite schema, on which a statement is tried to see what depends on a table or a column."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any

from sqlalchemy import Connection, Row

from service.migrate import naming
from service.migrate.dialects.sqlite import catalog
from service.migrate.dialects.sqlite.tokens import lowered, quoted, tokenize
from service.migrate.errors import Refused

_SCHEMA = (
    "SELECT type, name, sql FROM sqlite_schema "
    "WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY rowid"
)


def rewritten(connection: Connection, statement: str) -> list[Row[Any]]:
    """The objects whose stored text a statement changes, without the migrator's own."""
    before = connection.exec_driver_sql(_SCHEMA).all()
    with _copied(connection, before, statement) as copy:
        _run(copy, statement, statement)
        after = {text for (text,) in copy.execute(_SCHEMA.replace("type, name, sql", "sql"))}
    left_out = _of_kind(connection, "virtual") | _of_kind(connection, "shadow")
    prefix = naming.current().prefix
    return [
        row for row in before if row.sql not in after and not row.name.startswith(prefix) and row.name not in left_out
    ]


def renamed_columns(connection: Connection, statement: str) -> list[str]:
    """The views whose columns a statement renames, such as those of SELECT *."""
    before = connection.exec_driver_sql(_SCHEMA).all()
    views = [row.name for row in before if row.type == "view"]
    if not views:
        return []
    with _copied(connection, before, statement) as copy:
        was = {view: _columns(copy, view) for view in views}
        _run(copy, statement, statement)
        return [view for view in views if _columns(copy, view) != was[view]]


def broken(connection: Connection, statement: str) -> list[str]:
    """The triggers and views that no longer compile after a statement: INSERT INTO log SELECT * FROM t."""
    rows = connection.exec_driver_sql(_SCHEMA).all()
    dependent = [row for row in rows if row.type in ("trigger", "view")]
    if not dependent:
        return []
    with _copied(connection, rows, statement) as copy:
        before = {row.name: _fault(copy, row) for row in dependent}
        _run(copy, statement, statement)
        return [f"the {row.type} {row.name}" for row in dependent if _fault(copy, row) and not before[row.name]]


def virtual_over(connection: Connection, table: str, column: str | None = None) -> list[str]:
    """The virtual tables whose definition names the table, and the column if one is given: fts5(city, content=t)."""
    wanted = {lowered(name) for name in (table, column) if name is not None}
    rows = connection.exec_driver_sql(_SCHEMA).all()
    virtual = _of_kind(connection, "virtual")
    return [row.name for row in rows if row.name in virtual and wanted <= _names(row.sql)]


@contextmanager
def _copied(connection: Connection, rows: Sequence[Row[Any]], statement: str) -> Iterator[sqlite3.Connection]:
    virtual, shadow = _of_kind(connection, "virtual"), _of_kind(connection, "shadow")
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as copy:
        for row in sorted(rows, key=lambda row: row.type != "table"):
            if row.name in virtual:
                # Creating a virtual table needs its module; its triggers and views need its columns alone.
                _run(copy, _stand_in(connection, row.name), statement)
            elif row.name not in shadow:
                _run(copy, row.sql, statement)
        yield copy


def _run(copy: sqlite3.Connection, sql: str, statement: str) -> None:
    try:
        copy.execute(sql)
    except sqlite3.Error as error:
        raise Refused(
            f"SQLite cannot run the stored schema with `{statement}`: {error}. Drop or mend the object it names."
        ) from error


def _fault(copy: sqlite3.Connection, row: Row[Any]) -> str:
    """SQLite's error when it compiles the view, or the trigger without the others of its table; empty without one."""
    copy.execute("BEGIN")
    try:
        if row.type == "view":
            copy.execute(f"SELECT * FROM {quoted(row.name)} LIMIT 0")
            return ""
        (table,) = copy.execute("SELECT tbl_name FROM sqlite_schema WHERE name = ?", (row.name,)).fetchone()
        for (other,) in copy.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'").fetchall():
            if other != row.name:
                copy.execute(f"DROP TRIGGER {quoted(other)}")
        for setting_off in catalog.setting_off_triggers(copy.execute(f"PRAGMA table_xinfo({quoted(table)})"), table):
            copy.execute(setting_off)
    except sqlite3.Error as error:
        return str(error)
    finally:
        copy.execute("ROLLBACK")
    return ""


def _columns(copy: sqlite3.Connection, view: str) -> list[str]:
    try:
        return [row[1] for row in copy.execute(f"PRAGMA table_xinfo({quoted(view)})")]
    except sqlite3.Error:
        return []


def _of_kind(connection: Connection, kind: str) -> set[str]:
    """The tables of a kind; a virtual table keeps its data in shadow tables."""
    asked = f"SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = '{kind}'"
    return set(connection.exec_driver_sql(asked).scalars())


def _stand_in(connection: Connection, table: str) -> str:
    columns = connection.exec_driver_sql(f"PRAGMA table_xinfo({quoted(table)})").all()
    return f"CREATE TABLE {quoted(table)} ({', '.join(quoted(row.name) for row in columns)})"


def _names(sql: str) -> set[str]:
    return {token.name for token in tokenize(sql)} - {""}
