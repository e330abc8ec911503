"""Rendering of autogenerate's operations with `service.migrate.ops`; removals go into contract()."""

from collections.abc import Callable
from typing import Any, TypeVar

from alembic.autogenerate.api import AutogenContext
from alembic.autogenerate.render import _render_column, renderers
from alembic.operations import ops as found
from alembic.operations.ops import DowngradeOps, MigrationScript, ModifyTableOps, UpgradeOps
from sqlalchemy import CheckConstraint, Column, Constraint, ForeignKeyConstraint, Index, MetaData, Table

from service.migrate.dialects import ddl

CONTRACT = "contracts"

_PARTITION_BY = "postgresql_partition_by"
# Where the indexes of a partitioned table wait for its definition to be written.
_INDEXES = "indexes"

_REMOVING = (found.DropTableOp, found.DropColumnOp, found.DropConstraintOp, found.DropIndexOp)

R = TypeVar("R", bound=Callable[..., Any])


def divide(script: MigrationScript) -> None:
    """Move operations that the previous version could not work with into contract()."""
    if script.upgrade_ops is None:
        return
    kept, removed = _divided(_with_indexes_of_partitioned_tables(script.upgrade_ops.ops))
    script.upgrade_ops = [UpgradeOps(kept), UpgradeOps(removed, upgrade_token=CONTRACT)]
    # The template's downgrade() is ops.undo().
    script.downgrade_ops = [DowngradeOps([]), DowngradeOps([], downgrade_token="unused")]  # noqa: S106


def _with_indexes_of_partitioned_tables(operations: list[Any]) -> list[Any]:
    """Move the indexes of a new partitioned table into the table's definition: CONCURRENTLY is not supported there."""
    created = {each.table_name: each for each in operations if isinstance(each, found.CreateTableOp)}
    for each in operations:
        table = created.get(each.table_name)
        if isinstance(each, ModifyTableOps) and table is not None and _PARTITION_BY in table.kw:
            table.kw[_INDEXES] = [index.to_index() for index in each.ops if isinstance(index, found.CreateIndexOp)]
            each.ops = [other for other in each.ops if not isinstance(other, found.CreateIndexOp)]
    return operations


def _divided(operations: list[Any]) -> tuple[list[Any], list[Any]]:
    kept: list[Any] = []
    removed: list[Any] = []
    for each in operations:
        if isinstance(each, ModifyTableOps):
            inner, gone = _divided(each.ops)
            kept += [ModifyTableOps(each.table_name, inner)] if inner else []
            removed += [ModifyTableOps(each.table_name, gone)] if gone else []
        else:
            (removed if _is_removing(each) else kept).append(each)
    return kept, removed


def _is_removing(operation: Any) -> bool:
    """Whether the operation belongs in contract(); SET NOT NULL too, as only the author can fill NULLs."""
    return isinstance(operation, _REMOVING) or getattr(operation, "modify_nullable", None) is False


def _renders(operation: type) -> Callable[[R], R]:
    decorate: Callable[[R], R] = renderers.dispatch_for(operation, replace=True)
    return decorate


_plain_create_table = renderers.dispatch(found.CreateTableOp)


@_renders(found.CreateTableOp)
def _create_table(context: AutogenContext, operation: found.CreateTableOp) -> str:
    indexes = operation.kw.pop(_INDEXES, ())
    text: str = _plain_create_table(context, operation)
    written = "".join(f"sa.Index({_columns_of_index(each)}),\n" for each in indexes)
    return text.replace(_PARTITION_BY, f"{written}{_PARTITION_BY}", 1)


@_renders(found.DropTableOp)
def _drop_table(context: AutogenContext, operation: found.DropTableOp) -> str:
    # The definition with which a downgrade creates the object again.
    created: str = renderers.dispatch(found.CreateTableOp)(context, operation.reverse())
    return created.replace("create_table(", "drop_table(", 1)


@_renders(found.DropColumnOp)
def _drop_column(context: AutogenContext, operation: found.DropColumnOp) -> str:
    column = _render_column(operation.to_column(), context)
    return f"ops.drop_column({operation.table_name!r}, {column})"


