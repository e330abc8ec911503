"""Values for rows that are written without one."""

from dataclasses import dataclass, replace

from service.migrate.dialects import ddl
from service.migrate.dialects.sqlite.add_column import parenthesised
from service.migrate.dialects.sqlite.clauses import Column
from service.migrate.dialects.sqlite.edit import Edit
from service.migrate.operations import dependents
from service.migrate.operations.base import Columns, Operation
from service.migrate.operations.step import Lock, Place, Step


@dataclass(frozen=True, slots=True, kw_only=True)
class SetDefault(Operation):
    """Another default, or none (`None`), for rows that are written from now on; an SQL expression, as `was` is."""

    table: str
    column: str
    default: ddl.Expression | None
    was: ddl.Expression | None

    def needs(self) -> list[Columns]:
        return [(self.table, (self.column,))]

    def frees(self) -> list[str]:
        return [dependents.has_no_default(f"{self.table}.{self.column}")]

    def expand(self, place: Place) -> list[Step]:
        return [replace(self._set(place, self.default), undo=(self._set(place, self.was),))]

    def _set(self, place: Place, value: ddl.Expression | None) -> Step:
        column = ddl.quoted(self.column)
        default = None if value is None else ddl.expression_text(value, place.dialect)
        action = "DROP DEFAULT" if default is None else f"SET DEFAULT {default}"

        def change(was: Column) -> Column:
            if clause := was.clause("DEFAULT"):
                was = was.without(clause)
            return was if default is None else parenthesised(was.with_clause(f"DEFAULT {default}"))

        edit = Edit(table=self.table, change=lambda definition: definition.change_column(self.column, change))
        native = f"ALTER TABLE {ddl.quoted(self.table)} ALTER COLUMN {column} {action}"
        return Step(
            title=f"{'drop' if default is None else 'set'} the default of {self.table}.{self.column}",
            lock=Lock.ACCESS_EXCLUSIVE,
            tables=(self.table,),
            statements=() if place.is_sqlite else (native,),
            edit=edit if place.is_sqlite else None,
        )
