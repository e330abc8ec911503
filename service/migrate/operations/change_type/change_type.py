"""Columns of another type: at once where PostgreSQL only notes it down, else by a column beside that takes over."""

from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Column, Connection

from service.migrate.dialects import ddl, predicates
from service.migrate.dialects.postgresql import blocks
from service.migrate.dialects.types import has_type, is_noted_only, longest
from service.migrate.errors import Refused
from service.migrate.operations import dependents
from service.migrate.operations.base import Columns, Operation
from service.migrate.operations.change_type import conversion
from service.migrate.operations.change_type.conversion import Conversion
from service.migrate.operations.change_type.narrow import is_beside, narrowed, without_beside
from service.migrate.operations.columns.add_drop import (
    addition,
    as_told,
    refuse_own_constraints,
    removal,
    rename_column,
    unfilled,
)
from service.migrate.operations.columns.not_null import optional, primary_key, required
from service.migrate.operations.step import Check, Fill, Lock, Place, Step, mirrored


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeType(Operation):
    """A column with its old name and another type, which the code before can live with.

    `using` makes the new value of the old, `back` the old of the new: SQL expressions with `{}` where the value goes.
    The old values are kept aside where the new ones do not tell them.
    """

    table: str
    was: Column[Any]
    column: Column[Any]
    using: str = "{}"
    back: str = "{}"
    key: tuple[str, ...] = ("id",)

    def needs(self) -> list[Columns]:
        return [(self.table, (self._name, *self.key))]

    def checks(self, place: Place) -> list[Check]:
        told = as_told(self.table, self.was)
        if place.is_sqlite:
            return [told]
        what = f"{self.table}.{self._name} cannot change its type"
        if not self._is_noted_only:
            why = f"{what}: the new column would not have what uses it; drop that first"
            return [told, dependents.of_column(self.table, self._name, why)]
        attribute = (
            f"(SELECT attnum FROM pg_attribute WHERE attrelid = conrelid AND attname = {ddl.literal(self._name)})"
        )
        rows = (
            f"SELECT conname FROM pg_constraint WHERE conrelid = to_regclass({ddl.literal(ddl.quoted(self.table))}) "
            f"AND contype = 'c' AND conkey @> ARRAY[{attribute}] ORDER BY conname"
        )
        why = f"{what}. A check is on it, and every row would be looked at under a lock: drop it first"
        keeps = ("the index ", "the constraint ")
        return [
            told,
            Check(why=why, rows=rows, table=self.table, needs=(self._name,)),
            dependents.of_column(
                self.table, self._name, f"{what} while something uses it; drop that first", keeps=keeps
            ),
        ]

    def undo_checks(self, place: Place) -> list[Check]:  # noqa: ARG002
        limit = longest(self.was)
        if limit is None or not self._is_noted_only:
            return []
        value = ddl.applied(self.back, ddl.quoted(self._name))

        def find(connection: Connection) -> str:
            key = primary_key(connection, self.table)
            return f"SELECT {key} FROM {ddl.quoted(self.table)} WHERE length({value}) > {limit} ORDER BY {key}"

        why = f"{self.table}.{self._name} had at most {limit} characters, and some rows have more"
        return [Check(why=why, rows=find, table=self.table, needs=(self._name,))]

    def expand(self, place: Place) -> list[Step]:
        if self.was.nullable != self.column.nullable:
            raise Refused(
                f"{self.table}.{self._name} may be NULL in one of its two definitions and not in the other: "
                "ops.change_type changes the type alone; call ops.set_not_null or ops.drop_not_null."
            )
        refuse_own_constraints(self.table, self.column)
        if place.is_sqlite:
            return [conversion.on_sqlite(place, self._conversion)]
        if self._is_noted_only:
            return [replace(self._noted(place), undo=narrowed(place, self._conversion))]
        return [unfilled(place, self.table, self._beside), self._before(place)]

    def fills(self, place: Place) -> list[Fill]:
        if self._is_at_once(place):
            return []
        # Once it has taken over there is no column beside any more.
        taken_over = predicates.negated(predicates.has_column(place.dialect, self.table, self._beside.name))
        return [replace(self._conversion.fill(self._beside), unless=taken_over)]

    def settle(self, place: Place) -> list[Step]:
        if self._is_at_once(place):
            return []
        need = [] if self.column.nullable else required(place, self.table, self._beside.name)
        return [*need, self._swapped(place)]

    def contract(self, place: Place) -> list[Step]:
        if place.is_sqlite and self._conversion.keeps_old_values:
            return [Step(title=f"leave {self.table}.{self._name} as it was to the way back")]
        if self._is_at_once(place):
            return []
        aside = self._aside(place)
        resync = self._conversion.fill_back(aside)
        leave = Step(title=f"leave {resync.name} to the way back", undo=(resync,))
        there = Step(
            title=f"leave the column {self.table}.{aside.name} to the way back",
            undo=(replace(addition(place, self.table, aside), undo=(), scripted=False),),
        )
        return [leave, mirrored(self._after(place)), there]

    def purge(self, place: Place) -> list[Step]:
        if self._is_at_once(place) and not (place.is_sqlite and self._conversion.keeps_old_values):
            return []
        return [removal(place, self.table, self._aside(place).name)]

    @property
    def _name(self) -> str:
        return self.column.name

    @property
    def _conversion(self) -> Conversion:
        return Conversion(
            table=self.table, was=self.was, column=self.column, using=self.using, back=self.back, key=self.key
        )

    @property
    def _beside(self) -> Column[Any]:
        return self._conversion.beside

    @property
    def _is_noted_only(self) -> bool:
        return self.using == "{}" and is_noted_only(self.was, self.column)

    def _is_at_once(self, place: Place) -> bool:
        return place.is_sqlite or self._is_noted_only

    def _aside(self, place: Place) -> Column[Any]:
        return conversion.renamed(self.was, ddl.trash_name(place.revision, self._name))

    def _noted(self, place: Place) -> Step:
        alter = f"ALTER TABLE {ddl.quoted(self.table)} ALTER COLUMN {ddl.quoted(self._name)}"
        kind = ddl.type_text(self.column, "postgresql")
        return Step(
            title=f"change the type of {self.table}.{self._name}",
            lock=Lock.ACCESS_EXCLUSIVE,
            tables=(self.table,),
            done=predicates.both(has_type(self.table, self.column), predicates.negated(is_beside(self._conversion))),
            made=lambda connection: without_beside(connection, place, self._conversion),
            statements=(
                f"{alter} TYPE {kind}",
                *conversion.default_changed(self.table, self.was, self.column),
                blocks.touch_triggers(self.table),
            ),
        )

    def _before(self, place: Place) -> Step:
        return self._conversion.trigger(place, self._beside.name)

    def _after(self, place: Place) -> Step:
        return self._conversion.trigger_back(place, self._aside(place).name)

    def _swapped(self, place: Place) -> Step:
        """The column beside takes over the name; the old one is kept aside, in agreement until the contract."""
        aside, beside = self._aside(place).name, self._beside.name
        before, after = self._before(place), self._after(place)
        relax: tuple[str, ...] = ()
        need: list[Step] = []
        if not self.was.nullable:
            relax = optional(place, self.table, self._name, undoable=False).statements
            need = required(place, self.table, self._name)
        there = predicates.has_column(place.dialect, self.table, aside)
        back = Step(
            title=f"let {self.table}.{self._name} be of its old type",
            lock=Lock.ACCESS_EXCLUSIVE,
            tables=(self.table,),
            done=predicates.negated(there),
            statements=(
                *mirrored(after).statements,
                rename_column(self.table, self._name, beside),
                rename_column(self.table, aside, self._name),
                blocks.name_not_null(self.table, beside),
                *before.statements,
                blocks.touch_triggers(self.table),
            ),
        )
        return Step(
            title=f"let {self.table}.{self._name} be of its new type",
            lock=Lock.ACCESS_EXCLUSIVE,
            tables=(self.table,),
            done=there,
            statements=(
                *mirrored(before).statements,
                *relax,
                rename_column(self.table, self._name, aside),
                rename_column(self.table, beside, self._name),
                blocks.name_not_null(self.table, self._name),
                *after.statements,
                blocks.touch_triggers(self.table),
            ),
            undo=(back, *need),
        )
