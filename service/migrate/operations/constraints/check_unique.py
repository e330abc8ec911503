"""Constraints, looked at in two parts: new rows at once, and those that are there without keeping anyone waiting."""

from dataclasses import dataclass

from sqlalchemy import CheckConstraint, Column, Connection, Constraint, MetaData, Table, UniqueConstraint

from service.migrate.dialects import ddl, predicates
from service.migrate.dialects.sqlite.edit import Edit
from service.migrate.operations.base import Columns, Operation
from service.migrate.operations.columns.not_null import primary_key
from service.migrate.operations.indexes import dropped_concurrently
from service.migrate.operations.step import Check, Lock, Place, Step, words_in


@dataclass(frozen=True, slots=True, kw_only=True)
class AddCheck(Operation):
    """A condition on the rows of a table."""

    table: str
    name: str
    condition: str

    def needs(self) -> list[Columns]:
        return [(self.table, ())]

    def checks(self, place: Place) -> list[Check]:  # noqa: ARG002
        def find(connection: Connection) -> str:
            key = primary_key(connection, self.table)
            return f"SELECT {key} FROM {ddl.quoted(self.table)} WHERE NOT ({self.condition}) ORDER BY {key}"

        why = f"Some rows of {self.table} are not so that {self.condition}"
        return [Check(why=why, rows=find, table=self.table, needs=tuple(sorted(words_in(self.condition))))]

    def expand(self, place: Place) -> list[Step]:
        return in_two_parts(place, self.table, CheckConstraint(ddl.verbatim(self.condition), name=self.name))


@dataclass(frozen=True, slots=True, kw_only=True)
class AddUnique(Operation):
    """Columns that no two rows share: an index is built beside the traffic, and then becomes the constraint."""

    table: str
    name: str
    columns: tuple[str, ...]

    def needs(self) -> list[Columns]:
        return [(self.table, self.columns)]

    def checks(self, place: Place) -> list[Check]:  # noqa: ARG002
        names = ddl.listed(self.columns)
        known = " AND ".join(f"{ddl.quoted(name)} IS NOT NULL" for name in self.columns)
        rows = (
            f"SELECT {names} FROM {ddl.quoted(self.table)} WHERE {known} "
            f"GROUP BY {names} HAVING count(*) > 1 ORDER BY {names}"
        )
        why = f"Several rows of {self.table} have one {' and '.join(self.columns)}"
        return [Check(why=why, rows=rows, table=self.table, needs=self.columns)]

    def expand(self, place: Place) -> list[Step]:
        if place.is_sqlite:
            return [_at_once(place, self.table, self.constraint)]
        name, table = ddl.quoted(self.name), ddl.quoted(self.table)
        holds = predicates.has_constraint(place.dialect, self.table, self.name)
        return [
            Step(
                title=f"build the unique index {self.name} of {self.table}",
                lock=Lock.SHARE_UPDATE_EXCLUSIVE,
                tables=(self.table,),
                alone=True,
                done=predicates.has_index(place.dialect, self.name),
                statements=(
                    f"DROP INDEX CONCURRENTLY IF EXISTS {name}",
                    f"CREATE UNIQUE INDEX CONCURRENTLY {name} ON {table} ({ddl.listed(self.columns)})",
                ),
                undo=(dropped_concurrently(place, self.name, self.table),),
            ),
            Step(
                title=f"make {self.name} a constraint of {self.table}",
                lock=Lock.ACCESS_EXCLUSIVE,
                tables=(self.table,),
                done=holds,
                statements=(f"ALTER TABLE {table} ADD CONSTRAINT {name} UNIQUE USING INDEX {name}",),
                undo=(dropped(place, self.table, self.name),),
            ),
        ]

    @property
    def constraint(self) -> UniqueConstraint:
        unique = UniqueConstraint(*self.columns, name=self.name)
        Table(self.table, MetaData(), *(Column(name) for name in self.columns), unique)
        return unique


def in_two_parts(place: Place, table: str, constraint: Constraint, *, referred: str | None = None) -> list[Step]:
    """New rows are held to it from the first step on, a moment's lock; the second reads the others beside traffic."""
    if place.is_sqlite:
        return [_at_once(place, table, constraint)]
    name = str(constraint.name)
    _attach(constraint, table)
    return [
        Step(
            title=f"hold new rows of {table} to {name}",
            lock=Lock.SHARE_ROW_EXCLUSIVE if referred else Lock.ACCESS_EXCLUSIVE,
            tables=_both(table, referred),
            done=predicates.has_constraint(place.dialect, table, name),
            statements=(f"{ddl.add_constraint(constraint, place.dialect)} NOT VALID",),
            undo=(dropped(place, table, name, referred=referred),),
        ),
        Step(
            title=f"hold all rows of {table} to {name}",
            lock=Lock.SHARE_UPDATE_EXCLUSIVE,
            tables=(table,),
            done=predicates.has_constraint(place.dialect, table, name, valid=True),
            statements=(f"ALTER TABLE {ddl.quoted(table)} VALIDATE CONSTRAINT {ddl.quoted(name)}",),
        ),
    ]


def _at_once(place: Place, table: str, constraint: Constraint) -> Step:
    """On SQLite: one rebuild, in which every row is looked at."""
    name = str(constraint.name)
    _attach(constraint, table)
    text = ddl.constraint_text(constraint, place.dialect)
    return Step(
        title=f"add {name} to {table}",
        lock=Lock.ACCESS_EXCLUSIVE,
        tables=(table,),
        done=predicates.has_constraint(place.dialect, table, name),
        edit=Edit(table=table, change=lambda definition: definition.add_constraint(text)),
        undo=(dropped(place, table, name),),
    )


def _attach(constraint: Constraint, table: str) -> None:
    """Give a constraint that has none a table, without which it cannot be written down."""
    if getattr(constraint, "parent", None) is None:
        Table(table, MetaData(), constraint)


def _both(table: str, referred: str | None) -> tuple[str, ...]:
    """The tables that a constraint's step locks: one, where a foreign key refers to its own."""
    return tuple(dict.fromkeys(filter(None, (table, referred))))


def dropped(place: Place, table: str, name: str, *, referred: str | None = None) -> Step:
    native = f"ALTER TABLE {ddl.quoted(table)} DROP CONSTRAINT {ddl.quoted(name)}"
    edit = Edit(table=table, change=lambda definition: definition.drop_constraint(name))
    return Step(
        title=f"drop {name} of {table}",
        lock=Lock.ACCESS_EXCLUSIVE,
        tables=_both(table, referred),
        done=predicates.negated(predicates.has_constraint(place.dialect, table, name)),
        statements=() if place.is_sqlite else (native,),
        edit=edit if place.is_sqlite else None,
    )
