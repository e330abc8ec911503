"""Fills are done: batch after batch along the key, as fast as the traffic allows, from where the last run stopped."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.exc import DBAPIError

from service.db.failures import Cure, cure
from service.db.words import now
from service.migrate import batches, blockers
from service.migrate.errors import Refused
from service.migrate.executor import Executor, Tries
from service.migrate.ledger import FILLS
from service.migrate.steps import Fill
from service.migrate.waiting import pause

TARGET_SECONDS = 0.05
_FIRST_ROWS = 500
_FEWEST_ROWS = 10
_MOST_ROWS = 20_000
# Of each second, how much belongs to the rest of the traffic.
_REST = 0.5
_LAG_SECONDS = 1.0
_LAG_PAUSE_SECONDS = 1.0
_MOST_PASSES = 10
_SAMPLE_ROWS = 5


class FillState(StrEnum):
    """What becomes of a fill; the word in the database, which another process may change."""

    RUNNING = "running"
    PAUSED = "paused"
    CANCELLED = "cancelled"
    DONE = "done"


class Progress(NamedTuple):
    """How far a fill is: rows looked at in this pass, of how many; rows filled; and how many a second."""

    name: str
    seen: int
    total: int
    filled: int
    per_second: float


Watch = Callable[[Progress], None]


class Stopped(Refused):
    """Someone paused or cancelled the fill; what was filled stays."""


def command(connection: Connection, wanted: FillState) -> list[str]:
    """Tell the fills that are not over what to do, in the transaction that is open, and return their names."""
    open_ones = FILLS.c.state.in_((FillState.RUNNING, FillState.PAUSED)) & (FILLS.c.state != wanted)
    told = update(FILLS).where(open_ones).values(state=wanted, changed_at=now()).returning(FILLS.c.name)
    return sorted(connection.execute(told).scalars())


@dataclass(kw_only=True)
class Filler:
    """Runs the fills of revisions."""

    executor: Executor
    watch: Watch
    target_seconds: float = TARGET_SECONDS
    rest: float = _REST
    _left_alone: float = field(default=0.0, init=False)

    @property
    def _connection(self) -> Connection:
        return self.executor.connection

    def do(self, revision: str, fill: Fill) -> None:
        """Fill until no row is left, beginning where the last run stopped.

        Raises:
            Stopped: it was paused or cancelled meanwhile.
            Refused: rows are left that cannot be filled; or the function failed, or a constraint refused a value.
        """
        if fill.unless is not None:
            with self.executor.transaction():
                if self.executor.ask(fill.unless):
                    return
        began = time.monotonic()
        run = self._begun(revision, fill)
        while run.state is not FillState.DONE:
            before = run.filled
            self._pass(revision, fill, run)
            left = self.left(fill)
            if not left:
                self._store(revision, fill, run, state=FillState.DONE, problem=None)
                break
            run.passes += 1
            run.cursor = None
            run.seen = 0
            if run.filled == before or run.passes > _MOST_PASSES:
                self._give_up(revision, fill, run, left)
        tries = Tries(attempts=run.passes, seconds=time.monotonic() - began, affected=run.filled)
        self.executor.note(revision, "backfill", fill.title, tries)

    def left(self, fill: Fill) -> int:
        """How many rows are still to be filled."""
        with self.executor.transaction():
            return batches.left(self._connection, fill)

    def is_done(self, revision: str, fill: Fill) -> bool:
        with self.executor.transaction():
            asked = select(FILLS.c.state).where(FILLS.c.revision == revision, FILLS.c.name == fill.name)
            return self._connection.execute(asked).scalar() == FillState.DONE

    def _pass(self, revision: str, fill: Fill, run: "Run") -> None:
        """Go through the table once, from the cursor on."""
        while True:
            began = time.monotonic()
            try:
                with self.executor.transaction():
                    if not self.executor.inside:
                        self.executor.lease.renew(self._connection)
                        self._set_timeouts()
                    window = batches.window(self._connection, fill, run.cursor, run.batch)
                    filled = batches.fill(self._connection, fill, run.cursor, window.last) if window.rows else 0
                    elapsed = time.monotonic() - began
                    if window.rows:
                        run.cursor = window.last
                    run.seen += window.rows
                    run.filled += filled
                    run.seconds += elapsed
                    state = self._note(revision, fill, run)
            except DBAPIError as failure:
                self._give_way(revision, fill, run, failure)
                continue
            if state is not FillState.RUNNING:
                raise Stopped(
                    f"{revision}: {fill.title} was {state}, {run.filled:,} rows into it; what was filled stays."
                )
            self.watch(Progress(fill.name, run.seen, run.total, run.filled, run.seen / max(run.seconds, 1e-9)))
            if not window.rows:
                return
            run.batch = _adapted(run.batch, elapsed, self.target_seconds)
            self._rest(elapsed)

    def _begun(self, revision: str, fill: Fill) -> "Run":
        """The run as it was left, or a new one; one that was paused or cancelled is not begun by itself."""
        with self.executor.transaction():
            found = self._connection.execute(
                select(FILLS).where(FILLS.c.revision == revision, FILLS.c.name == fill.name)
            ).one_or_none()
            if found is not None and found.state == FillState.PAUSED:
                raise Stopped(f"{revision}: {fill.title} is paused; `roster db backfill --resume` goes on.")
            total = batches.total(self._connection, fill)
            if found is None or found.state in (FillState.CANCELLED, FillState.DONE):
                if found is not None:
                    self._connection.execute(
                        delete(FILLS).where(FILLS.c.revision == revision, FILLS.c.name == fill.name)
                    )
                run = Run(batch=_FIRST_ROWS, total=total)
                self._connection.execute(
                    insert(FILLS), {"revision": revision, "name": fill.name, "started_at": now(), **run.row()}
                )
                return run
            cursor = None if found.cursor is None else tuple(json.loads(found.cursor))
            return Run(
                batch=found.batch,
                total=total,
                cursor=cursor,
                passes=found.passes,
                seen=found.seen,
                filled=found.filled,
                seconds=found.seconds,
            )

    def _note(self, revision: str, fill: Fill, run: "Run") -> FillState:
        """Write down how far it is, in the batch's own transaction, and hear whether to go on."""
        mine = (FILLS.c.revision == revision) & (FILLS.c.name == fill.name)
        values = run.row()
        del values["state"]
        noted = update(FILLS).where(mine).values(**values).returning(FILLS.c.state)
        state: str | None = self._connection.execute(noted).scalar()
        return FillState(state) if state else FillState.CANCELLED

    def _store(self, revision: str, fill: Fill, run: "Run", *, state: FillState, problem: str | None) -> None:
        run.state = state
        mine = (FILLS.c.revision == revision) & (FILLS.c.name == fill.name)
        with self.executor.transaction():
            self._connection.execute(update(FILLS).where(mine).values(problem=problem, **run.row()))

    def _give_up(self, revision: str, fill: Fill, run: "Run", left: int) -> None:
        with self.executor.transaction():
            keys = batches.sample(self._connection, fill, _SAMPLE_ROWS)
        sample = "; ".join(", ".join(map(str, key)) for key in keys)
        more = "; …" if left > len(keys) else ""
        problem = (
            f"{left:,} rows of {fill.table} are left that it does not fill ({', '.join(fill.key)}): {sample}{more}"
        )
        self._store(revision, fill, run, state=FillState.RUNNING, problem=problem)
        raise Refused(f"{revision}: {fill.title}: {problem}.")

    def _give_way(self, revision: str, fill: Fill, run: "Run", failure: DBAPIError) -> None:
        """Return when the batch is worth another try, smaller and later."""
        if self.executor.inside:
            raise failure
        if cure(failure) is not Cure.AGAIN or self.executor.seconds_left < 0:
            problem = f"stopped after {run.filled:,} rows: {failure.orig}"
            self._store(revision, fill, run, state=FillState.RUNNING, problem=problem)
            raise Refused(f"{revision}: {fill.title} {problem}. What was filled stays; run it again.") from failure
        run.batch = max(run.batch // 2, _FEWEST_ROWS)
        pause(self._connection, self.target_seconds * 2)

    def _rest(self, elapsed: float) -> None:
        """Leave the database to others for a while, and longer while a replica is behind."""
        if self.executor.inside:
            return
        pause(self._connection, elapsed * self.rest / (1 - self.rest))
        if self._connection.dialect.name == "sqlite":
            return
        while self.executor.seconds_left > 0:
            with self.executor.transaction():
                behind = blockers.lagging_replicas(self._connection, _LAG_SECONDS)
            if not behind:
                return
            if not self._left_alone:
                name, lag = behind[0]
                self.executor.report(f"Waits for the replica {name}, {lag:.1f} s behind.")
            self._left_alone += _LAG_PAUSE_SECONDS
            pause(self._connection, _LAG_PAUSE_SECONDS)

    def _set_timeouts(self) -> None:
        if self._connection.dialect.name == "postgresql":
            milliseconds = round(1000 * self.executor.patience.lock_wait_seconds)
            self._connection.exec_driver_sql(f"SET LOCAL lock_timeout = {milliseconds}")


@dataclass(slots=True, kw_only=True)
class Run:
    """How far a fill is, as its row in the ledger says."""

    batch: int
    total: int
    cursor: tuple[Any, ...] | None = None
    passes: int = 1
    seen: int = 0
    filled: int = 0
    seconds: float = 0.0
    state: FillState = FillState.RUNNING

    def row(self) -> dict[str, Any]:
        return {
            "state": self.state,
            "cursor": None if self.cursor is None else json.dumps(self.cursor),
            "passes": self.passes,
            "seen": self.seen,
            "total": self.total,
            "filled": self.filled,
            "batch": self.batch,
            "seconds": self.seconds,
            "changed_at": now(),
        }


def _adapted(rows: int, elapsed: float, target: float) -> int:
    """The size that would have taken the target's time, approached by half or double at most."""
    wanted = rows * target / max(elapsed, 1e-6)
    return int(min(max(wanted, rows / 2, _FEWEST_ROWS), rows * 2, _MOST_ROWS))
