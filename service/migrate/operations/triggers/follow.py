"""`follow`: a column that a trigger derives from another until the contract."""

from dataclasses import dataclass

from service.migrate import naming
from service.migrate.dialects import ddl
from service.migrate.dialects.comparison import changed
from service.migrate.operations.base import Operation, Phases
from service.migrate.operations.step import Step, Target, inverted
from service.migrate.operations.triggers import others
from service.migrate.operations.triggers.trigger import Rank, SQLiteTrigger, row_trigger


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
        settings = f"SET {column} = {self.sqlite}"
        return row_trigger(
            target,
            self.table,
            self._name,
            rank=Rank.FOLLOW,
            key=self.key,
            postgresql=lambda: (
                f"IF NEW.{column} IS NULL OR (TG_OP = 'UPDATE' AND {changed('postgresql', source)} "
                f"AND NOT {changed('postgresql', column)}) "
                f"THEN NEW.{column} := (SELECT {self.postgresql} FROM (SELECT NEW.*) AS written); END IF;"
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
