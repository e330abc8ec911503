"""`create_table` and `drop_table`."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from sqlalchemy import Connection, Table

from service.migrate.dialects import ddl, predicates
from service.migrate.operations import dependents, text_uses
from service.migrate.operations.attributes import refuse_table
from service.migrate.operations.base import Operation, Phases, merged
from service.migrate.operations.constraints.drop_replace import DropConstraint, of_table
from service.migrate.operations.constraints.foreign_key import (
    AddForeignKey,
    trashed_orphans,
    with_orphans_resolved,
)
from service.migrate.operations.definitions_of_columns import same_table
from service.migrate.operations.step import Lock, Step, Target
from service.migrate.operations.tables.actions import dropped, rename_table, renamed


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateTable(Operation):
    """A new table; each foreign key is a step of its own, since it locks the referenced table.

    The downgrade moves the table and its rows to the trash, and the next upgrade restores it. A `derived` table is
    dropped instead, since the backfill computes its rows again.
    """

    table: Table
    derived: bool = False

    def phases(self, target: Target, /) -> Phases:
        name = self.table.name
        refuse_table(self.table, target)
        keys = _keys(self.table)
        asked = [] if self.derived else [key for key in keys if not key.releases]
        steps = (step for key in keys for step in self._key(target, key))
        return Phases(
            requires=tuple((key.referred, key.referred_columns) for key in keys if key.referred != name),
            creates=frozenset({name}),
            provides=((name, tuple(column.name for column in self.table.columns)),),
            preconditions=(same_table(target, self.table), *(trashed_orphans(key, target) for key in asked)),
            expand=(*self._created(target), *steps),
            adds=frozenset(dependents.constraint(name, key.name) for key in keys),
        )

    def _created(self, target: Target) -> tuple[Step, ...]:
        name = self.table.name
        trash = ddl.trash_name(target.revision, name)
        drop = dropped(target, name)
        undo = (drop,) if self.derived else (_trashed_if_it_has_rows(target, name, trash), drop)
        create = Step(
            title=f"CREATE TABLE {name}",
            done=predicates.has_table(target.dialect, name),
            statements=_made(self.table, target),
            undo=undo,
        )
        # Both steps have the same undo: after a kill between them, the table is restored and only `back` recorded.
        back = replace(_restored(target, name, trash), scripted=False, undo=undo)
        return (create,) if self.derived else (back, create)

    def _key(self, target: Target, key: AddForeignKey) -> tuple[Step, ...]:
        steps = key.phases(target).expand
        if self.derived or not key.releases:
            return steps
        return with_orphans_resolved(steps, key, rows=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class DropTable(Operation):
    """A table that no running version uses: it stays in the trash with its rows until `purge`."""

    table: Table
    uses_checked: tuple[str, ...] = ()

    def phases(self, target: Target, /) -> Phases:
        refuse_table(self.table, target)
        name, keys = self.table.name, _keys(self.table)
        # A foreign key of a table in the trash would still block or cascade deletes of its parents.
        dropped_keys = merged(DropConstraint(added=key).phases(target) for key in reversed(keys))
        why = f"{name} cannot be dropped before its dependents"
        named = f"{name} cannot be dropped, since the text of these may name it"
        declared = frozenset(dependents.index(str(index.name)) for index in self.table.indexes)
        return Phases(
            removes=True,
            requires=((name, ()),),
            preconditions=(
                replace(dependents.of_table(name, why), ignoring=declared),
                *text_uses.of_table(name, named, self.uses_checked),
            ),
            expand=(*dropped_keys.expand, self._moved_to_trash(target)),
            purge=(dropped(target, ddl.trash_name(target.revision, name)),),
            frees=dropped_keys.frees,
        )

    def _moved_to_trash(self, target: Target) -> Step:
        name = self.table.name
        trash = ddl.trash_name(target.revision, name)
        there = predicates.has_table(target.dialect, name)
        recreated = Step(
            title=f"CREATE TABLE {name}",
            done=predicates.either(there, predicates.has_table(target.dialect, trash)),
            statements=_made(self.table, target),
            scripted=False,
        )
        return Step(
            title=f"MOVE TABLE {name} TO TRASH",
            lock=Lock.ACCESS_EXCLUSIVE,
            tables=(name,),
            done=predicates.negated(there),
            **renamed(target, name, trash),
            undo=(recreated, _restored(target, name, trash)),
        )


def _keys(table: Table) -> list[AddForeignKey]:
    """The foreign keys in the order of their names: SQLAlchemy keeps them in a set."""
    found = [of_table(table.name, key) for key in table.foreign_key_constraints]
    keys = [key for key in found if isinstance(key, AddForeignKey)]
    return sorted(keys, key=lambda key: key.name)


def _made(table: Table, target: Target) -> tuple[str, ...]:
    """CREATE TABLE, CREATE INDEX and COMMENT ON; an empty table needs no CONCURRENTLY."""
    indexes = sorted(table.indexes, key=lambda index: str(index.name))
    texts = (ddl.index_text(index, target.dialect) for index in indexes)
    return (
        ddl.table_text(table, target.dialect),
        *(text.replace("INDEX CONCURRENTLY ", "INDEX ", 1) for text in texts),
        *ddl.comments(table, target.dialect),
    )


def _trashed_if_it_has_rows(target: Target, name: str, trash: str) -> Step:
    rename = rename_table(name, trash)

    def renamed_if_it_has_rows(connection: Connection) -> Iterable[str]:
        return [rename] if connection.exec_driver_sql(predicates.has_rows(name)).scalar() else []

    block = f"DO $$ BEGIN IF ({predicates.has_rows(name)}) THEN {rename}; END IF; END $$"
    return Step(
        title=f"MOVE TABLE {name} TO TRASH",
        lock=Lock.ACCESS_EXCLUSIVE,
        tables=(name,),
        done=predicates.negated(predicates.has_table(target.dialect, name)),
        statements=() if target.is_sqlite else (block,),
        generate=renamed_if_it_has_rows if target.is_sqlite else None,
    )


def _restored(target: Target, name: str, trash: str) -> Step:
    return Step(
        title=f"RESTORE TABLE {name} FROM TRASH",
        lock=Lock.ACCESS_EXCLUSIVE,
        tables=(trash,),
        done=predicates.negated(predicates.has_table(target.dialect, trash)),
        **renamed(target, trash, name),
    )
