"""Tables that come, go, and change their name."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import ClassVar

from sqlalchemy import Connection, Table

from service.migrate.dialects import ddl, predicates
from service.migrate.operations import dependents
from service.migrate.operations.base import Columns, Operation
from service.migrate.operations.columns.add_drop import refuse_enum
from service.migrate.operations.constraints.drop_replace import DropConstraint, of_table
from service.migrate.operations.constraints.foreign_key import (
    LETTING_GO,
    AddForeignKey,
    kept_orphans,
    with_orphans_let_go,
)
from service.migrate.operations.step import Check, Lock, Place, Step


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

    def checks(self, place: Place) -> list[Check]:
        keys = [] if self.derived else _keys(self.table)
        return [kept_orphans(key, place) for key in keys if key.ondelete not in LETTING_GO]

    def expand(self, place: Place) -> list[Step]:
        name = self.table.name
        for column in self.table.columns:
            refuse_enum(name, column)
        aside = ddl.trash_name(place.revision, name)
        create_undo: tuple[Step, ...] = (dropped(place, name),)
        if not self.derived:
            create_undo = (_kept_if_it_has_rows(place, name, aside), dropped(place, name))
        create = Step(
            title=f"create the table {name}",
            done=predicates.has_table(place.dialect, name),
            statements=_made(self.table, place),
            undo=create_undo,
        )
        keys = [step for key in _keys(self.table) for step in self._key(place, key)]
        # A run that was killed between the two leaves the table brought back and not created.
        back = replace(_brought_back(place, name, aside), scripted=False, undo=create_undo)
        return [create, *keys] if self.derived else [back, create, *keys]

    def _key(self, place: Place, key: AddForeignKey) -> list[Step]:
        steps = key.expand(place)
        if self.derived or key.ondelete not in LETTING_GO:
            return steps
        return with_orphans_let_go(steps, key, rows=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class DropTable(Operation):
    """A table that no code uses any more: it is kept aside with all its rows until `roster db purge`."""

    removes: ClassVar[bool] = True
    table: Table

    def needs(self) -> list[Columns]:
        return [(self.table.name, ())]

    def frees(self) -> list[str]:
        return [dependents.constraint(self.table.name, key.name) for key in _keys(self.table)]

    def checks(self, place: Place) -> list[Check]:  # noqa: ARG002
        why = f"{self.table.name} cannot be dropped while something uses it; drop that first"
        told = frozenset(dependents.index(str(index.name)).lower() for index in self.table.indexes)
        return [replace(dependents.of_table(self.table.name, why), besides=told)]

    def expand(self, place: Place) -> list[Step]:
        name = self.table.name
        aside = ddl.trash_name(place.revision, name)
        there = predicates.has_table(place.dialect, name)
        # A key of a table nobody sees would still keep its parents from being deleted, or its rows with them.
        keys = [step for key in reversed(_keys(self.table)) for step in DropConstraint(added=key).expand(place)]
        away = Step(
            title=f"keep the table {name} aside",
            lock=Lock.ACCESS_EXCLUSIVE,
            tables=(name,),
            done=predicates.negated(there),
            statements=(rename_table(name, aside),),
            undo=(
                Step(
                    title=f"create the table {name}",
                    done=predicates.either(there, predicates.has_table(place.dialect, aside)),
                    statements=_made(self.table, place),
                    scripted=False,
                ),
                _brought_back(place, name, aside),
            ),
        )
        return [*keys, away]

    def purge(self, place: Place) -> list[Step]:
        return [dropped(place, ddl.trash_name(place.revision, self.table.name))]


def rename_table(name: str, to: str) -> str:
    return f"ALTER TABLE {ddl.quoted(name)} RENAME TO {ddl.quoted(to)}"


def _keys(table: Table) -> list[AddForeignKey]:
    """The foreign keys in the order of their names: the set that SQLAlchemy keeps has none."""
    found = [of_table(table.name, key) for key in table.foreign_key_constraints]
    keys = [key for key in found if isinstance(key, AddForeignKey)]
    return sorted(keys, key=lambda key: key.name)


def _made(table: Table, place: Place) -> tuple[str, ...]:
    """The table with its indexes, for which there is nothing to read yet."""
    indexes = sorted(table.indexes, key=lambda index: str(index.name))
    return (ddl.table_text(table, place.dialect), *(ddl.index_text(index, place.dialect) for index in indexes))


def _kept_if_it_has_rows(place: Place, name: str, aside: str) -> Step:
    rename = rename_table(name, aside)

    def renamed_if_it_has_rows(connection: Connection) -> Iterable[str]:
        return [rename] if connection.exec_driver_sql(predicates.has_rows(name)).scalar() else []

    block = f"DO $$ BEGIN IF ({predicates.has_rows(name)}) THEN {rename}; END IF; END $$"
    return Step(
        title=f"keep the table {name} aside",
        lock=Lock.ACCESS_EXCLUSIVE,
        tables=(name,),
        done=predicates.negated(predicates.has_table(place.dialect, name)),
        statements=() if place.is_sqlite else (block,),
        made=renamed_if_it_has_rows if place.is_sqlite else None,
    )


def _brought_back(place: Place, name: str, aside: str) -> Step:
    return Step(
        title=f"bring the table {name} back",
        lock=Lock.ACCESS_EXCLUSIVE,
        tables=(aside,),
        done=predicates.negated(predicates.has_table(place.dialect, aside)),
        statements=(rename_table(aside, name),),
    )


def dropped(place: Place, name: str) -> Step:
    return Step(
        title=f"drop the table {name}",
        lock=Lock.ACCESS_EXCLUSIVE,
        tables=(name,),
        done=predicates.negated(predicates.has_table(place.dialect, name)),
        statements=(f"DROP TABLE IF EXISTS {ddl.quoted(name)}",),
    )
