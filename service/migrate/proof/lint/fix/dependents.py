"""Indexes and constraints of a column, which a safe operation does not take along and the database would refuse."""

from collections.abc import Iterator, Sequence
from typing import Any

from service.migrate.operations.change_type.change_type import ChangeType
from service.migrate.operations.columns.add_drop import DropColumn
from service.migrate.operations.columns.rename import RenameColumn
from service.migrate.proof.lint.calls import Call
from service.migrate.proof.lint.sql import types
from service.migrate.proof.lint.sql.change import Kind
from service.migrate.proof.lint.sql.schema import Schema
from service.migrate.proof.lint.sql.statements import changes

_DROPS = (Kind.DROP_INDEX, Kind.DROP_CONSTRAINT)


def left(before: Schema, calls: Sequence[Call]) -> Iterator[str]:
    """Why the operations of a revision would be refused on a database with the schema before it."""
    dropped = {each.name for call in calls for each in changes(call.text) if each.kind in _DROPS}
    for operation in {id(each.operation): each.operation for each in calls}.values():
        if (column := _replaced(operation)) is not None:
            table, name = column
            if used := [each for each in before.table(table).dependents(name) if each not in dropped]:
                verb = "uses" if len(used) == 1 else "use"
                yield f"{', '.join(used)} {verb} {table}.{name}: drop and create them in this revision too"


def _replaced(operation: Any) -> tuple[str, str] | None:
    """The column that the operation drops in the end, if it does."""
    if isinstance(operation, DropColumn):
        return operation.table, operation.column.name
    if isinstance(operation, RenameColumn):
        return operation.table, operation.old.name
    if isinstance(operation, ChangeType):
        was, now = (types.spelled(str(each.type.compile())) for each in (operation.was, operation.column))
        return None if types.is_catalog_only(was, now) else (operation.table, operation.column.name)
    return None
