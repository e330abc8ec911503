"""Columns whose values follow from another's, written by code that does not know them."""

from dataclasses import dataclass

from service.migrate.dialects import ddl
from service.migrate.operations.base import Operation, Phases
from service.migrate.operations.step import Step, Target, inverted
from service.migrate.operations.triggers.trigger import row_trigger


@dataclass(frozen=True, slots=True, kw_only=True)
class Follow(Operation):
    """A column that follows `source` wherever it is not written itself, until the contract.

    `postgresql` and `sqlite` are expressions over the row; NULL where SQL cannot tell: the backfill does.
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
            f"roster_follow_{self.table}_{self.column}",
            key=self.key,
            # As text, since not every type can be compared: json.
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
