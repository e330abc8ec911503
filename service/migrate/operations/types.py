"""Columns of another type: at once where PostgreSQL only notes it down, else by a column beside that takes over."""

from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Column, Numeric, String, Text
from sqlalchemy.types import TypeEngine

from service.migrate import sql
from service.migrate.operations.base import Columns, Operation
from service.migrate.operations.columns import addition, removal, rename_column
from service.migrate.operations.nulls import optional, required
from service.migrate.operations.sync import Sync
from service.migrate.sqlite.clauses import column as sqlite_column
from service.migrate.sqlite.definition import Definition
from service.migrate.steps import Check, Edit, Fill, Lock, Move, Place, Step, mirrored


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeType(Operation):
    """A column with its old name and another type, which the code before can live with.

    `using` makes the new value of the old, `back` the old of the new: SQL expressions with `{}` where the value goes.
    """

    table: str
    was: Column[Any]
    column: Column[Any]
    using: str = "{}"
    back: str = "{}"
    key: tuple[str, ...] = ("id",)

    def needs(self) -> list[Columns]:
        return [(self.table, (self._name,))]

    def checks(self, place: Place) -> list[Check]:
        if place.is_sqlite:
            return []
        if _is_noted_only(self.was.type, self.column.type):
            kinds, why = "'c'", "A check is on it, and every row would be looked at under a lock: drop it first"
        else:
            kinds, why = (
                "'c', 'f', 'p', 'u', 'x'",
                "A constraint is on it, which the new column would not have: drop it first",
            )
        attribute = (
            f"(SELECT attnum FROM pg_attribute WHERE attrelid = conrelid AND attname = {sql.literal(self._name)})"
        )
        rows = (
            f"SELECT conname FROM pg_constraint WHERE conrelid = to_regclass({sql.literal(sql.quoted(self.table))}) "
            f"AND contype IN ({kinds}) AND conkey @> ARRAY[{attribute}] ORDER BY conname"
        )
        why = f"{self.table}.{self._name} cannot change its type. {why}"
        return [Check(why=why, rows=rows, table=self.table, needs=(self._name,))]

    def expand(self, place: Place) -> list[Step]:
        if place.is_sqlite:
            return [self._edited(self.column, self.using, undo=(self._edited(self.was, self.back),))]
        if _is_noted_only(self.was.type, self.column.type):
            return [replace(self._noted(self.column), undo=self._narrowed(place))]
        beside = _renamed(self.column, self._beside, nullable=True)
        return [addition(place, self.table, beside), self._sync(self.was, beside).trigger(place)]

    def fills(self, place: Place) -> list[Fill]:
        if self._is_at_once(place):
            return []
        # Once it has taken over there is no column beside any more.
        swapped = sql.has_column(place.dialect, self.table, sql.trash_name(place.revision, self._name))
        return [replace(self._filled(self._beside, self.using), unless=swapped)]

    def settle(self, place: Place) -> list[Step]:
        if self._is_at_once(place):
            return []
        need = [] if self.column.nullable else required(place, self.table, self._beside)
        return [*need, self._swapped(place)]

    def contract(self, place: Place) -> list[Step]:
        if self._is_at_once(place):
            return []
        aside = _renamed(self.was, sql.trash_name(place.revision, self._name), nullable=True)
        resync = Fill(
            name=f"{self.table}.{aside.name}",
            table=self.table,
            key=self.key,
            left=f"{sql.quoted(self._name)} IS DISTINCT FROM {self.using.format(sql.quoted(aside.name))}",
            assign={aside.name: self.back.format(sql.quoted(self._name))},
        )
        leave = Step(title=f"leave {resync.name} to the way back", undo=(resync,))
        there = Step(
            title=f"leave {self.table}.{aside.name} to the way back",
            undo=(replace(addition(place, self.table, aside), undo=(), scripted=False),),
        )
        return [leave, mirrored(self._sync(aside, self.column).trigger(place)), there]

    def purge(self, place: Place) -> list[Step]:
        if self._is_at_once(place):
            return []
        return [removal(place, self.table, sql.trash_name(place.revision, self._name))]

    @property
    def _name(self) -> str:
        return self.column.name

    @property
    def _beside(self) -> str:
        return sql.fitting(f"_next_{self._name}")

    def _is_at_once(self, place: Place) -> bool:
        return place.is_sqlite or _is_noted_only(self.was.type, self.column.type)

    def _sync(self, old: Column[Any], new: Column[Any]) -> Sync:
        return Sync(table=self.table, old=old, new=new, up=self.using, down=self.back)

    def _noted(self, column: Column[Any]) -> Step:
        kind = sql.type_text(column, "postgresql")
        return Step(
            title=f"change the type of {self.table}.{self._name}",
            lock=Lock.ACCESS_EXCLUSIVE,
            tables=(self.table,),
            done=_has_type(self.table, column),
            statements=(f"ALTER TABLE {sql.quoted(self.table)} ALTER COLUMN {sql.quoted(self._name)} TYPE {kind}",),
        )

    def _filled(self, name: str, convert: str) -> Fill:
        value = convert.format(sql.quoted(self._name))
        return Fill(
            name=f"{self.table}.{name}",
            table=self.table,
            key=self.key,
            left=f"{sql.quoted(name)} IS DISTINCT FROM {value}",
            assign={name: value},
        )

    def _swapped(self, place: Place) -> Step:
        """The column beside takes over the name; the old one is kept aside, in agreement until the contract."""
        aside = _renamed(self.was, sql.trash_name(place.revision, self._name), nullable=True)
        beside = _renamed(self.column, self._beside, nullable=True)
        before, after = self._sync(self.was, beside).trigger(place), self._sync(aside, self.column).trigger(place)
        relax: tuple[str, ...] = ()
        need: list[Step] = []
        if not self.was.nullable:
            relax = optional(place, self.table, self._name, undoable=False).statements
            need = required(place, self.table, self._name)
        there = sql.has_column(place.dialect, self.table, aside.name)
        return Step(
            title=f"let {self.table}.{self._name} be of its new type",
            lock=Lock.ACCESS_EXCLUSIVE,
            tables=(self.table,),
            done=there,
            statements=(
                *mirrored(before).statements,
                *relax,
                rename_column(self.table, self._name, aside.name),
                rename_column(self.table, beside.name, self._name),
                sql.name_not_null(self.table, self._name),
                *after.statements,
            ),
            undo=(
                Step(
                    title=f"let {self.table}.{self._name} be of its old type",
                    lock=Lock.ACCESS_EXCLUSIVE,
                    tables=(self.table,),
                    done=sql.negated(there),
                    statements=(
                        *mirrored(after).statements,
                        rename_column(self.table, self._name, beside.name),
                        rename_column(self.table, aside.name, self._name),
                        sql.name_not_null(self.table, beside.name),
                        *before.statements,
                    ),
                ),
                *need,
            ),
        )

    def _narrowed(self, place: Place) -> tuple[Move, ...]:
        """The way back from a wider type: a column of the old one is filled beside it and takes over."""
        back = ChangeType(
            table=self.table, was=self.column, column=self.was, using=self.back, back=self.using, key=self.key
        )
        beside = _renamed(self.was, self._beside, nullable=True)
        trigger = back._sync(self.column, beside).trigger(place)
        need = [] if self.was.nullable else required(place, self.table, beside.name)
        has_type = _has_type(self.table, self.was)
        gone = f"_last_{self._name}"
        swap = Step(
            title=f"let {self.table}.{self._name} be of its old type",
            lock=Lock.ACCESS_EXCLUSIVE,
            tables=(self.table,),
            done=has_type,
            statements=(
                *mirrored(trigger).statements,
                rename_column(self.table, self._name, gone),
                rename_column(self.table, beside.name, self._name),
                f"ALTER TABLE {sql.quoted(self.table)} DROP COLUMN {sql.quoted(gone)}",
                sql.name_not_null(self.table, self._name),
            ),
        )
        moves: tuple[Move, ...] = (
            replace(addition(place, self.table, beside), undo=()),
            replace(trigger, undo=()),
            back._filled(beside.name, self.back),
            *(replace(step, undo=()) for step in need),
        )
        # Whatever of it is in the catalog again when the type is the old one was done before a crash.
        return (*(_unless(has_type, move) for move in moves), swap)

    def _edited(self, column: Column[Any], convert: str, *, undo: tuple[Step, ...] = ()) -> Step:
        name = sql.quoted(self._name)
        values = () if convert == "{}" else (f"UPDATE {sql.quoted(self.table)} SET {name} = {convert.format(name)}",)
        return Step(
            title=f"change the type of {self.table}.{self._name}",
            lock=Lock.ACCESS_EXCLUSIVE,
            tables=(self.table,),
            edit=Edit(table=self.table, change=_with_type(column)),
            statements=values,
            undo=undo,
        )


