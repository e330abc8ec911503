"""Tables that come, go, and change their name."""

from dataclasses import dataclass, replace
from typing import ClassVar

from sqlalchemy import Table

from service.migrate import sql
from service.migrate.operations.base import Columns, Operation
from service.migrate.operations.constraints import AddForeignKey, DropConstraint, of_table
from service.migrate.steps import Lock, Place, Step


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateTable(Operation):
    """A new table; each of its foreign keys is a step of its own, since it locks the table that it refers to.

    A downgrade keeps the table aside with all its rows, and the next upgrade brings it back; one that is `derived`
    goes, since its rows follow from others and the backfill makes them again.
    """

    table: Table
    derived: bool = False

    def needs(self) -> list[Columns]:
        others = [key for key in _keys(self.table) if key.referred != self.table.name]
        return [(key.referred, key.referred_columns) for key in others]

    def gives(self) -> list[Columns]:
        return [(self.table.name, tuple(column.name for column in self.table.columns))]

    def expand(self, place: Place) -> list[Step]:
        name = self.table.name
        aside = sql.trash_name(place.revision, name)
        create_undo: tuple[Step, ...] = (dropped(place, name),)
        if not self.derived:
            create_undo = (_kept_if_it_has_rows(place, name, aside), replace(dropped(place, name), scripted=False))
        create = Step(
            title=f"create the table {name}",
            done=sql.has_table(place.dialect, name),
            statements=(sql.table_text(self.table, place.dialect),),
            undo=create_undo,
        )
        keys = [step for key in _keys(self.table) for step in key.expand(place)]
        back = [] if self.derived else [replace(_brought_back(place, name, aside), scripted=False)]
        return [*back, create, *keys]


@dataclass(frozen=True, slots=True, kw_only=True)
class DropTable(Operation):
    """A table that no code uses any more: it is kept aside with all its rows until `roster db purge`."""

    removes: ClassVar[bool] = True
    table: Table

    def needs(self) -> list[Columns]:
        return [(self.table.name, ())]

    def expand(self, place: Place) -> list[Step]:
        name = self.table.name
        aside = sql.trash_name(place.revision, name)
        there = sql.has_table(place.dialect, name)
        # A key of a table nobody sees would still keep its parents from being deleted, or its rows with them.
        keys = [step for key in reversed(_keys(self.table)) for step in DropConstraint(added=key).expand(place)]
        away = Step(
            title=f"keep the table {name} aside",
            lock=Lock.ACCESS_EXCLUSIVE,
            tables=(name,),
            done=sql.negated(there),
            statements=(rename_table(name, aside),),
            undo=(
                Step(
                    title=f"create the table {name}",
                    done=sql.either(there, sql.has_table(place.dialect, aside)),
                    statements=(sql.table_text(self.table, place.dialect),),
                    scripted=False,
                ),
                _brought_back(place, name, aside),
            ),
        )
        return [*keys, away]

    def purge(self, place: Place) -> list[Step]:
        return [dropped(place, sql.trash_name(place.revision, self.table.name))]


def rename_table(name: str, to: str) -> str:
    return f"ALTER TABLE {sql.quoted(name)} RENAME TO {sql.quoted(to)}"


def _keys(table: Table) -> list[AddForeignKey]:
    """The foreign keys in the order of their names: the set that SQLAlchemy keeps has none."""
    found = [of_table(table.name, key) for key in table.foreign_key_constraints]
    keys = [key for key in found if isinstance(key, AddForeignKey)]
    return sorted(keys, key=lambda key: key.name)


def _kept_if_it_has_rows(place: Place, name: str, aside: str) -> Step:
    there = sql.has_table(place.dialect, name)
    return Step(
        title=f"keep the table {name} aside",
        lock=Lock.ACCESS_EXCLUSIVE,
        tables=(name,),
        done=sql.either(sql.negated(there), sql.negated(sql.has_rows(name))),
        statements=(rename_table(name, aside),),
    )


def _brought_back(place: Place, name: str, aside: str) -> Step:
    return Step(
        title=f"bring the table {name} back",
        lock=Lock.ACCESS_EXCLUSIVE,
        tables=(aside,),
        done=sql.negated(sql.has_table(place.dialect, aside)),
        statements=(rename_table(aside, name),),
    )


def dropped(place: Place, name: str) -> Step:
    return Step(
        title=f"drop the table {name}",
        lock=Lock.ACCESS_EXCLUSIVE,
        tables=(name,),
        done=sql.negated(sql.has_table(place.dialect, name)),
        statements=(f"DROP TABLE {sql.quoted(name)}",),
    )
