"""`set_not_null` and `drop_not_null`."""

from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection

from service.migrate import naming
from service.migrate.dialects import ddl, reflected
from service.migrate.operations import dependents
from service.migrate.operations.base import Operation, Phases
from service.migrate.operations.columns.actions import optional, required
from service.migrate.operations.columns.requirements import no_nulls
from service.migrate.operations.step import CATALOG, Backfill, Precondition, Step, Target, inverted
from service.migrate.operations.trial import refuse_failing
from service.migrate.operations.triggers import others
from service.migrate.operations.triggers.trigger import Rank, SQLiteTrigger, guarded, row_trigger


@dataclass(frozen=True, slots=True, kw_only=True)
class SetNotNull(Operation):
    """SET NOT NULL.

    With `fill`, an SQL expression over the row's columns, a trigger sets the column in rows that are written without a
    value, and the backfill sets it in existing rows. Without `fill`, a row with NULL refuses the change.
    """

    table: str
    column: str
    key: tuple[str, ...] = ("id",)
    fill: str | None = None

    def phases(self, target: Target, /) -> Phases:
        so = _not_so_already(self.table, self.column, nullable=False)
        need = required(target, self.table, self.column)
        frees = frozenset({dependents.may_be_null(f"{self.table}.{self.column}", is_so=True)})
        if self.fill is None:
            call = f"ops.set_not_null({self.table!r}, {self.column!r}, fill=…)"
            cure = f"Set a value in these rows, or call `{call}` in upgrade()"
            return Phases(
                requires=((self.table, (self.column,)),),
                preconditions=(so, replace(no_nulls(self.table, self.column), cure=cure)),
                expand=need,
                frees=frees,
            )
        trigger = self._trigger(target, self.fill)
        last = others.fires_last(target, self.table, self._trigger_name, Rank.FILL)
        # SQLite checks NOT NULL before triggers run: inserts of the old version would fail before the contract.
        return Phases(
            requires=((self.table, (self.column, *self.key)),),
            preconditions=(so, last, self._tried(target, self.fill)),
            expand=(trigger,),
            backfill=(self._backfill(self.fill),),
            settle=() if target.is_sqlite else need,
            contract_preconditions=(last,),
            contract=(*(need if target.is_sqlite else ()), inverted(trigger)),
            frees=frees,
        )

    def _tried(self, target: Target, fill: str) -> Precondition:
        """The database computes the expression for a sample of the rows, and can store it."""

        def find(connection: Connection) -> list[tuple[Any, ...]]:
            what = f"{target.revision}: ops.set_not_null({self.table!r}, {self.column!r}, …)"
            refuse_failing(connection, what, self.table, self.column, fill)
            return []

        why = f"The fill of {self.table}.{self.column} cannot be tried"
        script = f"SELECT 1 FROM {ddl.quoted(self.table)} AS written WHERE 1 = 0 AND ({fill}) IS NULL"
        return Precondition(why=why, rows=find, table=self.table, needs=(self.column,), script=script)

    def _backfill(self, fill: str) -> Backfill:
        name = f"{self.table}.{self.column}"
        left = f"{ddl.quoted(self.column)} IS NULL"
        return Backfill(
            name=name, table=self.table, key=self.key, left=left, assign={self.column: fill}, is_change=True
        )

    @property
    def _trigger_name(self) -> str:
        return naming.owned(f"fill_{self.table}_{self.column}")

    def _trigger(self, target: Target, fill: str) -> Step:
        column = ddl.quoted(self.column)
        value = f"NEW.{column} := (SELECT {fill} FROM (SELECT NEW.*) AS written)"
        filled = SQLiteTrigger(
            when=f"NEW.{column} IS NULL", settings=f"SET {column} = {fill}", where=f"{column} IS NULL"
        )
        return row_trigger(
            target,
            self.table,
            self._trigger_name,
            rank=Rank.FILL,
            key=self.key,
            postgresql=lambda: f"IF NEW.{column} IS NULL THEN {guarded(value, f'NEW.{column} := NULL')} END IF;",
            sqlite=lambda: dict.fromkeys(("AFTER INSERT", f"AFTER UPDATE OF {column}"), filled),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DropNotNull(Operation):
    """DROP NOT NULL; a version that cannot read NULL must be stopped before another version writes NULL."""

    table: str
    column: str

    def phases(self, target: Target, /) -> Phases:
        return Phases(
            requires=((self.table, (self.column,)),),
            preconditions=(_not_so_already(self.table, self.column, nullable=True),),
            expand=(optional(target, self.table, self.column),),
            undo_preconditions=(no_nulls(self.table, self.column),),
            frees=frozenset({dependents.may_be_null(f"{self.table}.{self.column}", is_so=False)}),
        )


def _not_so_already(table: str, column: str, *, nullable: bool) -> Precondition:
    """The column's nullability differs from the wanted one: a downgrade would otherwise change what it never set."""

    def find(connection: Connection) -> list[tuple[str]]:
        there = reflected.columns(connection, table).get(reflected.folded(connection.dialect.name, column), {})
        so = there.get("nullable") is nullable
        return [(dependents.may_be_null(f"{table}.{column}", is_so=nullable),)] if so else []

    why = f"{table}.{column} needs no change"
    return Precondition(why=why, rows=find, table=table, needs=(column,), script=CATALOG)