def _with_type(column: Column[Any]) -> Any:
    written = sqlite_column(sql.column_text(column, "sqlite"))

    def change(definition: Definition) -> Definition:
        return definition.change_column(column.name, lambda was: was.with_type(written.type))

    return change


def _renamed(column: Column[Any], name: str, *, nullable: bool) -> Column[Any]:
    copy = column._copy()  # noqa: SLF001 - as service.migrate.sql does
    copy.name = copy.key = name
    copy.nullable = nullable
    return copy


def _unless(done: str, move: Move) -> Move:
    if isinstance(move, Fill):
        return replace(move, unless=done)
    return replace(move, done=done if move.done is None else sql.either(done, move.done))


def _is_noted_only(was: TypeEngine[Any], now: TypeEngine[Any]) -> bool:
    """Whether PostgreSQL neither writes nor reads a row for it: https://www.postgresql.org/docs/current/sql-altertable.html."""
    if isinstance(was, String) and isinstance(now, String):
        if was.collation != now.collation:
            return False
        return now.length is None or (was.length is not None and now.length >= was.length)
    if isinstance(was, Numeric) and isinstance(now, Numeric):
        if now.precision is None:
            return True
        return was.precision is not None and was.scale == now.scale and now.precision >= was.precision
    return False


def _has_type(table: str, column: Column[Any]) -> str:
    wanted = sql.literal(_formatted(column.type))
    return (
        f"SELECT EXISTS (SELECT FROM pg_attribute WHERE attrelid = to_regclass({sql.literal(sql.quoted(table))}) "
        f"AND attname = {sql.literal(column.name)} AND format_type(atttypid, atttypmod) = {wanted})"
    )


def _formatted(kind: TypeEngine[Any]) -> str:
    """The type as `format_type` writes it, of those that can be widened."""
    if isinstance(kind, String):
        if isinstance(kind, Text):
            return "text"
        return "character varying" if kind.length is None else f"character varying({kind.length})"
    assert isinstance(kind, Numeric)  # noqa: S101 - the only other kind
    return "numeric" if kind.precision is None else f"numeric({kind.precision},{kind.scale or 0})"
