"""Columns with a new name, beside code that knows the old one: two columns that triggers keep equal."""

from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Column, Connection

from service.migrate.dialects import ddl, predicates
from service.migrate.operations import dependents
from service.migrate.operations.base import Columns, Operation
from service.migrate.operations.columns.add_drop import (
    again,
    as_told,
    brought_back,
    refuse_own_constraints,
    refuse_own_values,
    removal,
    rename_column,
    unfilled,
)
from service.migrate.operations.columns.not_null import optional, primary_key, required
from service.migrate.operations.step import Check, Fill, Lock, Place, Step, mirrored
from service.migrate.operations.triggers.sync import Sync, converted


@dataclass(frozen=True, slots=True, kw_only=True)
class RenameColumn(Operation):
    """A column with a new name, and the old one for the code before, each with what is written to the other.

    `up` and `down` may make the values of one of those of the other, where a column is not only renamed.
    """

    table: str
    old: Column[Any]
    new: Column[Any]
    key: tuple[str, ...] = ("id",)
    up: str = "{}"
    down: str = "{}"

    def needs(self) -> list[Columns]:
        return [(self.table, (self.old.name, *self.key))]

    def gives(self) -> list[Columns]:
        return [(self.table, (self.new.name,))]

    def checks(self, place: Place) -> list[Check]:  # noqa: ARG002
        return [as_told(self.table, self.old)]

    def expand(self, place: Place) -> list[Step]:
        refuse_own_constraints(self.table, self.new)
        refuse_own_values(self.table, self.new)
        add = unfilled(place, self.table, self.new)
        trigger = self._sync.trigger(place)
        if not place.is_sqlite:
            return [add, trigger]
        relax = [replace(each, undo=tuple(required(place, self.table, self.old.name))) for each in self._relaxed(place)]
        new, old = ddl.quoted(self.new.name), ddl.quoted(self.old.name)
        value = converted(self.up, old)
        fill = Step(
            title=f"fill {self.table}.{self.new.name}",
            lock=Lock.ACCESS_EXCLUSIVE,
            tables=(self.table,),
            statements=(f"UPDATE {ddl.quoted(self.table)} SET {new} = {value} WHERE {new} IS NOT {value}",),
        )
        return [*relax, add, trigger, fill]

    def fills(self, place: Place) -> list[Fill]:
        return [] if place.is_sqlite else [self._sync.fill(place)]

    def settle(self, place: Place) -> list[Step]:
        # On SQLite a trigger runs after NOT NULL was checked: old code must be gone first.
        return [] if self.new.nullable or place.is_sqlite else required(place, self.table, self.new.name)

    def contract_checks(self, place: Place) -> list[Check]:  # noqa: ARG002
        what = f"{self.table}.{self.old.name}"
        why = f"{what} cannot give way to {self.new.name} while something uses it; drop that in contract()"
        return [dependents.of_column(self.table, self.old.name, why)]

    def contract(self, place: Place) -> list[Step]:
        """The old column goes last: until then whatever is written has a value for it."""
        aside = ddl.trash_name(place.revision, self.old.name)
        need = required(place, self.table, self.new.name) if place.is_sqlite and not self.new.nullable else []
        relax = self._relaxed(place)
        if not place.is_sqlite:
            relax = [replace(each, undo=tuple(required(place, self.table, self.old.name))) for each in relax]
        resync = self._sync.fill_back(place)
        leave = Step(title=f"leave {resync.name} to the way back", undo=(resync,))
        away = Step(
            title=f"keep {self.table}.{self.old.name} aside",
            lock=Lock.ACCESS_EXCLUSIVE,
            tables=(self.table,),
            done=predicates.negated(predicates.has_column(place.dialect, self.table, self.old.name)),
            statements=(rename_column(self.table, self.old.name, aside),),
            undo=(
                again(place, self.table, self.old, aside),
                brought_back(place, self.table, self.old.name, aside),
            ),
        )
        return [*need, *relax, leave, mirrored(self._sync.trigger(place)), away]

    def undo_checks(self, place: Place) -> list[Check]:
        # There the old column may be NULL from the beginning.
        return self.contract_undo_checks(place) if place.is_sqlite else []

    def contract_undo_checks(self, place: Place) -> list[Check]:  # noqa: ARG002
        if self.old.nullable:
            return []
        new, what = ddl.quoted(self.new.name), f"{self.table}.{self.old.name}"

        def find(connection: Connection) -> str:
            key = primary_key(connection, self.table)
            value = converted(self.down, new)
            return f"SELECT {key} FROM {ddl.quoted(self.table)} WHERE {value} IS NULL ORDER BY {key}"

        why = f"{what} may not be NULL, and some rows have no {self.new.name} to make one of"
        return [Check(why=why, rows=find, table=self.table, needs=(self.new.name,))]

    def purge(self, place: Place) -> list[Step]:
        return [removal(place, self.table, ddl.trash_name(place.revision, self.old.name))]

    @property
    def _sync(self) -> Sync:
        return Sync(table=self.table, old=self.old, new=self.new, up=self.up, down=self.down, key=self.key)

    def _relaxed(self, place: Place) -> list[Step]:
        if self.old.nullable or self.old.server_default is not None:
            return []
        return [optional(place, self.table, self.old.name, undoable=False)]
