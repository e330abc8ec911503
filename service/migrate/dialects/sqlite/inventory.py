"""Everything that is on a table and its columns, from SQLite's catalog and the stored definitions."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, Row

from service.migrate import naming
from service.migrate.dialects import ddl
from service.migrate.dialects.attributes import Attribute, Found
from service.migrate.dialects.sqlite import catalog
from service.migrate.dialects.sqlite.clauses import Clause, Column
from service.migrate.dialects.sqlite.definition import Definition, parse
from service.migrate.dialects.sqlite.tokens import lowered, normal_form, tokenize

# https://www.sqlite.org/pragma.html#pragma_table_list
_KINDS = {"view": Attribute.VIEW, "virtual": Attribute.VIRTUAL_TABLE, "shadow": Attribute.VIRTUAL_TABLE, "table": None}
_TIMINGS = {"BEFORE": Attribute.BEFORE_ROW_TRIGGER, "INSTEAD": Attribute.INSTEAD_OF_TRIGGER}
_HIDDEN, _GENERATED = (1,), (2, 3)


def inventory(connection: Connection, table: str) -> list[Found]:
    """Every attribute of the table; empty if there is no table or view of that name."""
    asked = f"SELECT schema, name, type, wr, strict FROM pragma_table_list WHERE lower(name) = {_folded(table)}"
    rows = connection.exec_driver_sql(asked).all()
    if temporary := [Found(Attribute.TEMPORARY, None, row.name, "") for row in rows if row.schema == "temp"]:
        return temporary
    found: list[Found] = []
    for row in rows:
        definition = _definition(connection, row.name) if row.type == "table" else None
        found += [
            *_of_relation(row),
            *_of_columns(connection, row.name, definition),
            *_triggers(connection, row.name),
        ]
    return sorted(found, key=lambda each: (each.attribute, each.column or "", each.name))


def _folded(name: str) -> str:
    return ddl.literal(lowered(name))


def _of_relation(row: Row[Any]) -> Iterator[Found]:
    if row.type not in _KINDS:
        yield Found(Attribute.UNKNOWN_RELATION, None, row.name, row.type)
    elif (attribute := _KINDS[row.type]) is not None:
        yield Found(attribute, None, row.name, row.type)
    elif row.wr:
        yield Found(Attribute.WITHOUT_ROWID, None, row.name, "")
    if row.strict:
        yield Found(Attribute.STRICT, None, row.name, "")


def _definition(connection: Connection, table: str) -> Definition:
    asked = f"SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = {ddl.literal(table)}"
    return parse(connection.exec_driver_sql(asked).scalar_one(), table)


def _of_columns(connection: Connection, table: str, definition: Definition | None) -> Iterator[Found]:
    """The attributes of the columns; without a definition (a view, a virtual table) those that SQLite lists."""
    rowid = catalog.rowid_column(connection, table) if definition else None
    for row in connection.exec_driver_sql(f"PRAGMA table_xinfo({ddl.literal(table)})").all():
        if row.hidden in _HIDDEN:
            yield Found(Attribute.HIDDEN_COLUMN, row.name, row.name, "")
        elif row.hidden in _GENERATED:
            yield Found(Attribute.GENERATED, row.name, row.name, "")
        if row.pk:
            yield Found(Attribute.PRIMARY_KEY, row.name, row.name, "")
        if row.dflt_value is not None:
            yield Found(Attribute.DEFAULT, row.name, row.name, row.dflt_value)
        if definition is None:
            continue
        column = definition.column(row.name)
        if clause := column.clause("COLLATE"):
            yield Found(Attribute.COLLATION, row.name, row.name, _last_name(column.text_of(clause)).upper())
        if (clause := column.clause("NOT NULL")) and (options := _of_not_null(column, clause)):
            yield Found(Attribute.NOT_NULL, row.name, clause.name or row.name, options)
        if lowered(row.name) == rowid:
            kind = Attribute.AUTOINCREMENT if definition.has_autoincrement else Attribute.ROWID
            yield Found(kind, row.name, row.name, row.type)


def _of_not_null(column: Column, clause: Clause) -> str:
    """What a NOT NULL has beside its two words: a name, ON CONFLICT."""
    action = column.text_of(clause).upper().partition("NULL")[2].strip()
    return ", ".join(each for each in ("its name" if clause.name else "", action) if each)


def _last_name(text: str) -> str:
    return [token.name for token in tokenize(text) if token.name][-1]


def _triggers(connection: Connection, table: str) -> Iterator[Found]:
    asked = f"SELECT name, sql FROM sqlite_schema WHERE type = 'trigger' AND lower(tbl_name) = {_folded(table)}"
    for row in connection.exec_driver_sql(asked).all():
        if row.name.startswith(naming.current().prefix):
            continue
        words = [token.keyword for token in tokenize(row.sql)]
        # CREATE TRIGGER name [BEFORE | AFTER | INSTEAD OF] event; the default is BEFORE.
        event = next(at for at, word in enumerate(words) if word in ("INSERT", "UPDATE", "DELETE"))
        timing = next((word for word in words[:event] if word in ("AFTER", "INSTEAD")), "BEFORE")
        yield Found(_TIMINGS.get(timing, Attribute.AFTER_ROW_TRIGGER), None, row.name, normal_form(row.sql))
