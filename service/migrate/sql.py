"""The SQL that steps are made of: names, definitions, and questions to the catalog, in the words of either database."""

from collections.abc import Iterable
from functools import cache
from typing import Any

from sqlalchemy import Column, Constraint, Dialect, Index, MetaData, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.schema import AddConstraint, CreateIndex, CreateTable
from sqlalchemy.sql.compiler import DDLCompiler

from service.migrate.errors import Refused

# https://www.postgresql.org/docs/current/sql-syntax-lexical.html#SQL-SYNTAX-IDENTIFIERS
LONGEST_NAME = 63
_TRASH = "_trash_"


@cache
def dialect(name: str) -> Dialect:
    made: Any = sqlite.dialect if name == "sqlite" else postgresql.dialect
    built: Dialect = made()
    return built


def quoted(name: str) -> str:
    """The name as both databases write it: in quotes only where it needs them."""
    return dialect("postgresql").identifier_preparer.quote(name)


def listed(names: Iterable[str]) -> str:
    return ", ".join(map(quoted, names))


def literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def fitting(name: str) -> str:
    """The name, if PostgreSQL would not cut it short; else raises Refused."""
    if len(name.encode()) > LONGEST_NAME:
        raise Refused(f"{name} is too long a name: PostgreSQL keeps {LONGEST_NAME} bytes of it.")
    return name


def trash_name(revision: str, name: str) -> str:
    """What a column or a table is called while a revision keeps it aside; raises Refused if that is too long."""
    return fitting(f"{_TRASH}{revision[:4]}_{name}")


def is_trash(name: str | None) -> bool:
    return name is not None and name.startswith(_TRASH)


# Definitions.


def compiler(database: str) -> DDLCompiler:
    of = dialect(database)
    build: Any = of.ddl_compiler
    made: DDLCompiler = build(of, None)
    return made


def column_text(column: Column[Any], database: str) -> str:
    """The column as it stands in CREATE TABLE, its own checks and references left out."""
    return compiler(database).get_column_specification(_owned(column))


def type_text(column: Column[Any], database: str) -> str:
    return dialect(database).type_compiler_instance.process(column.type, type_expression=column)


def default_text(column: Column[Any], database: str) -> str | None:
    """The column's server default as an expression; `None` when it has none."""
    return compiler(database).get_column_default_string(_owned(column))


def table_text(table: Table, database: str) -> str:
    """CREATE TABLE, without the foreign keys."""
    return str(CreateTable(table, include_foreign_key_constraints=[]).compile(dialect=dialect(database))).strip()


def constraint_text(constraint: Constraint, database: str) -> str:
    """The constraint as it stands in CREATE TABLE."""
    return compiler(database).process(constraint)


def add_constraint(constraint: Constraint, database: str) -> str:
    return str(AddConstraint(constraint).compile(dialect=dialect(database))).strip()


def index_text(index: Index, database: str) -> str:
    return str(CreateIndex(index).compile(dialect=dialect(database))).strip()


def _owned(column: Column[Any]) -> Column[Any]:
    copy = column._copy()  # noqa: SLF001 - as Alembic does: a column belongs to one table only
    Table("_", MetaData(), copy)
    return copy


def name_not_null(table: str, column: str) -> str:
    """Name a column's NOT NULL after it, where a rename of the column left another name: PostgreSQL 18 keeps one."""
    return f"""DO $name$
DECLARE
  given text;
  wanted text := {literal(f"{table}_{column}_not_null"[:LONGEST_NAME])};
BEGIN
  SELECT conname INTO given FROM pg_constraint WHERE conrelid = {_oid(table)} AND contype = 'n' AND conkey = ARRAY[
    (SELECT attnum FROM pg_attribute WHERE attrelid = {_oid(table)} AND attname = {literal(column)})];
  IF given <> wanted THEN
    EXECUTE format('ALTER TABLE %I RENAME CONSTRAINT %I TO %I', {literal(table)}, given, wanted);
  END IF;
END $name$"""


# Questions to the catalog, each a SELECT of one boolean.


def has_table(database: str, table: str) -> str:
    if database == "sqlite":
        return f"SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = {literal(table)})"
    return (
        "SELECT EXISTS (SELECT FROM pg_class WHERE relnamespace = current_schema()::regnamespace "
        f"AND relkind IN ('r', 'p') AND relname = {literal(table)})"
    )


def has_column(database: str, table: str, column: str) -> str:
    if database == "sqlite":
        return f"SELECT EXISTS (SELECT 1 FROM pragma_table_info({literal(table)}) WHERE name = {literal(column)})"
    return (
        f"SELECT EXISTS (SELECT FROM pg_attribute WHERE attrelid = {_oid(table)} "
        f"AND attname = {literal(column)} AND NOT attisdropped)"
    )


def has_rows(table: str) -> str:
    return f"SELECT EXISTS (SELECT 1 FROM {quoted(table)})"


def refuses_null(database: str, table: str, column: str) -> str:
    if database == "sqlite":
        of = f"pragma_table_info({literal(table)}) WHERE name = {literal(column)}"
        return f'SELECT EXISTS (SELECT 1 FROM {of} AND "notnull")'
    return (
        f"SELECT EXISTS (SELECT FROM pg_attribute WHERE attrelid = {_oid(table)} "
        f"AND attname = {literal(column)} AND attnotnull AND NOT attisdropped)"
    )


def has_constraint(database: str, table: str, name: str, *, valid: bool = False) -> str:
    if database == "sqlite":
        words = " OR ".join(f"instr(sql, {literal(f'CONSTRAINT {each} ')})" for each in {name, quoted(name)})
        of = f"sqlite_schema WHERE type = 'table' AND name = {literal(table)}"
        return f"SELECT EXISTS (SELECT 1 FROM {of} AND ({words}))"
    more = " AND convalidated" if valid else ""
    return (
        f"SELECT EXISTS (SELECT FROM pg_constraint WHERE conrelid = {_oid(table)} AND conname = {literal(name)}{more})"
    )


def has_index(database: str, name: str, *, valid: bool = True) -> str:
    """`valid=False` asks for one that a failed build left, which serves nobody."""
    if database == "sqlite":
        return f"SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'index' AND name = {literal(name)})"
    return (
        "SELECT EXISTS (SELECT FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid "
        f"WHERE relnamespace = current_schema()::regnamespace AND relname = {literal(name)} "
        f"AND {'' if valid else 'NOT '}indisvalid)"
    )


def has_trigger(database: str, table: str, name: str) -> str:
    if database == "sqlite":
        return f"SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'trigger' AND name = {literal(name)})"
    return f"SELECT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = {_oid(table)} AND tgname = {literal(name)})"


def has_function(name: str) -> str:
    return (
        "SELECT EXISTS (SELECT FROM pg_proc WHERE pronamespace = current_schema()::regnamespace "
        f"AND proname = {literal(name)})"
    )


def has_view(database: str, name: str) -> str:
    if database == "sqlite":
        return f"SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'view' AND name = {literal(name)})"
    return (
        "SELECT EXISTS (SELECT FROM pg_class WHERE relnamespace = current_schema()::regnamespace "
        f"AND relkind = 'v' AND relname = {literal(name)})"
    )


def negated(question: str) -> str:
    return f"SELECT NOT ({question})"


def either(*questions: str) -> str:
    return "SELECT " + " OR ".join(f"({question})" for question in questions)


def both(*questions: str) -> str:
    return "SELECT " + " AND ".join(f"({question})" for question in questions)


def _oid(table: str) -> str:
    return f"to_regclass({literal(quoted(table))})"
