"""The text of types, constraints and indexes in a draft, with every option that is set."""

import re
from collections.abc import Iterable, Iterator
from inspect import signature
from typing import Any, TypeGuard

from alembic.autogenerate.api import AutogenContext
from sqlalchemy import (
    CheckConstraint,
    ClauseElement,
    Column,
    Constraint,
    Enum,
    ForeignKeyConstraint,
    Index,
    TypeDecorator,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeEngine

from service.migrate.dialects import ddl
from service.migrate.dialects.sqlite.tokens import quoted
from service.migrate.operations.indexes import is_element

_DIALECT = re.compile(r"sqlalchemy\.dialects\.(\w+)")


def type_text(kind: TypeEngine[Any], context: AutogenContext) -> str:
    """The type, with the types inside it, as the draft imports them; a project's own type as SQLAlchemy's."""
    mapping = getattr(kind, "_variant_mapping", {})
    variants = "".join(f".with_variant({type_text(each, context)}, {name!r})" for name, each in sorted(mapping.items()))
    return f"{_plain_type(kind, context)}{variants}"


def _plain_type(kind: TypeEngine[Any], context: AutogenContext) -> str:
    module = type(kind).__module__
    is_own = not module.startswith("sqlalchemy.")
    if isinstance(kind, TypeDecorator) and is_own:
        return type_text(kind.impl_instance, context)
    if type(kind) is JSONB:
        context.imports.add("from sqlalchemy.dialects import postgresql")
        return "postgresql.JSONB()"
    prefix = "sa."
    if dialect := _DIALECT.match(module):
        context.imports.add(f"from sqlalchemy.dialects import {dialect[1]}")
        prefix = f"{dialect[1]}."
    elif is_own:
        context.imports.add(f"import {module}")
        prefix = f"{module}."
    text = repr(kind)
    if isinstance(kind, Enum) and not kind.native_enum:
        # Its CHECK is a constraint of the table, under the name that the naming convention gives it.
        text = text.replace(", create_constraint=True", "")
    arguments = (getattr(kind, name, None) for name in signature(type(kind).__init__).parameters)
    inner = [each for each in (*vars(kind).values(), *arguments) if isinstance(each, TypeEngine)]
    for written, each in {repr(each): each for each in inner}.items():
        text = text.replace(written, type_text(each, context))
    return f"{prefix}{text}"


def is_check(constraint: Constraint) -> TypeGuard[CheckConstraint]:
    """Whether both databases have the constraint as a CHECK, which one of a native type is not."""
    rule = getattr(constraint, "_create_rule", None)
    is_made = rule is None or all(rule(ddl.compiler(each)) for each in ("postgresql", "sqlite"))
    return isinstance(constraint, CheckConstraint) and is_made


def constraint_text(constraint: Constraint, context: AutogenContext) -> str:
    """The constraint as an argument of ops.create_table, drop_constraint or replace_constraint."""
    kind = next(
        each.__name__ for each in type(constraint).__mro__ if each.__module__.startswith("sqlalchemy.sql.schema")
    )
    given: list[str]
    if isinstance(constraint, ForeignKeyConstraint):
        targets = [each.target_fullname for each in constraint.elements]
        columns = _names(each.parent for each in constraint.elements) or list(constraint.column_keys)
        given = [repr(columns), repr(targets)]
    elif isinstance(constraint, CheckConstraint):
        given = [repr(sql_text(constraint.sqltext, context))]
    else:
        given = [repr(each) for each in _names(getattr(constraint, "columns", ()))]
    name = [f"name={str(constraint.name)!r}"] if constraint.name else []
    return f"sa.{kind}({', '.join([*given, *name, *_options_of(constraint, context)])})"


def constraint_options(constraint: Constraint, context: AutogenContext) -> str:
    """The options of a constraint as arguments of ops.add_unique, add_check or add_foreign_key."""
    return "".join(f", {each}" for each in _options_of(constraint, context))


def _options_of(constraint: Constraint, context: AutogenContext) -> Iterator[str]:
    for name in ("ondelete", "onupdate", "deferrable", "initially", "match", "comment"):
        if (value := getattr(constraint, name, None)) is not None:
            yield f"{name}={value!r}"
    yield from options_text(constraint.dialect_kwargs.items(), context)


def options_text(options: Iterable[tuple[str, Any]], context: AutogenContext) -> Iterator[str]:
    """The options of a dialect that are set, as arguments."""
    for name, value in options:
        if value is None or value in ({}, [], ()):
            continue
        yield f"{name}={_value(value, context)}"


def _value(value: Any, context: AutogenContext) -> str:
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(_value(each, context) for each in value)}]"
    if isinstance(value, Column):
        return repr(str(value.name))
    return repr(sql_text(value, context) if isinstance(value, ClauseElement) else value)


def index_text(index: Index, context: AutogenContext) -> str:
    """The name, the columns and the options of an index, without its table, as arguments of sa.Index."""
    columns = ", ".join(repr(each) for each in _elements(index, context))
    return ", ".join([repr(str(index.name)), columns, *_index_options(index, context, joined=False)])


def index_arguments(index: Index, context: AutogenContext) -> str:
    """The arguments of ops.create_index and drop_index."""
    table = "" if index.table is None else str(index.table.name)
    columns = list(_elements(index, context))
    return ", ".join([repr(str(index.name)), repr(table), repr(columns), *_index_options(index, context, joined=True)])


def _elements(index: Index, context: AutogenContext) -> Iterator[str]:
    """Each column's name, quoted where it needs quotes, and each expression."""
    for each in index.expressions:
        if isinstance(each, Column):
            yield str(each.name) if re.fullmatch(r"[\w ]+", each.name) else quoted(each.name)
        else:
            text = sql_text(each, context)
            yield text if is_element(text) else f"({text})"


def _index_options(index: Index, context: AutogenContext, *, joined: bool) -> Iterator[str]:
    if index.unique:
        yield "unique=True"
    options = {name: value for name, value in index.dialect_kwargs.items() if name != "postgresql_concurrently"}
    conditions = {name: each for name, each in options.items() if name.endswith("_where") and each is not None}
    wheres = {name: sql_text(each, context) for name, each in conditions.items()}
    if joined and len(set(wheres.values())) == 1:
        # One condition for both databases: a reflected index has the condition of the connected one alone.
        yield f"where={next(iter(wheres.values()))!r}"
        options = {name: value for name, value in options.items() if name not in wheres}
    for name, where in wheres.items():
        if name in options:
            yield f"{name}=sa.text({where!r})"
    yield from options_text(((name, each) for name, each in options.items() if name not in wheres), context)


def sql_text(expression: Any, context: AutogenContext) -> str:
    """The expression as SQL of the connected database, with literal values and bare column names."""
    if isinstance(expression, str):
        return expression
    return ddl.expression_text(expression, context.migration_context.dialect.name)


def _names(columns: Any) -> list[str]:
    return [str(each.name) for each in columns if each is not None]
