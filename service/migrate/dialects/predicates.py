"""Catalog queries of either database, each a SELECT of one boolean."""

from typing import Any

from sqlalchemy import Connection

from service.migrate.dialects.ddl import literal, quoted, regclass
from service.migrate.dialects.sqlite.definition import has_constraint_in

# A function that the migrator gives its SQLite connection: whether the table that a statement creates has a constraint.
SQLITE_HAS_CONSTRAINT = "migrator_has_constraint"


def ask(connection: Connection, question: str) -> bool:
    """The answer to a question of this module."""
    if SQLITE_HAS_CONSTRAINT in question:
        driver: Any = connection.connection.dbapi_connection
        driver.create_function(SQLITE_HAS_CONSTRAINT, 2, has_constraint_in)
    return bool(connection.exec_driver_sql(question).scalar())


def has_table(database: str, table: str) -> str:
    if database == "sqlite":
        return f"SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND {_is('name', table)})"
    return (
        "SELECT EXISTS (SELECT FROM pg_class WHERE relnamespace = quote_ident(current_schema())::regnamespace "
        f"AND relkind IN ('r', 'p') AND relname = {literal(table)})"
    )


def has_column(database: str, table: str, column: str) -> str:
    if database == "sqlite":
        return f"SELECT EXISTS (SELECT 1 FROM pragma_table_xinfo({literal(table)}) WHERE {_is('name', column)})"
    return (
        f"SELECT EXISTS (SELECT FROM pg_attribute WHERE attrelid = {regclass(table)} "
        f"AND attname = {literal(column)} AND NOT attisdropped)"
    )


def has_rows(table: str) -> str:
    return f"SELECT EXISTS (SELECT 1 FROM {quoted(table)})"


def refuses_null(database: str, table: str, column: str) -> str:
    if database == "sqlite":
        of = f"pragma_table_xinfo({literal(table)}) WHERE {_is('name', column)}"
        return f'SELECT EXISTS (SELECT 1 FROM {of} AND "notnull")'
    return (
        f"SELECT EXISTS (SELECT FROM pg_attribute WHERE attrelid = {regclass(table)} "
        f"AND attname = {literal(column)} AND attnotnull AND NOT attisdropped)"
    )


def has_constraint(database: str, table: str, name: str, *, valid: bool = False) -> str:
    if database == "sqlite":
        of = f"sqlite_schema WHERE type = 'table' AND {_is('name', table)}"
        return f"SELECT EXISTS (SELECT 1 FROM {of} AND {SQLITE_HAS_CONSTRAINT}(sql, {literal(name)}))"
    more = " AND convalidated" if valid else ""
    return (
        f"SELECT EXISTS (SELECT FROM pg_constraint WHERE conrelid = {regclass(table)} "
        f"AND conname = {literal(name)}{more})"
    )


def has_index(database: str, name: str, *, valid: bool = True) -> str:
    """`valid=False` asks for an invalid index, which a failed CREATE INDEX CONCURRENTLY leaves."""
    if database == "sqlite":
        return f"SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'index' AND {_is('name', name)})"
    return (
        "SELECT EXISTS (SELECT FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid "
        f"WHERE relnamespace = quote_ident(current_schema())::regnamespace AND relname = {literal(name)} "
        f"AND {'' if valid else 'NOT '}indisvalid)"
    )


def has_trigger(database: str, table: str, name: str) -> str:
    if database == "sqlite":
        return f"SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'trigger' AND {_is('name', name)})"
    return f"SELECT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = {regclass(table)} AND tgname = {literal(name)})"


def has_trigger_of(table: str, function: str) -> str:
    """PostgreSQL: whether the table has a trigger, of whatever name, that calls the function."""
    return (
        f"SELECT EXISTS (SELECT FROM pg_trigger JOIN pg_proc ON pg_proc.oid = tgfoid WHERE tgrelid = {regclass(table)} "
        f"AND proname = {literal(function)})"
    )


def has_function(name: str) -> str:
    """Whether there is such a function without arguments."""
    return (
        "SELECT EXISTS (SELECT FROM pg_proc WHERE pronamespace = quote_ident(current_schema())::regnamespace "
        f"AND proname = {literal(name)} AND pronargs = 0)"
    )


def has_view(database: str, name: str) -> str:
    if database == "sqlite":
        return f"SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'view' AND {_is('name', name)})"
    return (
        "SELECT EXISTS (SELECT FROM pg_class WHERE relnamespace = quote_ident(current_schema())::regnamespace "
        f"AND relkind = 'v' AND relname = {literal(name)})"
    )


def _is(column: str, name: str) -> str:
    """On SQLite: whether the column holds the name, without regard to the case of A to Z."""
    return f"{column} = {literal(name)} COLLATE NOCASE"


def negated(question: str) -> str:
    return f"SELECT NOT ({question})"


def either(*questions: str) -> str:
    return "SELECT " + " OR ".join(f"({question})" for question in questions)


def both(*questions: str) -> str:
    return "SELECT " + " AND ".join(f"({question})" for question in questions)
