"""`set_comment`."""

from dataclasses import dataclass, replace

from service.migrate.dialects import ddl
from service.migrate.operations.base import Operation, Phases
from service.migrate.operations.step import Lock, Step, Target


@dataclass(frozen=True, slots=True, kw_only=True)
class SetComment(Operation):
    """COMMENT ON a table or a column, `None` for no comment; `was` is the comment before. SQLite stores none."""

    table: str
    column: str | None
    comment: str | None
    was: str | None

    def phases(self, target: Target, /) -> Phases:
        step = replace(self._set(self.comment), undo=(self._set(self.was),))
        return Phases(
            requires=((self.table, (self.column,) if self.column else ()),),
            expand=() if target.is_sqlite else (step,),
        )

    def _set(self, comment: str | None) -> Step:
        table = ddl.quoted(self.table)
        on = f"COLUMN {table}.{ddl.quoted(self.column)}" if self.column else f"TABLE {table}"
        return Step(
            title=f"COMMENT ON {self.table}{f'.{self.column}' if self.column else ''}",
            lock=Lock.SHARE_UPDATE_EXCLUSIVE,
            tables=(self.table,),
            statements=(f"COMMENT ON {on} IS {'NULL' if comment is None else ddl.literal(comment)}",),
        )
