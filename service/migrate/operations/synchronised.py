"""Columns with a new name, beside code that knows the old one: two columns that triggers keep equal."""

from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Column

from service.migrate import sql
from service.migrate.operations.base import Columns, Operation
from service.migrate.operations.columns import addition, again, brought_back, removal, rename_column
from service.migrate.operations.nulls import optional, required
from service.migrate.operations.sync import Sync
from service.migrate.steps import Fill, Lock, Place, Step, mirrored


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

    def expand(self, place: Place) -> list[Step]:
        add = addition(place, self.table, _nullable(self.new))
        trigger = self._sync.trigger(place)
        if not place.is_sqlite:
            return [add, trigger]
        relax = [replace(each, undo=tuple(required(place, self.table, self.old.name))) for each in self._relaxed(place)]
        new, old = sql.quoted(self.new.name), sql.quoted(self.old.name)
        left = f"{new} IS NOT {self.up.format(old)}"
        fill = Step(
            title=f"fill {self.table}.{self.new.name}",
            lock=Lock.ACCESS_EXCLUSIVE,
            tables=(self.table,),
            statements=(f"UPDATE {sql.quoted(self.table)} SET {new} = {self.up.format(old)} WHERE {left}",),
        )
        return [*relax, add, trigger, fill]

    def fills(self, place: Place) -> list[Fill]:
        return [] if place.is_sqlite else [self._fill(place, self.new, self.old, self.up)]

    def settle(self, place: Place) -> list[Step]:
        # On SQLite a trigger runs after NOT NULL was checked: old code must be gone first.
        return [] if self.new.nullable or place.is_sqlite else required(place, self.table, self.new.name)

    def contract(self, place: Place) -> list[Step]:
        """The old column goes last: until then whatever is written has a value for it."""
        aside = sql.trash_name(place.revision, self.old.name)
        need = required(place, self.table, self.new.name) if place.is_sqlite and not self.new.nullable else []
        relax = self._relaxed(place)
        if not place.is_sqlite:
            relax = [replace(each, undo=tuple(required(place, self.table, self.old.name))) for each in relax]
        resync = self._fill(place, self.old, self.new, self.down)
        leave = Step(title=f"leave {resync.name} to the way back", undo=(resync,))
        away = Step(
            title=f"keep {self.table}.{self.old.name} aside",
            lock=Lock.ACCESS_EXCLUSIVE,
            tables=(self.table,),
            done=sql.negated(sql.has_column(place.dialect, self.table, self.old.name)),
            statements=(rename_column(self.table, self.old.name, aside),),
            undo=(
                again(place, self.table, self.old, aside),
                brought_back(place, self.table, self.old.name, aside),
            ),
        )
        return [*need, *relax, leave, mirrored(self._sync.trigger(place)), away]

    def purge(self, place: Place) -> list[Step]:
        return [removal(place, self.table, sql.trash_name(place.revision, self.old.name))]

    @property
    def _sync(self) -> Sync:
        return Sync(table=self.table, old=self.old, new=self.new, up=self.up, down=self.down)

    def _relaxed(self, place: Place) -> list[Step]:
        if self.old.nullable or self.old.server_default is not None:
            return []
        return [optional(place, self.table, self.old.name, undoable=False)]

    def _fill(self, place: Place, column: Column[Any], source: Column[Any], convert: str) -> Fill:
        value = convert.format(sql.quoted(source.name))
        differs = "IS NOT" if place.is_sqlite else "IS DISTINCT FROM"
        return Fill(
            name=f"{self.table}.{column.name}",
            table=self.table,
            key=self.key,
            left=f"{sql.quoted(column.name)} {differs} {value}",
            assign={column.name: value},
        )


def _nullable(column: Column[Any]) -> Column[Any]:
    copy = column._copy()  # noqa: SLF001 - as service.migrate.sql does
    copy.nullable = True
    return copy
