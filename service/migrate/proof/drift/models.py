"""Differences between a database and the models, as autogenerate finds them."""

from collections.abc import Iterable, Iterator
from typing import Any

from sqlalchemy import CheckConstraint, Column, Constraint, ForeignKeyConstraint, Index, Table
from sqlalchemy.sql.elements import TextClause

from service.migrate.proof.drift.difference import Difference

_KINDS = {"index": "index", "constraint": "constraint", "fk": "constraint", "table": "table", "column": "column"}


def named(found: Iterable[Any]) -> list[Difference]:
    """Alembic's differences, each with its kind, its name and both definitions; equal ones are equal."""
    return list(dict.fromkeys(each for one in found for each in _named(one)))


def _named(found: Any) -> Iterator[Difference]:
    if isinstance(found, list):
        # The attributes of one column.
        for each in found:
            yield from _named(each)
        return
    action, *rest = found
    verb, _, what = action.partition("_")
    if verb == "modify":
        _, table, column, _, was, now = rest
        yield _difference("column", f"{table}.{column}", _attribute(what, was), _attribute(what, now))
    elif action in ("add_table_comment", "remove_table_comment"):
        table = rest[0]
        was = rest[1] if action == "add_table_comment" else table.comment
        yield _difference("comment", table.name, was, table.comment if action == "add_table_comment" else None)
    elif action == "replace":
        was, now = rest
        kind = "index" if isinstance(now, Index) else "constraint"
        yield _difference(kind, _name(kind, was), _definition(was), _definition(now))
    elif what in _KINDS:
        item = rest[-1]
        table = rest[1] if what == "column" else None
        name = f"{table}.{item.name}" if what == "column" else _name(what, item)
        definition = _definition(item)
        is_missing = verb == "add"
        yield _difference(_KINDS[what], name, None if is_missing else definition, definition if is_missing else None)
    else:
        yield _difference("object", " ".join(map(str, found)), None, None)


def _difference(kind: str, name: str, database: str | None, expected: str | None) -> Difference:
    return Difference(against="models", kind=kind, name=name, database=database, expected=expected)


def _name(what: str, item: Any) -> str:
    if what == "table":
        return str(item.fullname)
    names = ", ".join(each.name for each in getattr(item, "columns", ()))
    return f"{item.name or f'({names})'} of {item.table.name}"


def _attribute(what: str, value: Any) -> str:
    if what == "nullable":
        return "NULL" if value else "NOT NULL"
    if what == "default":
        return "no default" if value is None else f"default {_text(value)}"
    if what == "comment":
        return "no comment" if value is None else f"comment {value!r}"
    return f"type {value!s}"


def _definition(item: Any) -> str:
    if isinstance(item, Table):
        return f"{len(item.columns)} columns"
    if isinstance(item, Column):
        default = f" default {_text(item.server_default)}" if item.server_default is not None else ""
        return f"{item.type!s} {'NULL' if item.nullable else 'NOT NULL'}{default}"
    if isinstance(item, Index):
        return f"{'unique ' if item.unique else ''}on {', '.join(map(str, item.expressions))}"
    if isinstance(item, ForeignKeyConstraint):
        columns = ", ".join(each.parent.name for each in item.elements)
        return f"FOREIGN KEY ({columns}) REFERENCES {', '.join(each.target_fullname for each in item.elements)}"
    if isinstance(item, Constraint):
        names = ", ".join(each.name for each in getattr(item, "columns", ()))
        inside = str(item.sqltext) if isinstance(item, CheckConstraint) else names
        return f"{type(item).__name__.removesuffix('Constraint').upper()} ({inside})"
    return str(item)


def _text(default: Any) -> str:
    value = getattr(default, "arg", default)
    return value.text if isinstance(value, TextClause) else str(value)
