"""`create_index` and `drop_index`, CONCURRENTLY on PostgreSQL."""

import re
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Column, Index, MetaData, Table

from service.migrate.dialects import ddl, predicates
from service.migrate.operations import dependents
from service.migrate.operations.base import Columns, Operation, Phases
from service.migrate.operations.step import Lock, Precondition, Step, Target, words_in


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateIndex(Operation):
    """CREATE INDEX CONCURRENTLY, after dropping the invalid index that a failed build may have left."""

    name: str
    table: str
    columns: tuple[str, ...]
    unique: bool = False
    where: str | None = None
    using: str | None = None

    def phases(self, target: Target, /) -> Phases:
        return Phases(
            requires=self._required,
            preconditions=self._none_twice(),
            expand=self._built(target),
        )

    @property
    def _required(self) -> tuple[Columns, ...]:
        return ((self.table, tuple(filter(str.isidentifier, self.columns))),)

    def _none_twice(self) -> tuple[Precondition, ...]:
        if not self.unique:
            return ()
        values = [_value(each) for each in self.columns]
        conditions = [f"{value} IS NOT NULL" for value in values]
        if self.where:
            conditions.append(f"({self.where})")
        names, only = ", ".join(values), " AND ".join(conditions)
        rows = (
            f"SELECT {names} FROM {ddl.quoted(self.table)} WHERE {only} "
            f"GROUP BY {names} HAVING count(*) > 1 ORDER BY {names}"
        )
        why = f"Rows of {self.table} violate UNIQUE ({', '.join(values)})"
        return (Precondition(why=why, rows=rows, table=self.table, needs=tuple(sorted(words_in(*values)))),)

    def _built(self, target: Target) -> tuple[Step, ...]:
        create = ddl.index_text(self._index, target.dialect)
        concurrently = "" if target.is_sqlite else "CONCURRENTLY "
        build = Step(
            title=f"CREATE INDEX {concurrently}{self.name} ON {self.table}",
            lock=Lock.SHARE_UPDATE_EXCLUSIVE,
            tables=(self.table,),
            alone=not target.is_sqlite,
            done=predicates.has_index(target.dialect, self.name),
            statements=(create,)
            if target.is_sqlite
            else (f"DROP INDEX CONCURRENTLY IF EXISTS {ddl.quoted(self.name)}", create),
            undo=(dropped_concurrently(target, self.name, self.table),),
        )
        if target.is_sqlite:
            return (build,)
        # An expression index has no statistics before ANALYZE.
        analyze = Step(
            title=f"ANALYZE {self.table} FOR {self.name}",
            lock=Lock.SHARE_UPDATE_EXCLUSIVE,
            tables=(self.table,),
            statements=(f"ANALYZE {ddl.quoted(self.table)}",),
        )
        return (build, analyze)

    @property
    def _index(self) -> Index:
        plain = [name for name in self.columns if name.isidentifier()]
        columns: list[Any] = [each if each in plain else ddl.verbatim(each) for each in self.columns]
        where = None if self.where is None else ddl.verbatim(self.where)
        return Index(
            self.name,
            *columns,
            unique=self.unique,
            postgresql_concurrently=True,
            postgresql_using=self.using or False,
            postgresql_where=where,
            sqlite_where=where,
            _table=Table(self.table, MetaData(), *(Column(name) for name in plain)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DropIndex(CreateIndex):
    """DROP INDEX CONCURRENTLY; the definition is for the downgrade."""

    def phases(self, target: Target, /) -> Phases:
        drop = dropped_concurrently(target, self.name, self.table)
        return Phases(
            requires=self._required,
            expand=(replace(drop, undo=self._built(target)),),
            undo_preconditions=self._none_twice(),
            frees=frozenset({dependents.index(self.name)}),
        )


def _value(column: str) -> str:
    """The indexed expression without sort order and operator class: `"name"` of `name DESC`."""
    if column.isidentifier():
        return ddl.quoted(column)
    parts = re.match(r"""("(?:[^"]|"")+"|\w+(?!\w*\s*\()|\w*\s*\(.*\))""", column.strip(), re.DOTALL)
    return parts[1] if parts else column


def dropped_concurrently(target: Target, name: str, table: str) -> Step:
    concurrently = "" if target.is_sqlite else "CONCURRENTLY "
    gone = predicates.negated(predicates.has_index(target.dialect, name))
    if not target.is_sqlite:
        gone = predicates.negated(
            predicates.either(
                predicates.has_index(target.dialect, name), predicates.has_index(target.dialect, name, valid=False)
            )
        )
    return Step(
        title=f"DROP INDEX {concurrently}{name} ON {table}",
        lock=Lock.SHARE_UPDATE_EXCLUSIVE,
        tables=(table,),
        alone=not target.is_sqlite,
        done=gone,
        statements=(f"DROP INDEX {concurrently}IF EXISTS {ddl.quoted(name)}",),
    )
