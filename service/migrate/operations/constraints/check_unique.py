"""`add_check` and `add_unique`, without a scan under a blocking lock."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from sqlalchemy import CheckConstraint, Column, Connection, Index, MetaData, Table, UniqueConstraint

from service.migrate.dialects import ddl, predicates
from service.migrate.operations import dependents
from service.migrate.operations.attributes import refuse_constraint
from service.migrate.operations.base import Operation, Phases
from service.migrate.operations.constraints.actions import (
    at_once,
    attach,
    deferrability,
    dropped,
    in_two_parts,
    is_not_valid,
)
from service.migrate.operations.definitions import Same, same_constraint, same_unique
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
        constraint = self._constraint(target)
        refuse_constraint(self.table, constraint, target)
        return Phases(
            requires=((self.table, tuple(sorted(ddl.columns_in(self.condition)))),),
            preconditions=(
                self.same(target),
                *(() if _skips_rows(constraint, target) else (self._none_against(condition),)),
            ),
            expand=in_two_parts(target, self.table, constraint),
        )

    def same(self, target: Target, *, drops: bool = False) -> Same:
        """A check of this name has this condition."""
        constraint = self._constraint(target)
        attach(constraint, self.table)
        clause = ddl.constraint_text(constraint, target.dialect)
        statement = ddl.add_constraint(constraint, target.dialect)
        return same_constraint(
            target, self.table, self.name, clause, statement=statement, comment=self.options.get("comment"), drops=drops
        )

    def _constraint(self, target: Target) -> CheckConstraint:
        condition = ddl.expression_text(self.condition, target.dialect)
        return CheckConstraint(ddl.verbatim(condition), name=self.name, **self.options)

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


@dataclass(frozen=True, kw_only=True)
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
            preconditions=(self.same(target), self._none_twice(target)),
            expand=(at_once(target, self.table, self.constraint),) if target.is_sqlite else self._built(target),
            undo_preconditions=(self.unused,),
        )

    @property
    def unused(self) -> Precondition:
        """No foreign key refers to the columns by this constraint."""
        return dependents.of_unique(self.table, self.name, self.columns)

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

    def same(self, target: Target, *, drops: bool = False) -> Same:
        """A unique constraint of this name, or an index that is to become it, has this definition."""
        if target.is_sqlite:
            clause = ddl.constraint_text(self.constraint, target.dialect)
            return same_constraint(target, self.table, self.name, clause, drops=drops)
        nulls = " NULLS NOT DISTINCT" if self.options.get(NULLS_NOT_DISTINCT) else ""
        include = f" INCLUDE ({ddl.listed(self._included)})" if self._included else ""
        clause = f"UNIQUE{nulls} ({ddl.listed(self.columns)}){include}{deferrability(self.constraint)}"
        statement = ddl.index_text(self._index(self.name), target.dialect)
        comment = self.options.get("comment")
        return same_unique(target, self.table, self.name, clause, statement, comment=comment, drops=drops)

    def _built(self, target: Target) -> tuple[Step, ...]:
        name, table = ddl.quoted(self.name), ddl.quoted(self.table)
        attach = Step(
            title=f"ADD CONSTRAINT {self.name} ON {self.table} USING INDEX",
            lock=Lock.ACCESS_EXCLUSIVE,
            tables=(self.table,),
            done=predicates.has_constraint(target.dialect, self.table, self.name),
            statements=(f"ALTER TABLE {table} {self.using_index(target, name)}", *self.comment(target)),
            undo=(dropped(target, self.table, self.name),),
        )
        return (self.index_built(target, self.name), attach)

    def index_built(self, target: Target, name: str) -> Step:
        """CREATE UNIQUE INDEX CONCURRENTLY under this name."""
        return Step(
            title=f"CREATE UNIQUE INDEX CONCURRENTLY {name} ON {self.table}",
            lock=Lock.SHARE_UPDATE_EXCLUSIVE,
            tables=(self.table,),
            alone=True,
            done=predicates.has_index(target.dialect, name),
            statements=(
                f"DROP INDEX CONCURRENTLY IF EXISTS {ddl.quoted(name)}",
                ddl.index_text(self._index(name), target.dialect),
            ),
            undo=(dropped_concurrently(target, name, self.table),),
        )

    def using_index(self, target: Target, index: str) -> str:
        """The action of ALTER TABLE that turns the index into the constraint, and renames the index."""
        more = ddl.compiler(target.dialect).define_constraint_deferrability(self.constraint)
        return f"ADD CONSTRAINT {ddl.quoted(self.name)} UNIQUE USING INDEX {index}{more}"

    def comment(self, target: Target) -> tuple[str, ...]:
        return ddl.comments(self.constraint, target.dialect)

    def _index(self, name: str) -> Index:
        kept = (NULLS_NOT_DISTINCT, "postgresql_include")
        options = {name: value for name, value in self.options.items() if name in kept}
        owner = Table(self.table, MetaData(), *(Column(name) for name in (*self.columns, *self._included)))
        return Index(name, *self.columns, unique=True, postgresql_concurrently=True, _table=owner, **options)

    @cached_property
    def constraint(self) -> UniqueConstraint:
        unique = UniqueConstraint(*self.columns, name=self.name, **self.options)
        Table(self.table, MetaData(), *(Column(name) for name in (*self.columns, *self._included)), unique)
        return unique


def unique_replaced(target: Target, was: AddUnique, now: AddUnique) -> tuple[Step, ...]:
    """PostgreSQL: build the new index beside the old one, then exchange the constraints in one statement."""
    beside = ddl.inner_name(f"{now.name}_next")
    swap = _exchanged(target, was, now, beside)
    back = _exchanged(target, now, was, beside)
    return (now.index_built(target, beside), replace(swap, undo=(was.index_built(target, beside), back)))


def _exchanged(target: Target, old: AddUnique, new: AddUnique, index: str) -> Step:
    is_there = predicates.has_constraint(target.dialect, new.table, new.name)
    drop = f"DROP CONSTRAINT {ddl.quoted(old.name)}"
    return Step(
        title=f"REPLACE CONSTRAINT {old.name} ON {new.table}{'' if old.name == new.name else f' BY {new.name}'}",
        lock=Lock.ACCESS_EXCLUSIVE,
        tables=(new.table,),
        done=predicates.both(predicates.negated(predicates.has_index(target.dialect, index)), is_there),
        statements=(
            f"ALTER TABLE {ddl.quoted(new.table)} {drop}, {new.using_index(target, ddl.quoted(index))}",
            *new.comment(target),
        ),
    )
