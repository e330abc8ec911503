"""The SQL that steps are made of: names, definitions, and questions to the catalog, in the words of either database."""

import re
from collections.abc import Iterable
from functools import cache
from hashlib import sha256
from typing import Any, TypeAlias

from sqlalchemy import ClauseElement, Column, Constraint, Dialect, Index, MetaData, Table, TextClause, text
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.postgresql import asyncpg
from sqlalchemy.schema import AddConstraint, CreateIndex, CreateTable
from sqlalchemy.sql.compiler import DDLCompiler

from service.migrate.errors import Refused

# https://www.postgresql.org/docs/current/sql-syntax-lexical.html#SQL-SYNTAX-IDENTIFIERS
LONGEST_NAME = 63
_TRASH = "_trash_"

Expression: TypeAlias = str | ClauseElement


@cache
def dialect(name: str) -> Dialect:
    # Of the driver that runs it: another's would double every percent sign.
    made: Any = sqlite.dialect if name == "sqlite" else asyncpg.dialect
    built: Dialect = made()
    return built


@cache
def quoted(name: str) -> str:
    """The name as both databases write it: in quotes only where one of them needs them."""
    written = (dialect(database).identifier_preparer.quote(name) for database in ("postgresql", "sqlite"))
    return next((each for each in written if each != name), name)


def listed(names: Iterable[str]) -> str:
    return ", ".join(map(quoted, names))


def literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def verbatim(expression: str) -> TextClause:
    """The expression as SQLAlchemy leaves it alone: a colon in it begins no parameter."""
    return text(expression.replace(":", "\\:"))


def applied(expression: str, value: str) -> str:
    """The expression with the value wherever `{}` stands, in a text of its own excepted."""
    return re.sub(r"'(?:[^']|'')*'|\{\}", lambda found: value if found[0] == "{}" else found[0], expression)


def fitting(name: str) -> str:
    """The name, if PostgreSQL would not cut it short; else raises Refused."""
    if len(name.encode()) > LONGEST_NAME:
        raise Refused(f"{name} is too long a name: PostgreSQL keeps {LONGEST_NAME} bytes of it.")
    return name


def inner_name(name: str) -> str:
    """A name that nobody has to type: the same, or a shorter one that is as unique."""
    if len(name.encode()) <= LONGEST_NAME:
        return name
    digest = sha256(name.encode()).hexdigest()[:8]
    return name.encode()[: LONGEST_NAME - 9].decode(errors="ignore") + "_" + digest


def trash_name(revision: str, name: str) -> str:
    """What a column or a table is called while a revision keeps it aside.

    Raises:
        Refused: that is too long, or the revision has no number, by which it is found again.
    """
    if not re.match(r"\d{4}", revision):
        raise Refused(f"{revision} keeps {name} aside under its number: its id begins with four digits.")
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


def expression_text(expression: Expression, database: str) -> str:
    """An expression in SQL: as it is written, or as a database writes one of SQLAlchemy's."""
    if isinstance(expression, str):
        return expression
    return str(expression.compile(dialect=dialect(database), compile_kwargs={"literal_binds": True}))


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


def name_not_null(table: str, *columns: str) -> str:
    """Name each column's NOT NULL after it, where a rename left another name: PostgreSQL 18 keeps one."""
    names = ", ".join(f"({literal(column)}, {literal(_not_null_name(table, column))})" for column in columns)
    return f"""DO $name$
DECLARE
  given record;
BEGIN
  FOR given IN
    SELECT conname, wanted FROM (VALUES {names}) AS named (attname, wanted) JOIN pg_attribute USING (attname)
    JOIN pg_constraint ON conrelid = attrelid AND conkey = ARRAY[attnum]
    WHERE attrelid = {_oid(table)} AND contype = 'n' AND conname <> wanted
  LOOP
    EXECUTE format('ALTER TABLE %I RENAME CONSTRAINT %I TO %I', {literal(table)}, given.conname, given.wanted);
  END LOOP;
END $name$"""


def _not_null_name(table: str, column: str) -> str:
    """The name that PostgreSQL gives: the longer of the two is cut until it fits."""
    label = "_not_null"
    one, two = table.encode(), column.encode()
    while len(one) + len(two) + 1 + len(label) > LONGEST_NAME:
        one, two = (one[:-1], two) if len(one) > len(two) else (one, two[:-1])
    return f"{one.decode(errors='ignore')}_{two.decode(errors='ignore')}{label}"


def touch_triggers(table: str) -> str:
    """Let every session read the functions of a table's triggers anew.

    A function that a session has run keeps the type each column had then, and fails for every row after a change.
    """
    return f"""DO $touch$
DECLARE
  used record;
BEGIN
  FOR used IN
    SELECT DISTINCT pg_proc.oid FROM pg_trigger JOIN pg_proc ON pg_proc.oid = tgfoid
    JOIN pg_language ON pg_language.oid = prolang
    WHERE tgrelid = {_oid(table)} AND NOT tgisinternal AND lanname = 'plpgsql' AND pg_has_role(proowner, 'USAGE')
  LOOP
    EXECUTE pg_get_functiondef(used.oid);
  END LOOP;
END $touch$"""


def grant_as(table: str, view: str) -> str:
    """Let everyone do with the view what they may do with the table."""
    return f"""DO $grant$
DECLARE
  given record;
BEGIN
  FOR given IN
    SELECT privilege_type, CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END AS whom
    FROM pg_class, aclexplode(relacl) WHERE oid = {_oid(table)} AND grantee <> relowner
    AND privilege_type IN ('SELECT', 'INSERT', 'UPDATE', 'DELETE')
  LOOP
    EXECUTE format('GRANT %s ON %I TO %s', given.privilege_type, {literal(view)}, given.whom);
  END LOOP;
END $grant$"""


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
