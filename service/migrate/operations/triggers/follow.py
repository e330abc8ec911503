"""`follow`: a column that a trigger derives from another until the contract."""

from dataclasses import dataclass

from service.migrate import naming
from service.migrate.dialects import ddl
from service.migrate.operations.base import Operation, Phases
from service.migrate.operations.step import Step, Target, inverted
from service.migrate.operations.triggers.trigger import row_trigger


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
        return Phases(
            requires=((self.table, (self.column, self.source, *self.key)),),
            expand=(trigger,),
            contract=(inverted(trigger),),
        )

    def _trigger(self, target: Target) -> Step:
        column, source = ddl.quoted(self.column), ddl.quoted(self.source)
        return row_trigger(
            target,
            self.table,
            naming.owned(f"follow_{self.table}_{self.column}"),
            key=self.key,
            # Compared as text: json has no equality operator.
            postgresql=(
                f"IF NEW.{column} IS NULL OR (TG_OP = 'UPDATE' "
                f"AND NEW.{source}::text IS DISTINCT FROM OLD.{source}::text "
                f"AND NEW.{column}::text IS NOT DISTINCT FROM OLD.{column}::text) "
                f"THEN NEW.{column} := (SELECT {self.postgresql} FROM (SELECT NEW.*) AS written); END IF;"
            ),
            sqlite={
                "AFTER INSERT": (f"NEW.{column} IS NULL", f"SET {column} = {self.sqlite}"),
                f"AFTER UPDATE OF {source}": (
                    f"NEW.{source} IS NOT OLD.{source} AND NEW.{column} IS OLD.{column}",
                    f"SET {column} = {self.sqlite}",
                ),
            },
        )
