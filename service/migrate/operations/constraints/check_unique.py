"""`add_check` and `add_unique`, without a scan under a blocking lock."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import CheckConstraint, Column, Connection, Index, MetaData, Table, UniqueConstraint

from service.migrate.dialects import ddl, predicates
from service.migrate.operations.attributes import refuse_constraint
from service.migrate.operations.base import Operation, Phases
from service.migrate.operations.constraints.actions import at_once, dropped, in_two_parts, is_not_valid
from service.migrate.operations.indexes import dropped_concurrently
from service.migrate.operations.preconditions import primary_key
from service.migrate.operations.step import Lock, Precondition, Step, Target, words_in

NULLS_NOT_DISTINCT = "postgresql_nulls_not_distinct"


@dataclass(frozen=True, slots=True, kw_only=True)
class AddCheck(Operation):
    """A CHECK constraint: NOT VALID first, then validated; `options` are arguments of sa.CheckConstraint."""

    table: str
    name: str
    condition: ddl.Expression
    options: Mapping[str, Any] = field(default_factory=dict)

    def phases(self, target: Target, /) -> Phases:
        condition = ddl.expression_text(self.condition, target.dialect)
        constraint = CheckConstraint(ddl.verbatim(condition), name=self.name, **self.options)
        refuse_constraint(self.table, constraint, target)
        return Phases(
            requires=((self.table, tuple(sorted(ddl.columns_in(self.condition)))),),
            preconditions=() if _skips_rows(constraint, target) else (self._none_against(condition),),
            expand=in_two_parts(target, self.table, constraint),
        )

    def _none_against(self, condition: str) -> Precondition:
        def find(connection: Connection) -> str:
            key = primary_key(connection, self.table)
            return f"SELECT {key} FROM {ddl.quoted(self.table)} WHERE NOT ({condition}) ORDER BY {key}"

        why = f"Rows of {self.table} violate CHECK ({condition})"
        asked = f"SELECT 1 FROM {ddl.quoted(self.table)} WHERE NOT ({condition})"
        needs = tuple(sorted(words_in(condition)))
        return Precondition(why=why, rows=find, table=self.table, needs=needs, script=asked)


def _skips_rows(constraint: CheckConstraint, target: Target) -> bool:
    return is_not_valid(constraint) and not target.is_sqlite


@dataclass(frozen=True, slots=True, kw_only=True)
class AddUnique(Operation):
    """A UNIQUE constraint: its index is built CONCURRENTLY and then becomes the constraint.

    `options` are arguments of sa.UniqueConstraint.
    """

    table: str
    name: str
    columns: tuple[str, ...]
    options: Mapping[str, Any] = field(default_factory=dict)

    def phases(self, target: Target, /) -> Phases:
        refuse_constraint(self.table, self.constraint, target)
        return Phases(
            requires=((self.table, (*self.columns, *self._included)),),
            preconditions=(self._none_twice(target),),
            expand=(at_once(target, self.table, self.constraint),) if target.is_sqlite else self._built(target),
        )

    @property
    def _included(self) -> tuple[str, ...]:
        return tuple(map(str, self.options.get("postgresql_include") or ()))

    def _none_twice(self, target: Target) -> Precondition:
        names = ddl.listed(self.columns)
        known = " AND ".join(f"{ddl.quoted(name)} IS NOT NULL" for name in self.columns)
        # With NULLS NOT DISTINCT two rows without a value violate the constraint, too.
        only = "" if not target.is_sqlite and self.options.get(NULLS_NOT_DISTINCT) else f"WHERE {known} "
        rows = (
            f"SELECT {names} FROM {ddl.quoted(self.table)} {only}GROUP BY {names} HAVING count(*) > 1 ORDER BY {names}"
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
                statements=(f"DROP INDEX CONCURRENTLY IF EXISTS {name}", ddl.index_text(self._index, target.dialect)),
                undo=(dropped_concurrently(target, self.name, self.table),),
            ),
            Step(
                title=f"ADD CONSTRAINT {self.name} ON {self.table} USING INDEX",
                lock=Lock.ACCESS_EXCLUSIVE,
                tables=(self.table,),
                done=holds,
                statements=(
                    f"ALTER TABLE {table} ADD CONSTRAINT {name} UNIQUE USING INDEX {name}{self._deferrability(target)}",
                    *ddl.comments(self.constraint, target.dialect),
                ),
                undo=(dropped(target, self.table, self.name),),
            ),
        )

    def _deferrability(self, target: Target) -> str:
        return ddl.compiler(target.dialect).define_constraint_deferrability(self.constraint)

    @property
    def _index(self) -> Index:
        kept = (NULLS_NOT_DISTINCT, "postgresql_include")
        options = {name: value for name, value in self.options.items() if name in kept}
        owner = Table(self.table, MetaData(), *(Column(name) for name in (*self.columns, *self._included)))
        return Index(self.name, *self.columns, unique=True, postgresql_concurrently=True, _table=owner, **options)

    @property
    def constraint(self) -> UniqueConstraint:
        unique = UniqueConstraint(*self.columns, name=self.name, **self.options)
        Table(self.table, MetaData(), *(Column(name) for name in (*self.columns, *self._included)), unique)
        return unique
