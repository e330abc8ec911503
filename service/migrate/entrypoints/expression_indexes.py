"""Autogenerate's missing half on SQLite: indexes on expressions, compared by the statements that create them."""

from typing import Any

from alembic.operations.ops import CreateIndexOp, DropIndexOp, DropTableOp, MigrationScript, ModifyTableOps
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Column, Index, MetaData

from service.migrate.dialects.ddl import is_trash
from service.migrate.dialects.sqlite import expression_indexes
from service.migrate.entrypoints.dividing import Replaced


def add(context: MigrationContext, script: MigrationScript) -> None:
    """Add the operations for indexes on expressions, of which SQLAlchemy reflects none on SQLite."""
    metadata = context.opts.get("target_metadata")
    if context.dialect.name != "sqlite" or context.connection is None or script.upgrade_ops is None:
        return
    stored = {str(each.name): (each, is_hidden) for each, is_hidden in expression_indexes.stored(context.connection)}
    operations = script.upgrade_ops.ops
    _read_exactly(operations, {name: each for name, (each, _) in stored.items()})
    for index in _modelled(metadata):
        was, _ = stored.pop(str(index.name), (None, False))
        if was is None:
            operations.append(_of_table(index, CreateIndexOp.from_index(index)))
        elif not expression_indexes.is_same(was, index):
            operations.append(_of_table(index, Replaced(DropIndexOp.from_index(was), CreateIndexOp.from_index(index))))
    for was, is_hidden in stored.values():
        if is_hidden and was.table is not None and not is_trash(was.table.name):
            _drop(operations, was)


def _read_exactly(operations: list[Any], stored: dict[str, Index]) -> None:
    """Drop each index by its stored definition: SQLAlchemy does not reflect DESC and COLLATE."""
    for each in operations:
        if isinstance(each, ModifyTableOps):
            _read_exactly(each.ops, stored)
    for place, one in enumerate(operations):
        if isinstance(one, DropIndexOp) and str(one.index_name) in stored:
            operations[place] = DropIndexOp.from_index(stored[str(one.index_name)])


def _modelled(metadata: Any) -> list[Index]:
    """The indexes of the models that are on an expression, or sorted."""
    tables = metadata.tables.values() if isinstance(metadata, MetaData) else ()
    found = [index for table in tables for index in table.indexes]
    plain = [index for index in found if all(isinstance(each, Column) for each in index.expressions)]
    return sorted((index for index in found if index not in plain), key=lambda index: str(index.name))


def _drop(operations: list[Any], was: Index) -> None:
    """Drop the index, before its table; or replace it, where the models have a plain index of its name."""
    assert was.table is not None  # noqa: S101 - `stored` attaches each to a table
    for each in operations:
        inner = each.ops if isinstance(each, ModifyTableOps) else []
        for place, one in enumerate(inner):
            if isinstance(one, CreateIndexOp) and one.index_name == was.name:
                inner[place] = Replaced(DropIndexOp.from_index(was), one)
                return
    at = [
        place
        for place, each in enumerate(operations)
        if isinstance(each, DropTableOp) and each.table_name == was.table.name
    ]
    operations.insert(at[0] if at else len(operations), _of_table(was, DropIndexOp.from_index(was)))


def _of_table(index: Index, operation: Any) -> ModifyTableOps:
    assert index.table is not None  # noqa: S101 - of a model, or of `stored`
    return ModifyTableOps(index.table.name, [operation])
