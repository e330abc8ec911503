"""`set_default`."""

from dataclasses import dataclass, replace

from service.migrate.dialects import ddl
from service.migrate.dialects.sqlite.add_column import parenthesised
from service.migrate.dialects.sqlite.clauses import Column
from service.migrate.dialects.sqlite.edit import Edit
from service.migrate.operations import dependents
from service.migrate.operations.base import Operation, Phases
from service.migrate.operations.step import Step, Target, altered
from service.migrate.operations.triggers import others


@dataclass(frozen=True, slots=True, kw_only=True)
class SetDefault(Operation):
    """SET DEFAULT or, with `None`, DROP DEFAULT, for rows inserted from now on; `was` is the default before."""

    table: str
    column: str
    default: ddl.Expression | None
    was: ddl.Expression | None

    def phases(self, target: Target, /) -> Phases:
        return Phases(
            requires=((self.table, (self.column,)),),
            preconditions=(others.default_is_free(self.table, self.column),),
            expand=(replace(self._set(target, self.default), undo=(self._set(target, self.was),)),),
            frees=frozenset({dependents.has_no_default(f"{self.table}.{self.column}")}),
        )

    def _set(self, target: Target, value: ddl.Expression | None) -> Step:
        default = None if value is None else ddl.expression_text(value, target.dialect)
        return defaulted(target, self.table, self.column, default)


def defaulted(target: Target, table: str, column: str, default: str | None) -> Step:
    """SET DEFAULT, or DROP DEFAULT for `None`."""
    action = "DROP DEFAULT" if default is None else f"SET DEFAULT {default}"

    def change(was: Column) -> Column:
        if clause := was.clause("DEFAULT"):
            was = was.without(clause)
        return was if default is None else parenthesised(was.with_clause(f"DEFAULT {default}"))

    return altered(
        target,
        f"{'DROP' if default is None else 'SET'} DEFAULT {table}.{column}",
        f"ALTER TABLE {ddl.quoted(table)} ALTER COLUMN {ddl.quoted(column)} {action}",
        Edit(table=table, change=lambda definition: definition.change_column(column, change)),
    )
