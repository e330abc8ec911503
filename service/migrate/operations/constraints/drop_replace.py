"""`drop_constraint` and `replace_constraint`."""

from dataclasses import dataclass, replace

from sqlalchemy import CheckConstraint, Constraint, ForeignKeyConstraint, UniqueConstraint

from service.migrate.dialects.sqlite.edit import Edit
from service.migrate.errors import Refused
from service.migrate.operations import dependents
from service.migrate.operations.base import Operation, Phases
from service.migrate.operations.constraints.actions import dropped, options_of
from service.migrate.operations.constraints.check_unique import AddCheck, AddUnique, unique_replaced
from service.migrate.operations.constraints.foreign_key import AddForeignKey
from service.migrate.operations.definitions import of_rows
from service.migrate.operations.step import Lock, Precondition, Step, Target


@dataclass(frozen=True, slots=True, kw_only=True)
class DropConstraint(Operation):
    """DROP CONSTRAINT; `added` is the operation that adds it again in the downgrade."""

    added: AddCheck | AddForeignKey | AddUnique

    def phases(self, target: Target, /) -> Phases:
        added = self.added.phases(target)
        return Phases(
            requires=((self.added.table, ()),),
            preconditions=(self.added.same(target, drops=True), *_unused(self.added)),
            expand=(replace(self._dropped(target), undo=added.expand),),
            undo_preconditions=of_rows(added.preconditions),
            frees=frozenset({dependents.constraint(self.added.table, self.added.name)}),
        )

    def _dropped(self, target: Target) -> Step:
        referred = self.added.referred if isinstance(self.added, AddForeignKey) else None
        return dropped(target, self.added.table, self.added.name, referred=referred)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplaceConstraint(Operation):
    """A constraint that another of its kind replaces in one transaction, so that one of them always applies."""

    was: AddCheck | AddForeignKey | AddUnique
    now: AddCheck | AddForeignKey | AddUnique

    def phases(self, target: Target, /) -> Phases:
        was, now = self.was.phases(target), self.now.phases(target)
        return Phases(
            requires=now.requires,
            preconditions=(self.was.same(target, drops=True), *_unused(self.was), *self._checked(now)),
            expand=self._replaced(target, was, now),
            undo_preconditions=(*of_rows(was.preconditions), *_unused(self.now)),
            frees=frozenset({dependents.constraint(self.was.table, self.was.name)}),
            adds=now.adds,
        )

    def _checked(self, now: Phases) -> tuple[Precondition, ...]:
        """The preconditions of the new constraint; what has its name now may be the old one."""
        return now.preconditions if self.was.name != self.now.name else of_rows(now.preconditions)

    def _replaced(self, target: Target, was: Phases, now: Phases) -> tuple[Step, ...]:
        if isinstance(self.was, AddUnique) and isinstance(self.now, AddUnique) and not target.is_sqlite:
            return unique_replaced(target, self.was, self.now)
        back = _swapped(target, self.now, self.was)
        return (replace(_swapped(target, self.was, self.now), undo=(back, *was.expand[1:])), *now.expand[1:])


def _unused(dropped: AddCheck | AddForeignKey | AddUnique) -> tuple[Precondition, ...]:
    return (dropped.unused,) if isinstance(dropped, AddUnique) else ()


def replacement(table: str, was: Constraint, now: Constraint) -> ReplaceConstraint:
    """The operation that replaces `was` by `now`; raises Refused for a unique constraint and one of another kind."""
    old, new = of_table(table, was), of_table(table, now)
    if isinstance(old, AddUnique) is not isinstance(new, AddUnique):
        raise Refused(
            f"{table}: a unique constraint cannot replace a constraint of another kind. Add the new one, then call "
            "ops.drop_constraint."
        )
    return ReplaceConstraint(was=old, now=new)


def of_table(table: str, constraint: Constraint) -> AddCheck | AddForeignKey | AddUnique:
    """The operation that adds this constraint.

    Raises:
        Refused: the constraint has no name, or is a primary key or an exclusion constraint.
    """
    if not isinstance(constraint.name, str):
        raise Refused(f"A constraint of {table} has no name. Pass name=… to the constraint.")
    options = options_of(constraint)
    if isinstance(constraint, CheckConstraint):
        return AddCheck(table=table, name=constraint.name, condition=constraint.sqltext, options=options)
    if isinstance(constraint, UniqueConstraint):
        columns = tuple(str(each) for each in constraint._pending_colargs)  # noqa: SLF001 - before it has a table
        return AddUnique(table=table, name=constraint.name, columns=columns, options=options)
    if isinstance(constraint, ForeignKeyConstraint):
        targets = [each.target_fullname.rsplit(".", 1) for each in constraint.elements]
        return AddForeignKey(
            table=table,
            name=constraint.name,
            columns=tuple(constraint.column_keys),
            referred=targets[0][0],
            referred_columns=tuple(column for _, column in targets),
            ondelete=constraint.ondelete,
            onupdate=constraint.onupdate,
            options=options,
        )
    raise Refused(
        f"{constraint.name} of {table} is a {type(constraint).__name__}; only CHECK, UNIQUE and FOREIGN KEY "
        "constraints can be altered. Use ops.execute for others."
    )


def _swapped(
    target: Target, old: AddCheck | AddForeignKey | AddUnique, new: AddCheck | AddForeignKey | AddUnique
) -> Step:
    """Drop the old constraint and add the new one, NOT VALID, in one transaction."""
    drop = DropConstraint(added=old).phases(target).expand[0]
    add = new.phases(target).expand[0]
    both = Step(
        title=f"REPLACE CONSTRAINT {old.name} ON {new.table}{'' if old.name == new.name else f' BY {new.name}'}",
        lock=Lock.ACCESS_EXCLUSIVE,
        tables=tuple(dict.fromkeys((*drop.tables, *add.tables))),
        statements=(*drop.statements, *add.statements),
    )
    if drop.edit is None or add.edit is None:
        return both
    change, then = drop.edit.change, add.edit.change
    return replace(both, edit=Edit(table=new.table, change=lambda definition: then(change(definition))))
