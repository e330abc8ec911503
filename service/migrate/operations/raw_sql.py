"""`execute`: SQL of the revision's own."""

from dataclasses import dataclass

from service.migrate.operations.base import Operation, Phases
from service.migrate.operations.step import Lock, Step, Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Execute(Operation):
    """Statements of one short transaction; `reason`, the title of the step, says why they are safe under traffic."""

    reason: str
    # Statements for PostgreSQL, and for SQLite.
    up: tuple[tuple[str, ...], tuple[str, ...]]
    down: tuple[tuple[str, ...], tuple[str, ...]]
    lock: Lock = Lock.ACCESS_EXCLUSIVE
    tables: tuple[str, ...] = ()

    def phases(self, target: Target, /) -> Phases:
        up, down = self.up[target.is_sqlite], self.down[target.is_sqlite]
        if not up and not down:
            return Phases()
        back = Step(title=f"UNDO: {self.reason}", lock=self.lock, tables=self.tables, statements=down)
        undo = (back,) if down else ()
        return Phases(expand=(Step(title=self.reason, lock=self.lock, tables=self.tables, statements=up, undo=undo),))
