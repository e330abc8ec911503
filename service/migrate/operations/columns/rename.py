"""`rename_column`: an old and a new column that a trigger keeps equal until the contract."""

from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Column, Connection

from service.migrate.dialects import ddl
from service.migrate.dialects.comparison import differ
from service.migrate.dialects.postgresql import carry
from service.migrate.operations import dependents, text_uses, trial
from service.migrate.operations.attributes import refuse_column
from service.migrate.operations.base import Operation, Phases
from service.migrate.operations.columns.actions import (
    moved_to_trash,
    optional,
    removal,
    required,
    unfilled,
    with_default,
    without_default,
)
from service.migrate.operations.columns.default import defaulted
from service.migrate.operations.columns.requirements import (
    defaults_agree,
    matches_definition,
    refuse_own_constraints,
    refuse_own_values,
)
from service.migrate.operations.columns.rewriting import adds_without_rewrite
from service.migrate.operations.definitions_of_columns import no_column
from service.migrate.operations.preconditions import primary_key
from service.migrate.operations.step import Lock, Precondition, Step, Target, inverted
from service.migrate.operations.triggers import others
from service.migrate.operations.triggers.sync import Sync, converted
from service.migrate.operations.triggers.trigger import Rank


@dataclass(frozen=True, slots=True, kw_only=True)
class RenameColumn(Operation):
    """A column under a new name, and the old column for the old version; a write to one is copied to the other.

    `up` converts an old value to a new one, `down` a new value to an old one: SQL expressions with `{}` for the value.
    """

    table: str
    old: Column[Any]
    new: Column[Any]
    key: tuple[str, ...] = ("id",)
    up: str = "{}"
    down: str = "{}"
    uses_checked: tuple[str, ...] = ()

    def phases(self, target: Target, /) -> Phases:
        for column in (self.old, self.new):
            refuse_column(self.table, column, target)
        refuse_own_constraints(self.table, self.new)
        defaults = self._sync.defaults(target.dialect)
        refuse_own_values(self.table, without_default(self.new) if defaults.differs_in_each_row else self.new)
        old = f"{self.table}.{self.old.name}"
        why = f"{old} cannot be replaced by {self.new.name} before its dependents are dropped in contract()"
        named = f"{old} cannot be moved to the trash, since the text of these may name it"
        common = Phases(
            requires=((self.table, (self.old.name, *self.key)),),
            provides=((self.table, (self.new.name,)),),
            preconditions=(
                matches_definition(self.table, self.old),
                no_column(target, self.table, self.new.name),
                *defaults_agree(self.table, defaults),
                *self._tried.tried(target),
                *self._beside_others(target),
                *(() if target.is_sqlite else (others.is_not_being_renamed(self.table, self.old.name),)),
                *adds_without_rewrite(target, self.table, self.new, is_filled=True),
                *text_uses.of_shape(self.table, self.uses_checked),
            ),
            contract_preconditions=(
                dependents.of_column(self.table, self.old.name, why),
                *text_uses.of_column(self.table, self.old.name, named, self.uses_checked),
                *self._beside_others(target),
            ),
            purge=(removal(target, self.table, ddl.trash_name(target.revision, self.old.name)),),
            undo_contract_preconditions=() if self.old.nullable else (self._none_missing(),),
        )
        return self._on_sqlite(target, common) if target.is_sqlite else self._on_postgresql(target, common)

    @property
    def _tried(self) -> trial.Conversion:
        return trial.Conversion(
            call=f"ops.rename_column({self.table!r}, …)",
            table=self.table,
            old=self.old,
            new=self.new,
            forth=("up", self.up),
            back=("down", self.down),
        )

    def _beside_others(self, target: Target) -> tuple[Precondition, ...]:
        return (
            others.fires_last(target, self.table, self._sync.name, Rank.SYNC),
            others.fires_alike(target, self.table, self.old.name, self.new.name),
        )

    def _on_postgresql(self, target: Target, common: Phases) -> Phases:
        sync = self._sync
        trigger = sync.trigger(target)
        relax, need = self._relaxed(target), self._required(target)
        relax = tuple(replace(each, undo=required(target, self.table, self.old.name)) for each in relax)
        add = self._added(target)
        return replace(
            common,
            expand=(replace(add, statements=(*add.statements, self._carried())), trigger),
            backfill=(sync.fill(target),),
            settle=need,
            contract=(*relax, *self._old_to_trash(target, trigger)),
        )

    def _on_sqlite(self, target: Target, common: Phases) -> Phases:
        """SQLite checks NOT NULL before triggers run: drop it on the old column first, set it on the new one last."""
        trigger = self._sync.trigger(target)
        relax, need = self._relaxed(target), self._required(target)
        return replace(
            common,
            expand=(
                *(replace(each, undo=required(target, self.table, self.old.name)) for each in relax),
                self._added(target),
                trigger,
                self._filled_at_once(),
            ),
            contract=(*need, *relax, *self._old_to_trash(target, trigger)),
            undo_preconditions=common.undo_contract_preconditions,
        )

    def _old_to_trash(self, target: Target, trigger: Step) -> tuple[Step, ...]:
        """Drop the trigger, then move the old column to the trash; the undo fills the old column again."""
        resync = self._sync.fill_back(target)
        leave = Step(title=f"BACKFILL {resync.name} ON DOWNGRADE", undo=(resync,))
        move = moved_to_trash(target, self.table, self.old)
        if not target.is_sqlite:
            # Again, since others may have granted privileges on the old column after the expand.
            move = replace(move, statements=(self._carried(), *move.statements))
        return (leave, self._trigger_gone(target, trigger), move)

    def _carried(self) -> str:
        return carry.carry_column(self.table, self.old.name, self.new.name)

    def _added(self, target: Target) -> Step:
        """The new column with the default by which the trigger knows whether the column was written."""
        default = self._sync.defaults(target.dialect).during
        return unfilled(target, self.table, with_default(self.new, default))

    def _trigger_gone(self, target: Target, trigger: Step) -> Step:
        """DROP TRIGGER, and the new column's own default."""
        gone, defaults = inverted(trigger), self._sync.defaults(target.dialect)
        if defaults.during == defaults.after:
            return gone
        (back,) = gone.undo
        assert isinstance(back, Step)  # noqa: S101 - the undo of `inverted`
        own, during = (
            defaulted(target, self.table, self.new.name, default) for default in (defaults.after, defaults.during)
        )
        return replace(
            gone,
            statements=(*gone.statements, *own.statements),
            edit=own.edit,
            undo=(replace(back, statements=(*during.statements, *back.statements), edit=during.edit),),
        )

    def _filled_at_once(self) -> Step:
        new = ddl.quoted(self.new.name)
        value = converted(self.up, ddl.quoted(self.old.name))
        disagree = differ("sqlite", self.new, new, value)
        return Step(
            title=f"BACKFILL {self.table}.{self.new.name}",
            lock=Lock.ACCESS_EXCLUSIVE,
            tables=(self.table,),
            statements=(f"UPDATE {ddl.quoted(self.table)} SET {new} = {value} WHERE {disagree}",),
        )

    def _none_missing(self) -> Precondition:
        """Every row has a new value that `down` converts to a value other than NULL."""

        def find(connection: Connection) -> str:
            key = primary_key(connection, self.table)
            value = converted(self.down, ddl.quoted(self.new.name))
            return f"SELECT {key} FROM {ddl.quoted(self.table)} WHERE {value} IS NULL ORDER BY {key}"

        why = f"{self.table}.{self.old.name} is NOT NULL, and in some rows {self.new.name} converts to NULL"
        return Precondition(why=why, rows=find, table=self.table, needs=(self.new.name,))

    def _relaxed(self, target: Target) -> tuple[Step, ...]:
        if self.old.nullable or self.old.server_default is not None:
            return ()
        return (optional(target, self.table, self.old.name, undoable=False),)

    def _required(self, target: Target) -> tuple[Step, ...]:
        return () if self.new.nullable else required(target, self.table, self.new.name)

    @property
    def _sync(self) -> Sync:
        return Sync(table=self.table, old=self.old, new=self.new, up=self.up, down=self.down, key=self.key)
