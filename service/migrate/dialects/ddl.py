"""Names, literals and definitions as SQL text for either database."""

import re
from collections.abc import Iterable
from functools import cache
from hashlib import sha256
from typing import Any, TypeAlias

from sqlalchemy import (
    BindParameter,
    ClauseElement,
    Column,
    ColumnClause,
    Constraint,
    Dialect,
    ForeignKeyConstraint,
    Index,
    MetaData,
    Table,
    TextClause,
    text,
)
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.postgresql import asyncpg
from sqlalchemy.schema import (
    AddConstraint,
    CreateIndex,
    CreateTable,
    ExecutableDDLElement,
    SetColumnComment,
    SetConstraintComment,
    SetTableComment,
)
from sqlalchemy.sql.compiler import DDLCompiler
from sqlalchemy.sql.visitors import iterate

from service.migrate.errors import Refused

# https://www.postgresql.org/docs/current/sql-syntax-lexical.html#SQL-SYNTAX-IDENTIFIERS
LONGEST_NAME = 63
TRASH = "_trash_"

Expression: TypeAlias = str | ClauseElement


@cache
def dialect(name: str) -> Dialect:
    # The dialect of asyncpg, which runs the SQL: the default dialect would double percent signs.
    made: Any = sqlite.dialect if name == "sqlite" else asyncpg.dialect
    built: Dialect = made()
    return built


@cache
def quoted(name: str) -> str:
    """The name, quoted if either database needs that."""
    written = (dialect(database).identifier_preparer.quote(name) for database in ("postgresql", "sqlite"))
    return next((each for each in written if each != name), name)


def listed(names: Iterable[str]) -> str:
    return ", ".join(map(quoted, names))


def literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def verbatim(expression: str) -> TextClause:
    """The expression as text() without parameters: colons are escaped."""
    return text(expression.replace(":", "\\:"))


def applied(expression: str, value: str) -> str:
    """The expression with the value for each `{}` outside of string literals."""
    return re.sub(r"'(?:[^']|'')*'|\{\}", lambda found: value if found[0] == "{}" else found[0], expression)


def fitting(name: str) -> str:
    """The name; raises Refused if PostgreSQL would truncate it."""
    if (size := len(name.encode())) > LONGEST_NAME:
        raise Refused(f"The name {name} has {size} bytes, and PostgreSQL keeps {LONGEST_NAME}. Use a shorter name.")
    return name


def inner_name(name: str) -> str:
    """The name, or a truncated one with a hash if PostgreSQL would truncate it."""
    if len(name.encode()) <= LONGEST_NAME:
        return name
    digest = sha256(name.encode()).hexdigest()[:8]
    return name.encode()[: LONGEST_NAME - 9].decode(errors="ignore") + "_" + digest


def trash_tag(revision: str) -> str:
    """The part of trash names that identifies the revision: its number, its random Alembic id, or a digest."""
    if number := re.match(r"\d{4}(?=_|$)", revision):
        return number[0]
    return revision if re.fullmatch(r"[0-9a-f]{12}", revision) else sha256(revision.encode()).hexdigest()[:12]


def trash_name(revision: str, name: str) -> str:
    """The name of a column or a table in the trash of a revision; raises Refused if that name is too long."""
    return fitting(f"{TRASH}{trash_tag(revision)}_{name}")


def is_trash(name: str | None) -> bool:
    return name is not None and name.startswith(TRASH)


# Definitions.


def compiler(database: str) -> DDLCompiler:
    of = dialect(database)
    build: Any = of.ddl_compiler
    made: DDLCompiler = build(of, None)
    return made


def column_text(column: Column[Any], database: str) -> str:
    """The column specification of CREATE TABLE, without checks and references."""
    return compiler(database).get_column_specification(_owned(column))


def type_text(column: Column[Any], database: str) -> str:
    return dialect(database).type_compiler_instance.process(column.type, type_expression=column)


def default_text(column: Column[Any], database: str) -> str | None:
    """The column's server default as an expression; `None` when it has none."""
    if column.server_default is None:
        return None
    return compiler(database).get_column_default_string(_owned(column))


def expression_text(expression: Expression, database: str) -> str:
    """The expression as SQL: a string unchanged, a SQLAlchemy expression with literal values and bare column names."""
    if isinstance(expression, str):
        return expression
    if isinstance(expression, TextClause) and not any(_is_bound(each) for each in iterate(expression)):
        # A colon in the text of a constraint is no parameter.
        return str(expression)
    written = {"literal_binds": True, "include_table": False}
    return str(expression.compile(dialect=dialect(database), compile_kwargs=written))


def _is_bound(element: object) -> bool:
    return isinstance(element, BindParameter) and not element.required


def keep_colons(item: object) -> None:
    """Escape colons in the text of a default, a computed column or a check: SQLAlchemy would write NULL for `:x`."""
    for name in ("arg", "sqltext"):
        written = getattr(item, name, None)
        if isinstance(written, TextClause) and ":" in str(written) and not any(map(_is_bound, iterate(written))):
            setattr(item, name, verbatim(str(written)))


def columns_in(expression: Expression) -> set[str]:
    """The columns that a SQLAlchemy expression names; none for text."""
    if isinstance(expression, str):
        return set()
    return {str(each.name) for each in iterate(expression) if isinstance(each, ColumnClause) and not each.is_literal}


def comments(item: Table | Column[Any] | Constraint, database: str, table: str = "") -> tuple[str, ...]:
    """COMMENT ON for a table with its columns and constraints, for a column of `table`, or for a constraint.

    SQLite stores no comments.
    """
    if database == "sqlite":
        return ()
    found: list[ExecutableDDLElement] = []
    if isinstance(item, Table):
        found += [SetTableComment(item)] if item.comment else []
        found += [SetColumnComment(each) for each in item.columns if each.comment]
        named = sorted(item.constraints, key=lambda each: str(each.name))
        kept = [each for each in named if not isinstance(each, ForeignKeyConstraint)]
        found += [SetConstraintComment(each) for each in kept if each.comment]
    elif isinstance(item, Constraint):
        found += [SetConstraintComment(item)] if item.comment else []
    elif item.comment:
        found.append(SetColumnComment(_owned(item, table)))
    return tuple(str(each.compile(dialect=dialect(database))).strip() for each in found)


def table_text(table: Table, database: str) -> str:
    """CREATE TABLE, without the foreign keys."""
    return str(CreateTable(table, include_foreign_key_constraints=[]).compile(dialect=dialect(database))).strip()


def constraint_text(constraint: Constraint, database: str) -> str:
    """The constraint clause of CREATE TABLE."""
    return compiler(database).process(constraint)


def add_constraint(constraint: Constraint, database: str) -> str:
    return str(AddConstraint(constraint).compile(dialect=dialect(database))).strip()


def index_text(index: Index, database: str) -> str:
    return str(CreateIndex(index).compile(dialect=dialect(database))).strip()


def _owned(column: Column[Any], table: str = "_") -> Column[Any]:
    copy = column._copy()  # noqa: SLF001 - as Alembic does: a column belongs to one table only
    keep_colons(copy.server_default)
    Table(table, MetaData(), copy)
    return copy


def regclass(table: str) -> str:
    """The table's oid in PostgreSQL; NULL when there is no such table."""
    return f"to_regclass({literal(quoted(table))})"
