"""The state of backfills: their rows in the ledger, in which another process pauses, resumes or cancels them."""

import json
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Self

from sqlalchemy import ColumnElement, Connection, delete, insert, select, update

from service.db.clock import now
from service.migrate.operations.step import Backfill
from service.migrate.state.ledger import BACKFILLS

_FIRST_ROWS = 500


class BackfillState(StrEnum):
    """The state of a backfill, as text in the database; another process may change it."""

    RUNNING = "running"
    PAUSED = "paused"
    CANCELLED = "cancelled"
    DONE = "done"


@dataclass(slots=True, kw_only=True)
class BackfillRow:
    """The progress of one backfill: rows read in this pass, the total, the seconds of this pass, and rows filled."""

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
    def found(
        cls, connection: Connection, revision: str, backfill: Backfill
    ) -> tuple[Self | None, BackfillState | None]:
        """The row of a backfill and its state; `None` if it never ran."""
        row = connection.execute(select(BACKFILLS).where(_of(revision, backfill.name))).one_or_none()
        if row is None:
            return None, None
        run = cls(
            revision=revision,
            name=backfill.name,
            total=row.total,
            batch=row.batch,
            cursor=None if row.cursor is None else _loaded(row.cursor),
            passes=row.passes,
            seen=row.seen,
            filled=row.filled,
            seconds=row.seconds,
        )
        return run, BackfillState(row.state)

    def begin(self, connection: Connection, state: BackfillState = BackfillState.RUNNING) -> None:
        """Insert the row, in place of an earlier one."""
        connection.execute(delete(BACKFILLS).where(self._mine))
        connection.execute(insert(BACKFILLS), {**self._row(), "state": state, "started_at": now()})

    def note(self, connection: Connection) -> BackfillState:
        """Record the progress and return the state, which another process may have set; no row means cancelled."""
        noted = update(BACKFILLS).where(self._mine).values(**self._row(), problem=None).returning(BACKFILLS.c.state)
        return BackfillState(connection.execute(noted).scalar() or BackfillState.CANCELLED)

    def stop(self, connection: Connection, state: BackfillState, problem: str | None = None) -> None:
        """Record the progress, the final state, and the problem if there was one."""
        connection.execute(update(BACKFILLS).where(self._mine).values(**self._row(), state=state, problem=problem))

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


def tell(connection: Connection, wanted: BackfillState) -> list[str]:
    """Set the state of unfinished backfills, in the open transaction, and return their names."""
    open_ones = BACKFILLS.c.state.in_((BackfillState.RUNNING, BackfillState.PAUSED)) & (BACKFILLS.c.state != wanted)
    changed = update(BACKFILLS).where(open_ones).values(state=wanted, changed_at=now()).returning(BACKFILLS.c.name)
    return sorted(connection.execute(changed).scalars())


def _loaded(cursor: str) -> tuple[Any, ...]:
    return tuple(json.loads(cursor, object_hook=lambda blob: bytes.fromhex(blob["hex"])))


def _hexed(blob: bytes) -> dict[str, str]:
    return {"hex": blob.hex()}


def _of(revision: str, name: str) -> ColumnElement[bool]:
    return (BACKFILLS.c.revision == revision) & (BACKFILLS.c.name == name)
