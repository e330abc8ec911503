"""SQL in one's own words, for what no operation does."""

from dataclasses import dataclass

from service.migrate.operations.base import Operation
from service.migrate.operations.step import Lock, Place, Step


@dataclass(frozen=True, slots=True, kw_only=True)
class Execute(Operation):
    """Statements of one short transaction, with the reason why they are safe beside traffic."""

    reason: str
    # On PostgreSQL, and on SQLite.
    up: tuple[tuple[str, ...], tuple[str, ...]]
    down: tuple[tuple[str, ...], tuple[str, ...]]
    lock: Lock = Lock.ACCESS_EXCLUSIVE
    tables: tuple[str, ...] = ()

    def expand(self, place: Place) -> list[Step]:
        up, down = self.up[place.is_sqlite], self.down[place.is_sqlite]
        if not up and not down:
            return []
        back = Step(title=f"take back: {self.reason}", lock=self.lock, tables=self.tables, statements=down)
        return [
            Step(title=self.reason, lock=self.lock, tables=self.tables, statements=up, undo=(back,) if down else ())
        ]
