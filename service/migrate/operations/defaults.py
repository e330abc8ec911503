"""Values for rows that are written without one."""

from dataclasses import dataclass, replace

from service.migrate import sql
from service.migrate.operations import uses
from service.migrate.operations.base import Columns, Operation
from service.migrate.sqlite.additions import parenthesised
from service.migrate.sqlite.clauses import Column
from service.migrate.steps import Edit, Lock, Place, Step


@dataclass(frozen=True, slots=True, kw_only=True)
class SetDefault(Operation):
    """Another default, or none (`None`), for rows that are written from now on; an SQL expression, as `was` is."""

    table: str
    column: str
    default: sql.Expression | None
    was: sql.Expression | None

    def needs(self) -> list[Columns]:
        return [(self.table, (self.column,))]

    def frees(self) -> list[str]:
        return [uses.has_no_default(f"{self.table}.{self.column}")]

    def expand(self, place: Place) -> list[Step]:
        return [replace(self._set(place, self.default), undo=(self._set(place, self.was),))]

    def _set(self, place: Place, value: sql.Expression | None) -> Step:
        column = sql.quoted(self.column)
        default = None if value is None else sql.expression_text(value, place.dialect)
        action = "DROP DEFAULT" if default is None else f"SET DEFAULT {default}"

        def change(was: Column) -> Column:
            if clause := was.clause("DEFAULT"):
                was = was.without(clause)
            return was if default is None else parenthesised(was.with_clause(f"DEFAULT {default}"))

        edit = Edit(table=self.table, change=lambda definition: definition.change_column(self.column, change))
        native = f"ALTER TABLE {sql.quoted(self.table)} ALTER COLUMN {column} {action}"
        return Step(
            title=f"{'drop' if default is None else 'set'} the default of {self.table}.{self.column}",
            lock=Lock.ACCESS_EXCLUSIVE,
            tables=(self.table,),
            statements=() if place.is_sqlite else (native,),
            edit=edit if place.is_sqlite else None,
        )
