"""What a column or a table of a name is: its definition in the database, compared with the revision's."""

import re
from typing import Any

from sqlalchemy import Column, Connection, Table

from service.migrate.dialects import ddl
from service.migrate.dialects.postgresql import definitions
from service.migrate.dialects.sqlite import catalog, comparing
from service.migrate.dialects.sqlite.add_column import parenthesised
from service.migrate.dialects.sqlite.clauses import column as parsed
from service.migrate.dialects.sqlite.definition import parse
from service.migrate.dialects.sqlite.tokens import lowered
from service.migrate.operations.definitions import Same
from service.migrate.operations.step import CATALOG, Target

_SEQUENCE = re.compile(r"nextval\('.*?'::regclass\)")


def same_column(target: Target, table: str, column: Column[Any]) -> Same:
    """The table has no column of this name, or the very column."""

    def find(connection: Connection) -> list[tuple[Any, ...]]:
        there = _there(connection, table)
        name = _key(target, column.name)
        if name not in there:
            return []
        wanted = _declared(connection, target, table, column)
        if wanted is None or _form(target, there[name]) == _form(target, wanted):
            return []
        return [(f"the column {column.name}", f"there is `{there[name]}`", f"the revision says `{wanted}`")]

    why = f"{table}.{column.name} exists already, with another definition"
    return Same(why=why, rows=find, cure="Use another name, or drop that column first", script=CATALOG)


def no_column(target: Target, table: str, name: str) -> Same:
    """The table has no column of this name, whose values would be overwritten."""

    def find(connection: Connection) -> list[tuple[Any, ...]]:
        found = _there(connection, table).get(_key(target, name))
        return [] if found is None else [(f"the column {name}", f"there is `{found}`")]

    why = f"{table}.{name} exists already, and its values would be overwritten"
    return Same(why=why, rows=find, cure="Use another name, or drop that column first", script=CATALOG)


def same_table(target: Target, table: Table) -> Same:
    """There is no table of this name, or one with the very columns."""

    def find(connection: Connection) -> list[tuple[Any, ...]]:
        there = _there(connection, table.name)
        if not there:
            return []
        statement = ddl.table_text(table, target.dialect)
        if target.is_sqlite:
            wanted = _columns(statement, table.name)
        else:
            wanted = definitions.declared_columns(connection, table.name, statement)
        pairs = [(name, there.get(name), wanted.get(name)) for name in dict.fromkeys((*wanted, *there))]
        others = [pair for pair in pairs if _form(target, pair[1]) != _form(target, pair[2])]
        if not wanted or not others:
            return []
        name, found, declared = others[0]
        return [(f"the table {table.name}", f"{name} is `{found}`", f"the revision says `{declared}`")]

    why = f"The table {table.name} exists already, with other columns"
    return Same(why=why, rows=find, cure="Use another name, or drop that table first", script=CATALOG)


def _there(connection: Connection, table: str) -> dict[str, str]:
    """The columns of the table with their definitions; none if there is no table."""
    if connection.dialect.name == "postgresql":
        return definitions.columns(connection, table)
    sql = catalog.definition_text(connection, table)
    return {} if sql is None else _columns(sql, table)


def _columns(sql: str, table: str) -> dict[str, str]:
    return {column.name: column.text.strip() for column in parse(sql, table).columns}


def _declared(connection: Connection, target: Target, table: str, column: Column[Any]) -> str | None:
    text = ddl.column_text(column, target.dialect)
    if target.is_sqlite:
        return parenthesised(parsed(text)).text
    statement = f"CREATE TABLE {ddl.quoted(table)} ({text})"
    return definitions.declared_columns(connection, table, statement).get(column.name)


def _form(target: Target, definition: str | None) -> object:
    if definition is None or not target.is_sqlite:
        return None if definition is None else _SEQUENCE.sub("nextval()", definition)
    words = comparing.comparable(parenthesised(parsed(definition)).text)
    # NULL is what a column may be without a word.
    return words[:-1] if words[-1] == "null" and words[-2:-1] != ("not",) else words


def _key(target: Target, name: str) -> str:
    return lowered(name) if target.is_sqlite else name
