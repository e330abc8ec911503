"""Tables, columns and relationships as a diagram shows them, and what changed between two schemas."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TypeVar


class Mark(StrEnum):
    """What a revision did to a table or a column."""

    SAME = "same"
    ADDED = "added"
    CHANGED = "changed"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column; `references` is the table that its foreign key refers to."""

    name: str
    type: str
    is_nullable: bool
    is_key: bool = False
    is_unique: bool = False
    references: str | None = None
    mark: Mark = Mark.SAME


@dataclass(frozen=True, slots=True, kw_only=True)
class Relation:
    """A foreign key from a table's columns to the columns of another table."""

    table: str
    columns: tuple[str, ...]
    referred: str
    referred_columns: tuple[str, ...]
    is_required: bool
    is_unique: bool
    mark: Mark = Mark.SAME


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    name: str
    columns: tuple[Column, ...]
    mark: Mark = Mark.SAME


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """Tables by name, and relationships, in a stable order."""

    tables: tuple[Table, ...]
    relations: tuple[Relation, ...]


Marked = TypeVar("Marked", Table, Column, Relation)


def compared(before: Schema, after: Schema) -> Schema:
    """Both schemas as one, with a mark at what only one of them has and at what differs."""
    old_tables = {each.name: each for each in before.tables}
    new_tables = {each.name: each for each in after.tables}
    tables = [
        _table(old_tables[each.name], each) if each.name in old_tables else _all(each, Mark.ADDED)
        for each in after.tables
    ]
    tables += [_all(each, Mark.REMOVED) for each in before.tables if each.name not in new_tables]
    old, new = set(before.relations), set(after.relations)
    relations = [replace(each, mark=Mark.SAME if each in old else Mark.ADDED) for each in after.relations]
    relations += [replace(each, mark=Mark.REMOVED) for each in before.relations if each not in new]
    return Schema(tables=tuple(tables), relations=tuple(relations))


def _all(table: Table, mark: Mark) -> Table:
    return replace(table, mark=mark, columns=tuple(replace(each, mark=mark) for each in table.columns))


def _table(before: Table, after: Table) -> Table:
    old = {each.name: each for each in before.columns}
    columns = [_column(old.get(each.name), each) for each in after.columns]
    kept = {each.name for each in after.columns}
    columns += [replace(each, mark=Mark.REMOVED) for each in before.columns if each.name not in kept]
    is_same = all(each.mark is Mark.SAME for each in columns)
    return replace(after, columns=tuple(columns), mark=Mark.SAME if is_same else Mark.CHANGED)


def _column(before: Column | None, after: Column) -> Column:
    if before is None:
        return replace(after, mark=Mark.ADDED)
    return after if before == after else replace(after, mark=Mark.CHANGED)


def only(schema: Schema, names: Iterable[str]) -> Schema:
    """The schema without the other tables."""
    kept = set(names)
    return Schema(
        tables=tuple(each for each in schema.tables if each.name in kept),
        relations=tuple(each for each in schema.relations if {each.table, each.referred} <= kept),
    )


def changed(schema: Schema) -> Schema:
    """The tables that a change touches, with the tables that they refer to or are referred to by."""
    touched = {each.name for each in schema.tables if each.mark is not Mark.SAME}
    touched |= {each.table for each in schema.relations if each.mark is not Mark.SAME}
    beside = {name for each in schema.relations for name in (each.table, each.referred) if _touches(each, touched)}
    return only(schema, touched | beside)


def _touches(relation: Relation, names: set[str]) -> bool:
    return relation.table in names or relation.referred in names
