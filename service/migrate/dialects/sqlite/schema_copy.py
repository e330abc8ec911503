"""An empty copy of a SQLite schema, on which a statement is tried to see what depends on a table or a column."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any

from sqlalchemy import Connection, Row

from service.migrate import naming
from service.migrate.dialects.kept import once, opened
from service.migrate.dialects.sqlite import catalog
from service.migrate.dialects.sqlite.tokens import lowered, quoted, tokenize
from service.migrate.errors import Refused

_SCHEMA = (
    "SELECT type, name, sql FROM sqlite_schema "
    "WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY rowid"
)


def rewritten(connection: Connection, statement: str) -> list[Row[Any]]:
    """The objects whose stored text a statement changes, without the migrator's own."""
    before = _rows(connection)
    with _copied(connection, statement) as copy:
        _run(copy, statement, statement)
        after = {text for (text,) in copy.execute(_SCHEMA.replace("type, name, sql", "sql"))}
    left_out = _of_kind(connection, "virtual") | _of_kind(connection, "shadow")
    prefix = naming.current().prefix
    return [
        row for row in before if row.sql not in after and not row.name.startswith(prefix) and row.name not in left_out
    ]


def renamed_columns(connection: Connection, statement: str) -> list[str]:
    """The views whose columns a statement renames, such as those of SELECT *."""
    views = [row.name for row in _rows(connection) if row.type == "view"]
    if not views:
        return []
    with _copied(connection, statement) as copy:
        was = {view: _columns(copy, view) for view in views}
        _run(copy, statement, statement)
        return [view for view in views if _columns(copy, view) != was[view]]


def broken(connection: Connection, statement: str) -> list[str]:
    """The triggers and views that no longer compile after a statement: INSERT INTO log SELECT * FROM t."""
    return once(connection, ("broken", statement), lambda: _broken(connection, statement))


def _broken(connection: Connection, statement: str) -> list[str]:
    dependent = [row for row in _rows(connection) if row.type in ("trigger", "view")]
    if not dependent:
        return []
    with _copied(connection, statement) as copy:
        before = once(connection, "faults", lambda: _faults(copy, dependent))
        _run(copy, statement, statement)
        after = _faults(copy, dependent)
    return [f"the {row.type} {row.name}" for row in dependent if after[row.name] and not before[row.name]]


def virtual_over(connection: Connection, table: str, column: str | None = None) -> list[str]:
    """The virtual tables whose definition names the table, and the column if one is given: fts5(city, content=t)."""
    wanted = {lowered(name) for name in (table, column) if name is not None}
    virtual = _of_kind(connection, "virtual")
    return [row.name for row in _rows(connection) if row.name in virtual and wanted <= _names(row.sql)]


def _rows(connection: Connection) -> Sequence[Row[Any]]:
    return once(connection, "schema", lambda: connection.exec_driver_sql(_SCHEMA).all())


@contextmanager
def _copied(connection: Connection, statement: str) -> Iterator[sqlite3.Connection]:
    """A copy for one statement, which is rolled back at the end."""
    with opened(connection, "copy", lambda: _copy(connection, statement)) as copy:
        copy.execute("BEGIN")
        try:
            yield copy
        finally:
            copy.execute("ROLLBACK")


@contextmanager
def _copy(connection: Connection, statement: str) -> Iterator[sqlite3.Connection]:
    virtual, shadow = _of_kind(connection, "virtual"), _of_kind(connection, "shadow")
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as copy:
        for row in sorted(_rows(connection), key=lambda row: row.type != "table"):
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


def _faults(copy: sqlite3.Connection, dependent: Sequence[Row[Any]]) -> dict[str, str]:
    """SQLite's error when it compiles each view and each trigger; empty without one."""
    triggers = dict(copy.execute("SELECT name, tbl_name FROM sqlite_schema WHERE type = 'trigger'").fetchall())
    # Where all triggers of a table compile together, each of them does.
    faulty = {table: bool(_fault_of_table(copy, table)) for table in set(triggers.values())}
    found = {}
    for row in dependent:
        if row.type == "view":
            found[row.name] = _tried(copy, [f"SELECT * FROM {quoted(row.name)} LIMIT 0"])
        else:
            table = triggers[row.name]
            others = [other for other in triggers if other != row.name]
            found[row.name] = _fault_of_table(copy, table, without=others) if faulty[table] else ""
    return found


def _fault_of_table(copy: sqlite3.Connection, table: str, without: Sequence[str] = ()) -> str:
    """SQLite's error when it compiles the triggers of a table, after these triggers are dropped."""
    try:
        columns = copy.execute(f"PRAGMA table_xinfo({quoted(table)})").fetchall()
    except sqlite3.Error as error:
        # A view that does not compile has no columns.
        return str(error)
    dropped = [f"DROP TRIGGER {quoted(name)}" for name in without]
    return _tried(copy, [*dropped, *catalog.setting_off_triggers(columns, table)])


def _tried(copy: sqlite3.Connection, statements: Sequence[str]) -> str:
    """The error of the first statement that fails; what they changed is rolled back."""
    copy.execute("SAVEPOINT trial")
    try:
        for statement in statements:
            copy.execute(statement)
    except sqlite3.Error as error:
        return str(error)
    finally:
        copy.execute("ROLLBACK TO trial")
        copy.execute("RELEASE trial")
    return ""


def _columns(copy: sqlite3.Connection, view: str) -> list[str]:
    try:
        return [row[1] for row in copy.execute(f"PRAGMA table_xinfo({quoted(view)})")]
    except sqlite3.Error:
        return []


def _of_kind(connection: Connection, kind: str) -> set[str]:
    """The tables of a kind; a virtual table keeps its data in shadow tables."""
    return {name for name, of in once(connection, "kinds", lambda: _kinds(connection)) if of == kind}


def _kinds(connection: Connection) -> list[tuple[str, str]]:
    asked = "SELECT name, type FROM pragma_table_list WHERE schema = 'main' AND type IN ('virtual', 'shadow')"
    return [(name, of) for name, of in connection.exec_driver_sql(asked)]


def _stand_in(connection: Connection, table: str) -> str:
    columns = connection.exec_driver_sql(f"PRAGMA table_xinfo({quoted(table)})").all()
    return f"CREATE TABLE {quoted(table)} ({', '.join(quoted(row.name) for row in columns)})"


def _names(sql: str) -> set[str]:
    return {token.name for token in tokenize(sql)} - {""}
