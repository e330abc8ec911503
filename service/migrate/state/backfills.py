"""How far a fill is, as its row in the ledger says, and what another process tells it there."""

import json
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Self

from sqlalchemy import ColumnElement, Connection, delete, insert, select, update

from service.db.words import now
from service.migrate.operations.step import Backfill
from service.migrate.state.ledger import FILLS

_FIRST_ROWS = 500


class FillState(StrEnum):
    """What becomes of a fill; the word in the database, which another process may change."""

    RUNNING = "running"
    PAUSED = "paused"
    CANCELLED = "cancelled"
    DONE = "done"


@dataclass(slots=True, kw_only=True)
class Run:
    """One fill of one revision: rows looked at in this pass, of how many, in how many seconds; and rows filled."""

    revision: str
    name: str
    total: int
    batch: int = _FIRST_ROWS
    cursor: tuple[Any, ...] | None = None
    passes: int = 1
    seen: int = 0
    filled: int = 0
    seconds: float = 0.0

    @classmethod
    def found(cls, connection: Connection, revision: str, fill: Backfill) -> tuple[Self | None, FillState | None]:
        """What was written down of a fill, and its state."""
        row = connection.execute(select(FILLS).where(_of(revision, fill.name))).one_or_none()
        if row is None:
            return None, None
        run = cls(
            revision=revision,
            name=fill.name,
            total=row.total,
            batch=row.batch,
            cursor=None if row.cursor is None else _loaded(row.cursor),
            passes=row.passes,
            seen=row.seen,
            filled=row.filled,
            seconds=row.seconds,
        )
        return run, FillState(row.state)

    def begin(self, connection: Connection, state: FillState = FillState.RUNNING) -> None:
        """Write it down anew."""
        connection.execute(delete(FILLS).where(self._mine))
        connection.execute(insert(FILLS), {**self._row(), "state": state, "started_at": now()})

    def note(self, connection: Connection) -> FillState:
        """Write down how far it is, and hear whether to go on; a row that is gone was cancelled."""
        noted = update(FILLS).where(self._mine).values(**self._row(), problem=None).returning(FILLS.c.state)
        return FillState(connection.execute(noted).scalar() or FillState.CANCELLED)

    def stop(self, connection: Connection, state: FillState, problem: str | None = None) -> None:
        """Write down how far it came, and why not further."""
        connection.execute(update(FILLS).where(self._mine).values(**self._row(), state=state, problem=problem))

    def begin_pass(self) -> None:
        self.passes += 1
        self.cursor = None
        self.seen = 0
        self.seconds = 0.0

    @property
    def _mine(self) -> ColumnElement[bool]:
        return _of(self.revision, self.name)

    def _row(self) -> dict[str, Any]:
        cursor = None if self.cursor is None else json.dumps(self.cursor, default=_hexed)
        return asdict(self) | {"cursor": cursor, "changed_at": now()}


def tell(connection: Connection, wanted: FillState) -> list[str]:
    """Tell the fills that are not over what to do, in the transaction that is open, and return their names."""
    open_ones = FILLS.c.state.in_((FillState.RUNNING, FillState.PAUSED)) & (FILLS.c.state != wanted)
    told = update(FILLS).where(open_ones).values(state=wanted, changed_at=now()).returning(FILLS.c.name)
    return sorted(connection.execute(told).scalars())


def _loaded(cursor: str) -> tuple[Any, ...]:
    return tuple(json.loads(cursor, object_hook=lambda blob: bytes.fromhex(blob["hex"])))


def _hexed(blob: bytes) -> dict[str, str]:
    return {"hex": blob.hex()}


def _of(revision: str, name: str) -> ColumnElement[bool]:
    return (FILLS.c.revision == revision) & (FILLS.c.name == name)
