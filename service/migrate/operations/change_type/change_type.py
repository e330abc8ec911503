"""`change_type`: in the catalog alone where PostgreSQL can, else with a shadow column, a backfill and a swap."""

from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Column, Connection

from service.migrate.dialects import ddl, predicates
from service.migrate.dialects.postgresql import blocks, carry
from service.migrate.dialects.types import has_type, is_catalog_only, longest
from service.migrate.errors import Refused
from service.migrate.operations import dependents, text_uses, trial
from service.migrate.operations.attributes import refuse_column
from service.migrate.operations.base import Operation, Phases
from service.migrate.operations.change_type import conversion
from service.migrate.operations.change_type.conversion import Conversion
from service.migrate.operations.change_type.narrow import has_shadow, narrowed, without_shadow
from service.migrate.operations.columns.actions import (
    addition,
    optional,
    removal,
    rename_column,
    required,
)
from service.migrate.operations.columns.requirements import matches_definition, refuse_own_constraints
from service.migrate.operations.columns.rewriting import adds_without_rewrite
from service.migrate.operations.preconditions import primary_key
from service.migrate.operations.step import Lock, Precondition, Step, Target, inverted
from service.migrate.operations.triggers import others
from service.migrate.operations.triggers.trigger import Rank


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeType(Operation):
    """A column with its old name and another type, one that the old version can read and write.

    `using` converts an old value to a new one, `back` a new one to an old one: SQL expressions with `{}` for the value.
    Where `back` may not restore the old values exactly, they stay in the trash until the purge.
    """

    table: str
    was: Column[Any]
    column: Column[Any]
    using: str = "{}"
    back: str = "{}"
    key: tuple[str, ...] = ("id",)
    uses_checked: tuple[str, ...] = ()

    def phases(self, target: Target, /) -> Phases:
        for column in (self.was, self.column):
            refuse_column(self.table, column, target)
        self._refuse_other_changes()
        common = Phases(
            requires=((self.table, (self._name, *self.key)),),
            preconditions=(matches_definition(self.table, self.was), *self._tried.tried(target)),
        )
        if target.is_sqlite:
            return common.then(self._rebuilt(target))
        return common.then(self._catalog_only(target) if self._is_catalog_only else self._replaced(target))

    @property
    def _tried(self) -> trial.Conversion:
        return trial.Conversion(
            call=f"ops.change_type({self.table!r}, …)",
            table=self.table,
            old=self.was,
            new=self.column,
            forth=("using", self.using),
            back=("back", self.back),
        )

    def _refuse_other_changes(self) -> None:
        if self.was.nullable != self.column.nullable:
            raise Refused(
                f"The two definitions of {self.table}.{self._name} differ in nullability: ops.change_type changes "
                "the type alone. Call ops.set_not_null or ops.drop_not_null for the rest."
            )
        refuse_own_constraints(self.table, self.column)

    def _rebuilt(self, target: Target) -> Phases:
        """SQLite: one rebuild of the table."""
        expand = (conversion.on_sqlite(target, self._conversion),)
        if not self._conversion.keeps_old_values:
            return Phases(expand=expand, undo_preconditions=self._none_longer())
        return Phases(
            preconditions=text_uses.of_shape(self.table, self.uses_checked),
            expand=expand,
            contract=(Step(title=f"KEEP COLUMN {self.table}.{self._name} FOR DOWNGRADE"),),
            purge=(removal(target, self.table, self._trashed(target).name),),
            undo_preconditions=self._none_longer(),
        )

    def _catalog_only(self, target: Target) -> Phases:
        """PostgreSQL, catalog only: one ALTER COLUMN TYPE; the downgrade needs a shadow column and a backfill."""
        what = f"{self.table}.{self._name} cannot change its type before its"
        why = f"{what} dependents are dropped"
        keeps = ("the index ", "the constraint ")
        change = replace(self._in_place(target), undo=narrowed(target, self._conversion))
        return Phases(
            preconditions=(
                self._no_check(f"{what} CHECK constraints are dropped: each row would be checked under a lock"),
                dependents.of_column(self.table, self._name, why, keeps=keeps),
            ),
            expand=(change,),
            undo_preconditions=(*self._none_longer(), self._fires_last(target, self._conversion.reversed.shadow.name)),
        )

    def _replaced(self, target: Target) -> Phases:
        """PostgreSQL otherwise: shadow column, trigger, backfill, then a swap of the two names."""
        what = f"{self.table}.{self._name} cannot change its type"
        why = f"{what} before its dependents are dropped"
        named = f"{what}, since the text of these may name it"
        # The swap renames the shadow column: without a column of that name there is nothing to backfill.
        taken_over = predicates.negated(predicates.has_column(target.dialect, self.table, self._shadow.name))
        need = () if self.column.nullable else required(target, self.table, self._shadow.name)
        trash = self._trashed(target)
        resync = self._conversion.fill_back(trash)
        there = replace(addition(target, self.table, trash), undo=(), scripted=False)
        return Phases(
            preconditions=(
                dependents.of_column(self.table, self._name, why),
                *text_uses.of_column(self.table, self._name, named, self.uses_checked),
                self._fires_last(target, self._shadow.name),
                *adds_without_rewrite(target, self.table, self._shadow, is_filled=True),
                *text_uses.of_shape(self.table, self.uses_checked),
            ),
            expand=(conversion.shadowed(target, self._conversion), self._before(target)),
            backfill=(replace(self._conversion.fill(self._shadow), unless=taken_over),),
            settle=(*need, self._swapped(target)),
            contract_preconditions=(self._fires_last(target, self._name),),
            contract=(
                Step(title=f"BACKFILL {resync.name} ON DOWNGRADE", undo=(resync,)),
                inverted(self._after(target)),
                Step(title=f"KEEP COLUMN {self.table}.{trash.name} FOR DOWNGRADE", undo=(there,)),
            ),
            purge=(removal(target, self.table, trash.name),),
        )

    def _fires_last(self, target: Target, written: str) -> Precondition:
        return others.fires_last(target, self.table, self._conversion.trigger_name(written), Rank.TYPE)

    def _no_check(self, why: str) -> Precondition:
        """No check constraint is on the column."""
        attribute = (
            f"(SELECT attnum FROM pg_attribute WHERE attrelid = conrelid AND attname = {ddl.literal(self._name)})"
        )
        rows = (
            f"SELECT conname FROM pg_constraint WHERE conrelid = {ddl.regclass(self.table)} "
            f"AND contype = 'c' AND conkey @> ARRAY[{attribute}] ORDER BY conname"
        )
        return Precondition(why=why, rows=rows, table=self.table, needs=(self._name,))

    def _none_longer(self) -> tuple[Precondition, ...]:
        """No value has become too long for the old type."""
        limit = longest(self.was)
        if limit is None or not self._is_catalog_only:
            return ()
        value = ddl.applied(self.back, ddl.quoted(self._name))

        def find(connection: Connection) -> str:
            key = primary_key(connection, self.table)
            return f"SELECT {key} FROM {ddl.quoted(self.table)} WHERE length({value}) > {limit} ORDER BY {key}"

        why = f"{self.table}.{self._name} is longer than {limit} characters, the old limit, in some rows"
        return (Precondition(why=why, rows=find, table=self.table, needs=(self._name,)),)

    @property
    def _name(self) -> str:
        return self.column.name

    @property
    def _conversion(self) -> Conversion:
        return Conversion(
            table=self.table, was=self.was, column=self.column, using=self.using, back=self.back, key=self.key
        )

    @property
    def _shadow(self) -> Column[Any]:
        return self._conversion.shadow

    @property
    def _is_catalog_only(self) -> bool:
        return self.using == "{}" and is_catalog_only(self.was, self.column)

    def _trashed(self, target: Target) -> Column[Any]:
        return conversion.renamed(self.was, ddl.trash_name(target.revision, self._name))

    def _in_place(self, target: Target) -> Step:
        alter = f"ALTER TABLE {ddl.quoted(self.table)} ALTER COLUMN {ddl.quoted(self._name)}"
        kind = ddl.type_text(self.column, "postgresql")
        return Step(
            title=f"SET DATA TYPE {self.table}.{self._name}",
            lock=Lock.ACCESS_EXCLUSIVE,
            tables=(self.table,),
            done=predicates.both(has_type(self.table, self.column), predicates.negated(has_shadow(self._conversion))),
            statements=(
                without_shadow(target, self._conversion),
                carry.remember_storage(self.table, self._name),
                f"{alter} TYPE {kind}",
                carry.restore_storage(self.table, self._name),
                *conversion.default_changed(self.table, self.was, self.column),
                blocks.touch_triggers(self.table),
            ),
        )

    def _before(self, target: Target) -> Step:
        return self._conversion.trigger(target, self._shadow.name)

    def _after(self, target: Target) -> Step:
        return self._conversion.trigger_back(target, self._trashed(target).name)

    def _swapped(self, target: Target) -> Step:
        """Swap the names; the old column moves to the trash and follows the new one until the contract."""
        trash, shadow = self._trashed(target).name, self._shadow.name
        before, after = self._before(target), self._after(target)
        relax: tuple[str, ...] = ()
        need: tuple[Step, ...] = ()
        if not self.was.nullable:
            relax = (
                blocks.carry_not_null(self.table, self._name, shadow),
                *optional(target, self.table, self._name, undoable=False).statements,
            )
            *others, last = required(target, self.table, self._name)
            kept = blocks.carry_not_null(self.table, shadow, self._name)
            need = (*others, replace(last, statements=(*last.statements, kept)))
        there = predicates.has_column(target.dialect, self.table, trash)
        back = Step(
            title=f"SWAP COLUMN {self.table}.{self._name} TO OLD TYPE",
            lock=Lock.ACCESS_EXCLUSIVE,
            tables=(self.table,),
            done=predicates.negated(there),
            statements=(
                *inverted(after).statements,
                rename_column(self.table, self._name, shadow),
                rename_column(self.table, trash, self._name),
                carry.move_default(self.table, shadow, self._name),
                *conversion.default_moved(self.table, self.was, shadow),
                *before.statements,
                blocks.touch_triggers(self.table),
            ),
        )
        return Step(
            title=f"SWAP COLUMN {self.table}.{self._name} TO NEW TYPE",
            lock=Lock.ACCESS_EXCLUSIVE,
            tables=(self.table,),
            done=there,
            statements=(
                *inverted(before).statements,
                *relax,
                # Again, since others may have granted privileges on the old column after the expand.
                carry.carry_column(self.table, self._name, shadow),
                rename_column(self.table, self._name, trash),
                rename_column(self.table, shadow, self._name),
                carry.move_default(self.table, trash, self._name),
                *conversion.default_moved(self.table, self.column, trash),
                *after.statements,
                blocks.touch_triggers(self.table),
            ),
            undo=(back, *need),
        )
