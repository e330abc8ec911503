"""What the database file knows about its tables, indexes, triggers and views."""

from collections import Counter
from dataclasses import dataclass

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from service.migrate.errors import Refused
from service.migrate.sqlite.definition import Definition, parse
from service.migrate.sqlite.tokens import lowered, quoted, tokenize


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """A table, and the statements that make everything attached to it."""

    name: str
    definition: Definition
    indexes: dict[str, str]
    triggers: dict[str, str]


def stored(connection: Connection, table: str) -> Stored:
    """Raises Refused if there is no such table."""
    found = connection.execute(
        text("SELECT name, sql FROM sqlite_schema WHERE type = 'table' AND name = :table COLLATE NOCASE"),
        {"table": table},
    ).one_or_none()
    if found is None:
        raise Refused(f"There is no table {table}.")
    return Stored(
        name=found.name,
        definition=parse(found.sql, found.name),
        indexes=_attached(connection, found.name, "index"),
        triggers=_attached(connection, found.name, "trigger"),
    )


def column_names(connection: Connection, table: str, *, generated: bool) -> list[str]:
    """The table's columns in their order, with or without the generated ones."""
    rows = connection.exec_driver_sql(f"PRAGMA table_xinfo({quoted(table)})").all()
    return [row.name for row in rows if generated or row.hidden not in (2, 3)]


def rowid_column(connection: Connection, table: str) -> str | None:
    """The column that is another name of the rowid, if one is."""
    key = [row for row in connection.exec_driver_sql(f"PRAGMA table_xinfo({quoted(table)})") if row.pk]
    if len(key) != 1 or key[0].type.upper() != "INTEGER":
        return None
    # INTEGER PRIMARY KEY DESC is a key like any other, with an index of its own.
    indexes = connection.exec_driver_sql(f"PRAGMA index_list({quoted(table)})").all()
    return None if any(index.origin == "pk" for index in indexes) else str(key[0].name)


def sequence(connection: Connection, table: str) -> int | None:
    """The highest id an AUTOINCREMENT table has ever given out; `None` when it has given out none."""
    counts = "SELECT 1 FROM sqlite_schema WHERE name = 'sqlite_sequence'"
    if connection.exec_driver_sql(counts).scalar() is None:
        return None
    found: int | None = connection.execute(
        text("SELECT seq FROM sqlite_sequence WHERE name = :table"), {"table": table}
    ).scalar()
    return found


def analyzed(connection: Connection, table: str) -> bool:
    """Whether the query planner has figures about the table."""
    if connection.exec_driver_sql("SELECT 1 FROM sqlite_schema WHERE name = 'sqlite_stat1'").scalar() is None:
        return False
    figures = text("SELECT 1 FROM sqlite_stat1 WHERE tbl = :table LIMIT 1")
    return connection.execute(figures, {"table": table}).scalar() is not None


def enforces_foreign_keys(connection: Connection) -> bool:
    return bool(connection.exec_driver_sql("PRAGMA foreign_keys").scalar())


def dangling_rows(connection: Connection, table: str | None = None) -> Counter[str]:
    """How many rows point at no row, by child and parent: of one table and its children, or of all."""
    tables = [None] if table is None else [table, *_children(connection, table)]
    found: Counter[str] = Counter()
    for each in tables:
        scope = "" if each is None else f"({quoted(each)})"
        rows = connection.exec_driver_sql(f"PRAGMA foreign_key_check{scope}")
        found.update(f"{row[0]} to {row[2]}" for row in rows)
    return found


def broken(connection: Connection, table: str) -> dict[tuple[str, str], str]:
    """What SQLite says of each view and trigger that leans on the table and would fail if it were used now."""
    found = {}
    for thing, statement in _trials(connection, table):
        # Run for no rows: a cached EXPLAIN of a trigger crashes SQLite 3.40 when the schema has changed meanwhile.
        try:
            connection.exec_driver_sql(statement).close()
        except DBAPIError as error:
            found[thing, statement] = str(error.orig)
    return found


def index_uses(sql: str, column: str) -> bool:
    """Whether a CREATE INDEX statement names the column."""
    behind_the_table = sql[sql.index("(") :]
    return any(token.name == lowered(column) for token in tokenize(behind_the_table) if token.kind != "string")


def _attached(connection: Connection, table: str, kind: str) -> dict[str, str]:
    rows = connection.execute(
        text("SELECT name, sql FROM sqlite_schema WHERE type = :kind AND tbl_name = :table AND sql IS NOT NULL"),
        {"kind": kind, "table": table},
    )
    return {row.name: row.sql for row in rows}


def _children(connection: Connection, table: str) -> list[str]:
    found = connection.execute(
        text(
            "SELECT DISTINCT s.name FROM sqlite_schema AS s, pragma_foreign_key_list(s.name) AS f "
            "WHERE s.type = 'table' AND f.\"table\" = :table COLLATE NOCASE AND s.name <> :table COLLATE NOCASE"
        ),
        {"table": table},
    )
    return list(found.scalars())


def _trials(connection: Connection, table: str) -> list[tuple[str, str]]:
    """The views and triggered tables that mention the table, or a view that does, each with statements that use it."""
    rows = connection.exec_driver_sql(
        "SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE type IN ('view', 'trigger')"
    ).all()
    unseen = {row: {token.name for token in tokenize(row.sql)} for row in rows}
    leaning = {lowered(table)}
    trials: dict[tuple[str, str], None] = {}
    while touched := [row for row, names in unseen.items() if names & leaning]:
        for row in touched:
            del unseen[row]
            if row.type == "view":
                leaning.add(lowered(row.name))
                trials[f"the view {row.name}", f"SELECT * FROM {quoted(row.name)} LIMIT 0"] = None
            else:
                thing = f"a trigger of {row.tbl_name}"
                trials |= {(thing, each): None for each in _setting_off_triggers(connection, row.tbl_name)}
    return list(trials)


def _setting_off_triggers(connection: Connection, table: str) -> list[str]:
    """Statements that compile every trigger the table can have, and change nothing."""
    name = quoted(table)
    columns = [quoted(column) for column in column_names(connection, table, generated=False)]
    listed = ", ".join(columns)
    settings = ", ".join(f"{column} = {column}" for column in columns)
    return [
        f"INSERT INTO {name} ({listed}) SELECT {listed} FROM {name} WHERE 0",
        f"UPDATE {name} SET {settings} WHERE 0",
        f"DELETE FROM {name} WHERE 0",
    ]
