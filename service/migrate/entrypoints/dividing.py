"""Autogenerate's operations in the order in which a revision can run them, divided among upgrade() and contract()."""

from collections.abc import Iterable
from copy import copy
from typing import Any

from alembic.operations import ops as found
from alembic.operations.ops import DowngradeOps, MigrateOperation, MigrationScript, ModifyTableOps, UpgradeOps
from sqlalchemy import ForeignKeyConstraint

from service.migrate.errors import Refused

CONTRACT = "contracts"
PARTITION_BY = "postgresql_partition_by"
# Where the indexes of a partitioned table wait for its definition to be written.
INDEXES = "indexes"

_REMOVING = (found.DropTableOp, found.DropColumnOp, found.DropConstraintOp, found.DropIndexOp)


class Replaced(MigrateOperation):
    """An index or a constraint that another of the same name replaces."""

    def __init__(self, was: Any, now: Any) -> None:
        self.was, self.now = was, now
        self.table_name = str(was.table_name)

    def to_diff_tuple(self) -> tuple[str, Any, Any]:
        """The difference, as `alembic check` reports it."""
        return ("replace", self.was.to_diff_tuple()[1], self.now.to_diff_tuple()[1])


def divide(script: MigrationScript) -> None:
    """Move operations that the previous version could not work with into contract().

    Raises:
        Refused: a unique constraint replaces an index of the same name, or the reverse.
    """
    if script.upgrade_ops is None:
        return
    ordered = _with_later_keys(_with_indexes_of_partitioned_tables(script.upgrade_ops.ops))
    kept, removed = _divided(ordered)
    script.upgrade_ops = [UpgradeOps(kept), UpgradeOps(_with_earlier_drops(removed), upgrade_token=CONTRACT)]
    # The template's downgrade() is ops.undo().
    script.downgrade_ops = [DowngradeOps([]), DowngradeOps([], downgrade_token="unused")]  # noqa: S106


def _with_indexes_of_partitioned_tables(operations: list[Any]) -> list[Any]:
    """Move the indexes of a new partitioned table into the table's definition: CONCURRENTLY is not supported there."""
    created = {each.table_name: each for each in operations if isinstance(each, found.CreateTableOp)}
    for each in operations:
        table = created.get(str(getattr(each, "table_name", "")))
        if isinstance(each, ModifyTableOps) and table is not None and PARTITION_BY in table.kw:
            # Not in kw, which Alembic hands to Table when it lists differences.
            vars(table)[INDEXES] = [index.to_index() for index in each.ops if isinstance(index, found.CreateIndexOp)]
            each.ops = [other for other in each.ops if not isinstance(other, found.CreateIndexOp)]
    return operations


def _with_later_keys(operations: list[Any]) -> list[Any]:
    """Add the foreign key to a table that is created later once that table is there."""
    names = [each.table_name for each in operations if isinstance(each, found.CreateTableOp)]
    later: list[Any] = []
    for place, each in enumerate(one for one in operations if isinstance(one, found.CreateTableOp)):
        unknown = names[place + 1 :]
        keys = [key for key in each.columns if isinstance(key, ForeignKeyConstraint) and _refers_to(key, unknown)]
        each.columns = _without(each.columns, keys)
        later += [found.CreateForeignKeyOp.from_constraint(key) for key in keys]
    return [*operations, *later]


def _with_earlier_drops(operations: list[Any]) -> list[Any]:
    """Drop the foreign key of a table that is dropped later before the table that the key refers to."""
    ordered: list[Any] = []
    dropped = [each for each in operations if isinstance(each, found.DropTableOp)]
    names = [each.table_name for each in dropped]
    for each in operations:
        if isinstance(each, found.DropTableOp):
            for other in dropped[names.index(each.table_name) + 1 :]:
                ordered += _freed(other, each.table_name)
        ordered.append(each)
    return ordered


def _freed(table: found.DropTableOp, referred: str) -> list[Any]:
    """Take the foreign keys to `referred` out of the definition, and return the operations that drop them."""
    reverse = table._reverse  # noqa: SLF001 - the definition, which has no public name
    if reverse is None:
        return []
    keys = [key for key in reverse.columns if isinstance(key, ForeignKeyConstraint) and _refers_to(key, [referred])]
    reverse.columns = _without(reverse.columns, keys)
    return [found.DropConstraintOp.from_constraint(key) for key in keys]


def _without(items: Iterable[Any], keys: Iterable[ForeignKeyConstraint]) -> list[Any]:
    # By identity: a column's == makes an SQL expression.
    gone = set(map(id, keys))
    return [item for item in items if id(item) not in gone]


def _refers_to(key: ForeignKeyConstraint, tables: Iterable[str]) -> bool:
    return key.elements[0].target_fullname.rsplit(".", 1)[0] in tables


def _divided(operations: list[Any]) -> tuple[list[Any], list[Any]]:
    kept: list[Any] = []
    removed: list[Any] = []
    for each in operations:
        if isinstance(each, ModifyTableOps):
            inner, gone = _divided(_paired(each.ops))
            kept += [ModifyTableOps(each.table_name, inner)] if inner else []
            removed += [ModifyTableOps(each.table_name, gone)] if gone else []
        else:
            for one in _split(each):
                (removed if _is_removing(one) else kept).append(one)
    return kept, removed


def _split(operation: Any) -> list[Any]:
    """The operation; SET NOT NULL, which belongs in contract(), apart from other changes of the column."""
    if not isinstance(operation, found.AlterColumnOp) or operation.modify_nullable is not False:
        return [operation]
    others, need = copy(operation), copy(operation)
    others.modify_nullable = None
    need.modify_type, need.modify_server_default, need.modify_comment = None, False, False
    return [others, need] if others.has_changes() else [need]


def _paired(operations: list[Any]) -> list[Any]:
    """The drop and the creation of one name as one replacement: a name is no two things at once."""
    created = {
        _name(each): each for each in operations if isinstance(each, (found.AddConstraintOp, found.CreateIndexOp))
    }
    pairs = {}
    for each in operations:
        if isinstance(each, (found.DropConstraintOp, found.DropIndexOp)) and (now := created.get(_name(each))):
            if isinstance(each, found.DropIndexOp) is not isinstance(now, found.CreateIndexOp):
                raise Refused(
                    f"{_name(each)} of {each.table_name} is an index in the models and a constraint in the database, "
                    "or the reverse. Give the one in the models another name, and draft again."
                )
            pairs[each] = now
    replaced = set(map(id, pairs.values()))
    return [Replaced(each, pairs[each]) if each in pairs else each for each in operations if id(each) not in replaced]


def _name(operation: Any) -> str | None:
    name = getattr(operation, "index_name", None) or getattr(operation, "constraint_name", None)
    return None if name is None else str(name)


def _is_removing(operation: Any) -> bool:
    """Whether the operation belongs in contract(); SET NOT NULL too, as only the author can fill NULLs."""
    return isinstance(operation, _REMOVING) or getattr(operation, "modify_nullable", None) is False
