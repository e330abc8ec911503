"""`add_check` and `add_unique`, without a scan under a blocking lock."""

from dataclasses import dataclass

from sqlalchemy import CheckConstraint, Column, Connection, MetaData, Table, UniqueConstraint

from service.migrate.dialects import ddl, predicates
from service.migrate.operations.base import Operation, Phases
from service.migrate.operations.constraints.actions import at_once, dropped, in_two_parts
from service.migrate.operations.indexes import dropped_concurrently
from service.migrate.operations.preconditions import primary_key
from service.migrate.operations.step import Lock, Precondition, Step, Target, words_in


@dataclass(frozen=True, slots=True, kw_only=True)
class AddCheck(Operation):
    """A CHECK constraint: NOT VALID first, then validated."""

    table: str
    name: str
    condition: str

    def phases(self, target: Target, /) -> Phases:
        constraint = CheckConstraint(ddl.verbatim(self.condition), name=self.name)
        return Phases(
            requires=((self.table, ()),),
            preconditions=(self._none_against(),),
            expand=in_two_parts(target, self.table, constraint),
        )

    def _none_against(self) -> Precondition:
        def find(connection: Connection) -> str:
            key = primary_key(connection, self.table)
            return f"SELECT {key} FROM {ddl.quoted(self.table)} WHERE NOT ({self.condition}) ORDER BY {key}"

        why = f"Rows of {self.table} violate CHECK ({self.condition})"
        return Precondition(why=why, rows=find, table=self.table, needs=tuple(sorted(words_in(self.condition))))


@dataclass(frozen=True, slots=True, kw_only=True)
class AddUnique(Operation):
    """A UNIQUE constraint: its index is built CONCURRENTLY and then becomes the constraint."""

    table: str
    name: str
    columns: tuple[str, ...]

    def phases(self, target: Target, /) -> Phases:
        return Phases(
            requires=((self.table, self.columns),),
            preconditions=(self._none_twice(),),
            expand=(at_once(target, self.table, self.constraint),) if target.is_sqlite else self._built(target),
        )

    def _none_twice(self) -> Precondition:
        names = ddl.listed(self.columns)
        known = " AND ".join(f"{ddl.quoted(name)} IS NOT NULL" for name in self.columns)
        rows = (
            f"SELECT {names} FROM {ddl.quoted(self.table)} WHERE {known} "
            f"GROUP BY {names} HAVING count(*) > 1 ORDER BY {names}"
        )
        why = f"Rows of {self.table} violate UNIQUE ({', '.join(self.columns)})"
        return Precondition(why=why, rows=rows, table=self.table, needs=self.columns)

    def _built(self, target: Target) -> tuple[Step, ...]:
        name, table = ddl.quoted(self.name), ddl.quoted(self.table)
        holds = predicates.has_constraint(target.dialect, self.table, self.name)
        return (
            Step(
                title=f"CREATE UNIQUE INDEX CONCURRENTLY {self.name} ON {self.table}",
                lock=Lock.SHARE_UPDATE_EXCLUSIVE,
                tables=(self.table,),
                alone=True,
                done=predicates.has_index(target.dialect, self.name),
                statements=(
                    f"DROP INDEX CONCURRENTLY IF EXISTS {name}",
                    f"CREATE UNIQUE INDEX CONCURRENTLY {name} ON {table} ({ddl.listed(self.columns)})",
                ),
                undo=(dropped_concurrently(target, self.name, self.table),),
            ),
            Step(
                title=f"ADD CONSTRAINT {self.name} ON {self.table} USING INDEX",
                lock=Lock.ACCESS_EXCLUSIVE,
                tables=(self.table,),
                done=holds,
                statements=(f"ALTER TABLE {table} ADD CONSTRAINT {name} UNIQUE USING INDEX {name}",),
                undo=(dropped(target, self.table, self.name),),
            ),
        )

    @property
    def constraint(self) -> UniqueConstraint:
        unique = UniqueConstraint(*self.columns, name=self.name)
        Table(self.table, MetaData(), *(Column(name) for name in self.columns), unique)
        return unique
