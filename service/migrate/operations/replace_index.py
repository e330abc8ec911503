"""`replace_index`: a new definition under the same name, so that one of the two always applies."""

from dataclasses import dataclass, replace

from sqlalchemy import Column, Index

from service.migrate.dialects import ddl, predicates
from service.migrate.dialects.postgresql import blocks
from service.migrate.errors import Refused
from service.migrate.operations import dependents
from service.migrate.operations.base import Operation, Phases
from service.migrate.operations.definitions import of_rows
from service.migrate.operations.indexes import CreateIndex, arguments
from service.migrate.operations.step import Lock, Step, Target


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplaceIndex(Operation):
    """The new index is built CONCURRENTLY under another name, which is changed when the old index is dropped."""

    was: CreateIndex
    now: CreateIndex

    def phases(self, target: Target, /) -> Phases:
        was, now = self.was.phases(target), self.now.phases(target)
        return Phases(
            requires=now.requires,
            preconditions=(
                self.was.same(target, drops=True, keeps_comment=True),
                *self.was.unused,
                *of_rows(now.preconditions),
            ),
            expand=_at_once(was, now) if target.is_sqlite else self._swapped(target),
            undo_preconditions=(*of_rows(was.preconditions), *self.now.unused),
            frees=frozenset({dependents.index(self.was.name)}),
        )

    def _swapped(self, target: Target) -> tuple[Step, ...]:
        swap = self._renamed(target)
        build, before = (replace(each, name=self._next).phases(target).expand[0] for each in (self.now, self.was))
        return (build, replace(swap, undo=(before, swap)), *self.now.phases(target).expand[1:])

    def _renamed(self, target: Target) -> Step:
        has_next = predicates.has_index(target.dialect, self._next)
        return Step(
            title=f"REPLACE INDEX {self.now.name} ON {self.now.table}",
            lock=Lock.ACCESS_EXCLUSIVE,
            tables=(self.now.table,),
            done=predicates.both(predicates.negated(has_next), predicates.has_index(target.dialect, self.now.name)),
            statements=(
                blocks.carry_index_comment(self.now.name, self._next),
                f"DROP INDEX {ddl.quoted(self.now.name)}",
                f"ALTER INDEX {ddl.quoted(self._next)} RENAME TO {ddl.quoted(self.now.name)}",
            ),
        )

    @property
    def _next(self) -> str:
        return ddl.inner_name(f"{self.now.name}_next")


def replacement(table: str, was: Index, now: Index) -> ReplaceIndex:
    """The operation that replaces `was` by `now`; raises Refused if their names differ."""
    if was.name != now.name:
        raise Refused(
            f"{was.name} and {now.name} are two indexes of {table}. Call ops.create_index for the new one, and "
            "ops.drop_index for the old one."
        )
    return ReplaceIndex(was=of_index(table, was), now=of_index(table, now))


def of_index(table: str, index: Index) -> CreateIndex:
    """The operation that creates this index."""
    if not isinstance(index.name, str):
        raise Refused(f"An index of {table} has no name. Name it in sa.Index.")
    columns = [each.name if isinstance(each, Column) else each for each in index.expressions]
    options = {"unique": index.unique, **index.dialect_kwargs}
    return CreateIndex(**arguments(index.name, table, columns, options))


def _at_once(was: Phases, now: Phases) -> tuple[Step, ...]:
    """SQLite: drop and create in one transaction."""
    (old,), (new,) = was.expand, now.expand
    back = _replacing(new, old)
    return (replace(_replacing(old, new), undo=(back,)),)


def _replacing(old: Step, new: Step) -> Step:
    (drop,) = old.undo
    assert isinstance(drop, Step)  # noqa: S101 - of CreateIndex
    return Step(
        title=new.title.replace("CREATE", "REPLACE", 1),
        lock=new.lock,
        tables=new.tables,
        statements=(*drop.statements, *new.statements),
    )
