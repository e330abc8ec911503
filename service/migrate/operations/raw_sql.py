"""SQL in one's own words, for what no operation does."""

from dataclasses import dataclass

from service.migrate.operations.base import Operation, Phases
from service.migrate.operations.step import Lock, Step, Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Execute(Operation):
    """Statements of one short transaction, with the reason why they are safe beside traffic."""

    reason: str
    # On PostgreSQL, and on SQLite.
    up: tuple[tuple[str, ...], tuple[str, ...]]
    down: tuple[tuple[str, ...], tuple[str, ...]]
    lock: Lock = Lock.ACCESS_EXCLUSIVE
    tables: tuple[str, ...] = ()

    def phases(self, target: Target, /) -> Phases:
        up, down = self.up[target.is_sqlite], self.down[target.is_sqlite]
        if not up and not down:
            return Phases()
        back = Step(title=f"take back: {self.reason}", lock=self.lock, tables=self.tables, statements=down)
        undo = (back,) if down else ()
        return Phases(expand=(Step(title=self.reason, lock=self.lock, tables=self.tables, statements=up, undo=undo),))
