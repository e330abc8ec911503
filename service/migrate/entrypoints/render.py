"""Rendering of autogenerate's operations with `service.migrate.ops`; removals go into contract()."""

from collections.abc import Callable
from typing import Any, TypeVar

from alembic.autogenerate.api import AutogenContext
from alembic.autogenerate.render import _constraint_renderers, _render_column, renderers
from alembic.operations import ops as found
from sqlalchemy import (
    CheckConstraint,
    Column,
    Constraint,
    ForeignKeyConstraint,
    Identity,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    UniqueConstraint,
)

from service.migrate import naming
from service.migrate.dialects import ddl
from service.migrate.entrypoints.definitions import (
    constraint_options,
    constraint_text,
    index_arguments,
    index_text,
    sql_text,
)
from service.migrate.entrypoints.dividing import INDEXES, PARTITION_BY, Replaced
from service.migrate.errors import Refused

R = TypeVar("R", bound=Callable[..., Any])


def _renders(operation: type) -> Callable[[R], R]:
    decorate: Callable[[R], R] = renderers.dispatch_for(operation, replace=True)
    return decorate


_plain_create_table = renderers.dispatch(found.CreateTableOp)


@_renders(found.CreateTableOp)
def _create_table(context: AutogenContext, operation: found.CreateTableOp) -> str:
    indexes = vars(operation).get(INDEXES, ())
    # For Python alone, and perhaps no literal.
    operation.info = {}
    text: str = _plain_create_table(context, operation)
    written = "".join(f"sa.Index({index_text(each, context)}),\n" for each in indexes)
    return text.replace(PARTITION_BY, f"{written}{PARTITION_BY}", 1)


def _constraint(constraint: Constraint, context: AutogenContext, _metadata: MetaData | None) -> str | None:
    """A constraint of a table; `None` for one that its column's type makes, and for an empty primary key."""
    is_of_type = getattr(constraint, "_type_bound", False)
    return None if is_of_type or not _has_content(constraint) else constraint_text(constraint, context)


def _has_content(constraint: Constraint) -> bool:
    return not isinstance(constraint, PrimaryKeyConstraint) or bool(constraint.columns)


for _kind in (PrimaryKeyConstraint, UniqueConstraint, ForeignKeyConstraint, CheckConstraint):
    _constraint_renderers.dispatch_for(_kind, replace=True)(_constraint)


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
    defaults = (operation.modify_server_default, operation.existing_server_default)
    if operation.modify_server_default is not False and any(isinstance(each, Identity) for each in defaults):
        raise _no_identity(operation)
    if operation.modify_server_default is not False:
        default, was_default = (
            _default(operation, each) for each in (operation.modify_server_default, operation.existing_server_default)
        )
        lines.append(f"ops.set_default({table!r}, {name!r}, {default!r}, was={was_default!r})")
    if operation.modify_nullable is not None:
        verb = "drop" if operation.modify_nullable else "set"
        lines.append(f"ops.{verb}_not_null({table!r}, {name!r})")
    if operation.modify_comment is not False:
        comment, before = operation.modify_comment, operation.existing_comment
        lines.append(f"ops.set_comment({table!r}, {comment!r}, was={before!r}, column={name!r})")
    return lines


def _no_identity(operation: found.AlterColumnOp) -> Refused:
    return Refused(
        f"{operation.table_name}.{operation.column_name}: the identities of the model and of the database differ, "
        "which no operation changes. Write ops.execute(…) with ALTER COLUMN in an empty revision "
        f"({naming.command('revision --empty')}), run it, and draft again."
    )


@_renders(found.CreateIndexOp)
def _create_index(context: AutogenContext, operation: found.CreateIndexOp) -> str:
    return f"ops.create_index({index_arguments(operation.to_index(), context)})"


@_renders(found.DropIndexOp)
def _drop_index(context: AutogenContext, operation: found.DropIndexOp) -> str:
    return f"ops.drop_index({index_arguments(operation.to_index(), context)})"


@_renders(found.CreateUniqueConstraintOp)
def _add_unique(context: AutogenContext, operation: found.CreateUniqueConstraintOp) -> str:
    constraint = operation.to_constraint()
    columns = [str(each) for each in operation.columns]
    more = constraint_options(constraint, context)
    return f"ops.add_unique({operation.table_name!r}, {str(operation.constraint_name)!r}, {columns!r}{more})"


@_renders(found.CreateCheckConstraintOp)
def _add_check(context: AutogenContext, operation: found.CreateCheckConstraintOp) -> str:
    condition = sql_text(operation.condition, context)
    more = constraint_options(operation.to_constraint(), context)
    return f"ops.add_check({operation.table_name!r}, {str(operation.constraint_name)!r}, {condition!r}{more})"


@_renders(found.CreateForeignKeyOp)
def _add_foreign_key(context: AutogenContext, operation: found.CreateForeignKeyOp) -> str:
    columns, referred = [*map(str, operation.local_cols)], [*map(str, operation.remote_cols)]
    return (
        f"ops.add_foreign_key({operation.source_table!r}, {str(operation.constraint_name)!r}, {columns!r}, "
        f"{operation.referent_table!r}, {referred!r}{constraint_options(operation.to_constraint(), context)})"
    )


@_renders(found.DropConstraintOp)
def _drop_constraint(context: AutogenContext, operation: found.DropConstraintOp) -> str:
    return f"ops.drop_constraint({operation.table_name!r}, {constraint_text(operation.to_constraint(), context)})"


@_renders(Replaced)
def _replaced(context: AutogenContext, operation: Replaced) -> str:
    table = operation.table_name
    if isinstance(operation.was, found.DropIndexOp):
        old, new = (f"sa.Index({index_text(each.to_index(), context)})" for each in (operation.was, operation.now))
        return f"ops.replace_index({table!r}, {old}, {new})"
    old, new = (constraint_text(each.to_constraint(), context) for each in (operation.was, operation.now))
    return f"ops.replace_constraint({table!r}, {old}, {new})"


@_renders(found.CreateTableCommentOp)
def _set_comment(_context: AutogenContext, operation: found.CreateTableCommentOp) -> str:
    return f"ops.set_comment({operation.table_name!r}, {operation.comment!r}, was={operation.existing_comment!r})"


@_renders(found.DropTableCommentOp)
def _drop_comment(_context: AutogenContext, operation: found.DropTableCommentOp) -> str:
    return f"ops.set_comment({operation.table_name!r}, None, was={operation.existing_comment!r})"


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
