"""Columns that may, or may no longer, be NULL."""

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Connection, inspect

from service.migrate.dialects import ddl, predicates
from service.migrate.dialects.sqlite.clauses import Column
from service.migrate.dialects.sqlite.definition import Definition
from service.migrate.dialects.sqlite.edit import Edit
from service.migrate.operations import dependents
from service.migrate.operations.base import Columns, Operation
from service.migrate.operations.step import Check, Fill, Lock, Place, Step, mirrored
from service.migrate.operations.triggers.trigger import row_trigger


@dataclass(frozen=True, slots=True, kw_only=True)
class SetNotNull(Operation):
    """A column that has a value in every row from now on.

    With `fill`, an SQL expression over the row's columns, a trigger gives it to rows that are written without a value,
    and the backfill to those that are there. Without one there must be no row left that has none.
    """

    table: str
    column: str
    key: tuple[str, ...] = ("id",)
    fill: str | None = None

    def needs(self) -> list[Columns]:
        return [(self.table, (self.column, *(self.key if self.fill is not None else ())))]

    def frees(self) -> list[str]:
        return [dependents.may_be_null(f"{self.table}.{self.column}", is_so=True)]

    def checks(self, place: Place) -> list[Check]:  # noqa: ARG002
        so = _not_so_already(self.table, self.column, nullable=False)
        return [so] if self.fill is not None else [so, none_empty(self.table, self.column)]

    def expand(self, place: Place) -> list[Step]:
        return required(place, self.table, self.column) if self.fill is None else self._trigger(place)

    def fills(self, place: Place) -> list[Fill]:  # noqa: ARG002
        if self.fill is None:
            return []
        name = f"{self.table}.{self.column}"
        left = f"{ddl.quoted(self.column)} IS NULL"
        return [Fill(name=name, table=self.table, key=self.key, left=left, assign={self.column: self.fill})]

    def settle(self, place: Place) -> list[Step]:
        # On SQLite a trigger runs after NOT NULL was checked: old code must be gone first.
        return [] if self.fill is None or place.is_sqlite else required(place, self.table, self.column)

    def contract(self, place: Place) -> list[Step]:
        if self.fill is None:
            return []
        gone = [mirrored(step) for step in self._trigger(place)]
        return [*(required(place, self.table, self.column) if place.is_sqlite else []), *gone]

    def _trigger(self, place: Place) -> list[Step]:
        assert self.fill is not None  # noqa: S101 - asked only then
        column = ddl.quoted(self.column)
        return row_trigger(
            place,
            self.table,
            f"roster_fill_{self.table}_{self.column}",
            key=self.key,
            postgresql=f"IF NEW.{column} IS NULL THEN "
            f"NEW.{column} := (SELECT {self.fill} FROM (SELECT NEW.*) AS written); END IF;",
            sqlite={
                f"AFTER {event}": (f"NEW.{column} IS NULL", f"SET {column} = {self.fill}")
                for event in ("INSERT", f"UPDATE OF {column}")
            },
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DropNotNull(Operation):
    """A column that may be NULL from now on; code that cannot read NULL must be gone before anyone writes one."""

    table: str
    column: str

    def needs(self) -> list[Columns]:
        return [(self.table, (self.column,))]

    def frees(self) -> list[str]:
        return [dependents.may_be_null(f"{self.table}.{self.column}", is_so=False)]

    def checks(self, place: Place) -> list[Check]:  # noqa: ARG002
        return [_not_so_already(self.table, self.column, nullable=True)]

    def undo_checks(self, place: Place) -> list[Check]:  # noqa: ARG002
        return [none_empty(self.table, self.column)]

    def expand(self, place: Place) -> list[Step]:
        return [optional(place, self.table, self.column)]


def required(place: Place, table: str, column: str) -> list[Step]:
    """NOT NULL without a scan under a lock: a check that is not valid yet, validated, then taken over.

    https://www.postgresql.org/docs/current/sql-altertable.html: SET NOT NULL skips its scan for a valid check.
    """
    holds = predicates.refuses_null(place.dialect, table, column)
    if place.is_sqlite:
        return [
            Step(
                title=f"let {table}.{column} be NULL no more",
                lock=Lock.ACCESS_EXCLUSIVE,
                tables=(table,),
                done=holds,
                edit=Edit(table=table, change=_with_not_null(column)),
                undo=(optional(place, table, column, undoable=False),),
            )
        ]
    check = ddl.inner_name(f"ck_{table}_{column}_not_null")
    alter = f"ALTER TABLE {ddl.quoted(table)}"
    drop = f"{alter} DROP CONSTRAINT IF EXISTS {ddl.quoted(check)}"
    there = predicates.has_constraint(place.dialect, table, check)
    return [
        Step(
            title=f"check that new rows have {table}.{column}",
            lock=Lock.ACCESS_EXCLUSIVE,
            tables=(table,),
            done=predicates.either(there, holds),
            statements=(
                f"{alter} ADD CONSTRAINT {ddl.quoted(check)} CHECK ({ddl.quoted(column)} IS NOT NULL) NOT VALID",
            ),
            undo=(
                Step(
                    title=f"check no more that new rows have {table}.{column}",
                    lock=Lock.ACCESS_EXCLUSIVE,
                    tables=(table,),
                    done=predicates.negated(there),
                    statements=(drop,),
                ),
            ),
        ),
        Step(
            title=f"check that all rows have {table}.{column}",
            lock=Lock.SHARE_UPDATE_EXCLUSIVE,
            tables=(table,),
            done=predicates.either(predicates.has_constraint(place.dialect, table, check, valid=True), holds),
            statements=(f"{alter} VALIDATE CONSTRAINT {ddl.quoted(check)}",),
        ),
        Step(
            title=f"let {table}.{column} be NULL no more",
            lock=Lock.ACCESS_EXCLUSIVE,
            tables=(table,),
            done=predicates.both(holds, predicates.negated(there)),
            statements=(f"{alter} ALTER COLUMN {ddl.quoted(column)} SET NOT NULL", drop),
            undo=(optional(place, table, column, undoable=False),),
        ),
    ]


def optional(place: Place, table: str, column: str, *, undoable: bool = True) -> Step:
    """A column that may be NULL: a matter of the catalog alone; `undoable` says how to take that back."""
    native = f"ALTER TABLE {ddl.quoted(table)} ALTER COLUMN {ddl.quoted(column)} DROP NOT NULL"
    return Step(
        title=f"let {table}.{column} be NULL",
        lock=Lock.ACCESS_EXCLUSIVE,
        tables=(table,),
        done=predicates.negated(predicates.refuses_null(place.dialect, table, column)),
        statements=() if place.is_sqlite else (native,),
        edit=Edit(table=table, change=_without_not_null(column)) if place.is_sqlite else None,
        undo=tuple(required(place, table, column)) if undoable else (),
    )


def none_empty(table: str, column: str) -> Check:
    """No row is without a value; told by their keys."""

    def find(connection: Connection) -> str:
        key = primary_key(connection, table)
        return f"SELECT {key} FROM {ddl.quoted(table)} WHERE {ddl.quoted(column)} IS NULL ORDER BY {key}"

    return Check(why=f"{table}.{column} has no value in some rows", rows=find, table=table, needs=(column,))


def _not_so_already(table: str, column: str, *, nullable: bool) -> Check:
    """There is something to do, which the way back can take back."""

    def find(connection: Connection) -> list[tuple[str]]:
        there = {each["name"]: each["nullable"] for each in inspect(connection).get_columns(table)}
        so = there.get(column) is nullable
        return [(dependents.may_be_null(f"{table}.{column}", is_so=nullable),)] if so else []

    return Check(why=f"{table}.{column} needs no change", rows=find, table=table, needs=(column,))


def primary_key(connection: Connection, table: str) -> str:
    """The columns of the key, to be selected; 1 where there is none."""
    return ddl.listed(inspect(connection).get_pk_constraint(table)["constrained_columns"]) or "1"


def _with_not_null(column: str) -> Callable[[Definition], Definition]:
    return lambda definition: definition.change_column(column, lambda was: _nullable(was).with_clause("NOT NULL"))


def _without_not_null(column: str) -> Callable[[Definition], Definition]:
    return lambda definition: definition.change_column(column, _nullable)


def _nullable(column: Column) -> Column:
    for kind in ("NOT NULL", "NULL"):
        if clause := column.clause(kind):
            column = column.without(clause)
    return column