@_renders(found.AlterColumnOp)
def _alter_column(context: AutogenContext, operation: found.AlterColumnOp) -> list[str]:
    table, name = operation.table_name, operation.column_name
    lines = []
    if operation.modify_type is not None:
        was, now = (_column(context, operation, each) for each in (operation.existing_type, operation.modify_type))
        lines.append(f"ops.change_type({table!r}, {was}, {now})")
    if operation.modify_server_default is not False:
        default, was_default = (
            _default(operation, each) for each in (operation.modify_server_default, operation.existing_server_default)
        )
        lines.append(f"ops.set_default({table!r}, {name!r}, {default!r}, was={was_default!r})")
    if operation.modify_nullable is not None:
        verb = "drop" if operation.modify_nullable else "set"
        lines.append(f"ops.{verb}_not_null({table!r}, {name!r})")
    return lines


@_renders(found.CreateIndexOp)
def _create_index(_context: AutogenContext, operation: found.CreateIndexOp) -> str:
    return f"ops.create_index({_index(operation.to_index())})"


@_renders(found.DropIndexOp)
def _drop_index(_context: AutogenContext, operation: found.DropIndexOp) -> str:
    return f"ops.drop_index({_index(operation.to_index())})"


@_renders(found.CreateUniqueConstraintOp)
def _add_unique(_context: AutogenContext, operation: found.CreateUniqueConstraintOp) -> str:
    columns = [str(each) for each in operation.columns]
    return f"ops.add_unique({operation.table_name!r}, {str(operation.constraint_name)!r}, {columns!r})"


@_renders(found.CreateCheckConstraintOp)
def _add_check(_context: AutogenContext, operation: found.CreateCheckConstraintOp) -> str:
    return f"ops.add_check({operation.table_name!r}, {str(operation.constraint_name)!r}, {str(operation.condition)!r})"


@_renders(found.CreateForeignKeyOp)
def _add_foreign_key(_context: AutogenContext, operation: found.CreateForeignKeyOp) -> str:
    columns, referred = [*map(str, operation.local_cols)], [*map(str, operation.remote_cols)]
    rules = "".join(f", {rule}={value!r}" for rule, value in _rules(operation.kw).items())
    return (
        f"ops.add_foreign_key({operation.source_table!r}, {str(operation.constraint_name)!r}, {columns!r}, "
        f"{operation.referent_table!r}, {referred!r}{rules})"
    )


@_renders(found.DropConstraintOp)
def _drop_constraint(_context: AutogenContext, operation: found.DropConstraintOp) -> str:
    return f"ops.drop_constraint({operation.table_name!r}, {_constraint(operation.to_constraint())})"


def _constraint(constraint: Constraint) -> str:
    name = str(constraint.name)
    if isinstance(constraint, ForeignKeyConstraint):
        targets = [each.target_fullname for each in constraint.elements]
        rules = "".join(f", {rule}={value!r}" for rule, value in _rules(vars(constraint)).items())
        return f"sa.ForeignKeyConstraint({list(constraint.column_keys)!r}, {targets!r}, name={name!r}{rules})"
    if isinstance(constraint, CheckConstraint):
        return f"sa.CheckConstraint({str(constraint.sqltext)!r}, name={name!r})"
    columns = ", ".join(repr(column.name) for column in getattr(constraint, "columns", ()))
    return f"sa.UniqueConstraint({columns}, name={name!r})"


def _rules(kept: Any) -> dict[str, str]:
    return {rule: kept[rule] for rule in ("ondelete", "onupdate") if kept.get(rule)}


def _index(index: Index) -> str:
    columns = [str(each.name) if isinstance(each, Column) else str(each) for each in index.expressions]
    table = "" if index.table is None else index.table.name
    where = index.dialect_options["postgresql"]["where"]
    more = f"{', unique=True' if index.unique else ''}{f', where={str(where)!r}' if where is not None else ''}"
    return f"{str(index.name)!r}, {table!r}, {columns!r}{more}"


def _columns_of_index(index: Index) -> str:
    return ", ".join(repr(str(each)) for each in (index.name, *(column.name for column in index.columns)))


def _column(context: AutogenContext, operation: found.AlterColumnOp, kind: Any) -> str:
    column: Column[Any] = Column(
        operation.column_name,
        kind,
        nullable=operation.existing_nullable is not False,
        server_default=operation.existing_server_default or None,
    )
    Table(operation.table_name, MetaData(), column)
    return str(_render_column(column, context))


def _default(operation: found.AlterColumnOp, default: Any) -> str | None:
    """The default as SQL, in PostgreSQL's syntax where the databases differ."""
    if default in (None, False):
        return None
    column: Column[Any] = Column(operation.column_name, operation.existing_type, server_default=default)
    return ddl.default_text(column, "postgresql")
