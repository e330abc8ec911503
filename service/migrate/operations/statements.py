"""SQL in one's own words, for what no operation does."""

from dataclasses import dataclass

from service.migrate.operations.base import Operation
from service.migrate.steps import Lock, Place, Step


@dataclass(frozen=True, slots=True, kw_only=True)
class Execute(Operation):
    """Statements of one short transaction, with the reason why they are safe beside traffic."""

    reason: str
    postgresql: tuple[str, ...] = ()
    sqlite: tuple[str, ...] = ()
    undo_postgresql: tuple[str, ...] = ()
    undo_sqlite: tuple[str, ...] = ()
    lock: Lock = Lock.ACCESS_EXCLUSIVE
    tables: tuple[str, ...] = ()

    def expand(self, place: Place) -> list[Step]:
        up, down = (self.sqlite, self.undo_sqlite) if place.is_sqlite else (self.postgresql, self.undo_postgresql)
        if not up and not down:
            return []
        back = Step(title=f"take back: {self.reason}", lock=self.lock, tables=self.tables, statements=down)
        return [
            Step(title=self.reason, lock=self.lock, tables=self.tables, statements=up, undo=(back,) if down else ())
        ]
