"""`follow`: a column that a trigger derives from another until the contract."""

from dataclasses import dataclass, replace
from functools import partial

from sqlalchemy import Connection

from service.migrate import naming
from service.migrate.dialects import ddl
from service.migrate.dialects.comparison import changed
from service.migrate.operations.base import Operation, Phases
from service.migrate.operations.step import Step, Target, inverted
from service.migrate.operations.trial import refuse_failing, tried
from service.migrate.operations.triggers import others
from service.migrate.operations.triggers.trigger import Rank, SQLiteTrigger, guarded, row_trigger


@dataclass(frozen=True, slots=True, kw_only=True)
class Follow(Operation):
    """A trigger that sets the column from `source` in rows whose writer sets `source` alone, until the contract.

    `postgresql` and `sqlite` are expressions over the row; NULL leaves the value to the backfill.
    """

    table: str
    column: str
    source: str
    postgresql: str
    sqlite: str
    key: tuple[str, ...] = ("id",)

    def phases(self, target: Target, /) -> Phases:
        trigger = self._trigger(target)
        last = others.fires_last(target, self.table, self._name, Rank.FOLLOW)
        return Phases(
            requires=((self.table, (self.column, self.source, *self.key)),),
            preconditions=(last,),
            expand=(trigger,),
            contract_preconditions=(last,),
            contract=(inverted(trigger),),
        )

    @property
    def _name(self) -> str:
        return naming.owned(f"follow_{self.table}_{self.column}")

    def _trigger(self, target: Target) -> Step:
        column, source = ddl.quoted(self.column), ddl.quoted(self.source)
        value = f"NEW.{column} := (SELECT {self.postgresql} FROM (SELECT NEW.*) AS written)"
        settings = f"SET {column} = {self.sqlite}"
        step = row_trigger(
            target,
            self.table,
            self._name,
            rank=Rank.FOLLOW,
            key=self.key,
            postgresql=lambda: (
                f"IF NEW.{column} IS NULL OR (TG_OP = 'UPDATE' AND {changed('postgresql', source)} "
                f"AND NOT {changed('postgresql', column)}) "
                f"THEN {guarded(value, f'NEW.{column} := NULL')} END IF;"
            ),
            sqlite=lambda: {
                "AFTER INSERT": SQLiteTrigger(
                    when=f"NEW.{column} IS NULL", settings=settings, where=f"{column} IS NULL"
                ),
                f"AFTER UPDATE OF {source}": SQLiteTrigger(
                    when=f"{changed('sqlite', source)} AND NOT {changed('sqlite', column)}", settings=settings
                ),
            },
        )
        tries = () if target.is_sqlite else tried(self.table, self.column, self.postgresql)
        return replace(step, trial=partial(self._try, target), tried=tries)

    def _try(self, target: Target, connection: Connection) -> None:
        what = f"{target.revision}: ops.follow({self.table!r}, {self.column!r}, …)"
        expression = self.sqlite if target.is_sqlite else self.postgresql
        refuse_failing(connection, what, self.table, self.column, expression)
