"""`add_column` and `drop_column`."""

from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Column, Connection

from service.migrate.dialects import ddl, predicates
from service.migrate.dialects.postgresql import carry
from service.migrate.errors import Refused
from service.migrate.operations import dependents, text_uses
from service.migrate.operations.attributes import refuse_column
from service.migrate.operations.base import Operation, Phases
from service.migrate.operations.columns.actions import (
    addition,
    moved_to_trash,
    optional,
    removal,
    rename_column,
    restored,
)
from service.migrate.operations.columns.requirements import (
    matches_definition,
    refuse_own_constraints,
    refuse_own_values,
)
from service.migrate.operations.columns.rewriting import adds_without_rewrite
from service.migrate.operations.definitions_of_columns import same_column
from service.migrate.operations.preconditions import primary_key
from service.migrate.operations.step import Lock, Precondition, Step, Target


@dataclass(frozen=True, slots=True, kw_only=True)
class AddColumn(Operation):
    """A new column that is NULL, or has one constant default, in existing rows: a change of the catalog alone.

    The downgrade moves the column and its values to the trash, and the next upgrade restores them. A `derived` column
    is dropped instead, since the backfill computes its values again.
    """

    table: str
    column: Column[Any]
    derived: bool = False
    uses_checked: tuple[str, ...] = ()

    def phases(self, target: Target, /) -> Phases:
        refuse_column(self.table, self.column, target)
        _refuse_slow(self.table, self.column)
        return Phases(
            requires=((self.table, ()),),
            provides=((self.table, (self.column.name,)),),
            preconditions=(
                same_column(target, self.table, self.column),
                *adds_without_rewrite(target, self.table, self.column),
                *text_uses.of_shape(self.table, self.uses_checked),
            ),
            expand=(self._added(target),) if self.derived else self._returning(target),
        )

    def _added(self, target: Target, *undo: Step) -> Step:
        add = addition(target, self.table, self.column, undo=undo)
        if target.is_sqlite:
            return add
        return replace(add, statements=(*add.statements, carry.grant_as_others(self.table, self.column.name)))

    def _returning(self, target: Target) -> tuple[Step, ...]:
        trash = ddl.trash_name(target.revision, self.column.name)
        add = self._added(target, self._trashed_if_it_has_rows(target, trash))
        # Both steps have the same undo: after a kill between them, the column is restored and only `back` recorded.
        back = replace(restored(target, self.table, self.column.name, trash, scripted=False), undo=add.undo)
        return (back, add)

    def _trashed_if_it_has_rows(self, target: Target, trash: str) -> Step:
        """Rename the column into the trash if the table has rows; in an empty table it is dropped."""
        there = predicates.has_column(target.dialect, self.table, self.column.name)
        return Step(
            title=f"MOVE COLUMN {self.table}.{self.column.name} TO TRASH",
            lock=Lock.ACCESS_EXCLUSIVE,
            tables=(self.table,),
            done=predicates.either(predicates.negated(there), predicates.negated(predicates.has_rows(self.table))),
            statements=(rename_column(self.table, self.column.name, trash),),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DropColumn(Operation):
    """A column that no running version uses: it stays in the trash with its values until `purge`."""

    table: str
    column: Column[Any]
    uses_checked: tuple[str, ...] = ()

    def phases(self, target: Target, /) -> Phases:
        refuse_column(self.table, self.column, target)
        table, name = self.table, self.column.name
        why = f"{table}.{name} cannot be dropped before its dependents"
        named = f"{table}.{name} cannot be dropped, since the text of these may name it"
        # In the trash the column must accept NULL: inserts no longer name it.
        relax = (optional(target, table, name),) if self._is_needed else ()
        return Phases(
            removes=True,
            requires=((table, (name,)),),
            preconditions=(
                matches_definition(table, self.column),
                dependents.of_column(table, name, why),
                *text_uses.of_column(table, name, named, self.uses_checked),
            ),
            expand=(*relax, moved_to_trash(target, table, self.column)),
            purge=(removal(target, table, ddl.trash_name(target.revision, name)),),
            undo_preconditions=(self._none_missing(target),) if self._is_needed else (),
        )

    @property
    def _is_needed(self) -> bool:
        return not self.column.nullable and self.column.server_default is None

    def _none_missing(self, target: Target) -> Precondition:
        """No row was inserted without a value while the column was in the trash."""
        name = self.column.name
        trash = ddl.trash_name(target.revision, name)

        def find(connection: Connection) -> str:
            # After an interrupted downgrade the column has its own name again.
            asked = {each: predicates.has_column(target.dialect, self.table, each) for each in (trash, name)}
            there = [each for each, question in asked.items() if connection.exec_driver_sql(question).scalar()]
            only = f" WHERE {ddl.quoted(there[0])} IS NULL" if there else ""
            key = primary_key(connection, self.table)
            return f"SELECT {key} FROM {ddl.quoted(self.table)}{only} ORDER BY {key}"

        why = f"{self.table}.{name} is NOT NULL, and some rows were inserted without a value for it"
        return Precondition(why=why, rows=find, table=self.table, needs=(name,))


def _refuse_slow(table: str, column: Column[Any]) -> None:
    refuse_own_constraints(table, column)
    refuse_own_values(table, column)
    if not column.nullable and column.server_default is None:
        raise Refused(
            f"{table}.{column.name} is NOT NULL without a default: existing rows, and rows of the old version, have no "
            "value for it. Give it a server_default, or add it nullable and call ops.set_not_null(…, fill=…)."
        )
