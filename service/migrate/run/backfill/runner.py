"""Fills are done: batch after batch along the key, as fast as the traffic allows, from where the last run stopped."""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import NamedTuple

from sqlalchemy.exc import DBAPIError

from service.errors import counted
from service.migrate.errors import Refused
from service.migrate.operations.step import Backfill
from service.migrate.run.backfill.batches import Batches
from service.migrate.run.executor import Executor
from service.migrate.run.locking import blockers
from service.migrate.run.locking.limits import Tries
from service.migrate.run.locking.waiting import pause
from service.migrate.run.retry import give_way, wait_for_replicas, write_down
from service.migrate.run.session import Turn
from service.migrate.state.backfills import FillState, Run

_TARGET_SECONDS = 0.05
_FEWEST_ROWS = 10
_MOST_ROWS = 20_000
# Of each second, how much belongs to the rest of the traffic.
_REST = 0.5
_SAMPLE_ROWS = 5


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Filler:
    """Does the fills of revisions in a migrator's turn."""

    executor: Executor
    watch: Watch

    @property
    def _turn(self) -> Turn:
        return self.executor.turn

    def do(self, revision: str, fill: Backfill) -> None:
        """Fill until no row is left, beginning where the last run stopped.

        Raises:
            Stopped: it was paused or cancelled meanwhile.
            Refused: rows are left that cannot be filled; or the function failed, or a constraint refused a value.
        """
        with self._turn.reading():
            if fill.unless is not None and self._turn.ask(fill.unless):
                return
        if self.is_done(revision, fill) and not self.left(fill):
            return
        filling = self._begun(revision, fill)
        try:
            filling.go()
        except Stopped:
            self.executor.note("backfill", filling.tries, outcome="stopped")
            raise
        except Refused as refused:
            # Whatever keeps it from being written down, it is the refusal that the caller must hear of.
            with suppress(DBAPIError, Refused):
                self._end(filling, FillState.RUNNING, problem=str(refused).rstrip("."))
                self.executor.note("backfill", filling.tries, outcome="failed")
            raise
        self._end(filling, FillState.DONE)
        self.executor.note("backfill", filling.tries)

    def left(self, fill: Backfill) -> int:
        """How many rows are still to be filled."""
        with self._turn.reading():
            return Batches(self._turn.connection, fill).left()

    def is_done(self, revision: str, fill: Backfill) -> bool:
        with self._turn.reading():
            return Run.found(self._turn.connection, revision, fill)[1] is FillState.DONE

    def _begun(self, revision: str, fill: Backfill) -> "_Filling":
        """The fill where it was left, or from the beginning; one that is paused is not begun by itself."""
        batches = Batches(self._turn.connection, fill)
        with self._turn.reading():
            run, state = Run.found(self._turn.connection, revision, fill)
            total = batches.total()
        if state is FillState.PAUSED:
            raise Stopped(f"{revision}: {fill.title} is paused; `roster db backfill --resume` goes on.")
        if run is None or state is not FillState.RUNNING:
            run = Run(revision=revision, name=fill.name, total=total)
            write_down(self._turn, revision, f"begin to {fill.title}", partial(run.begin, self._turn.connection))
        run.total = total
        tries = self._turn.tries(revision, fill.title)
        tries.begin()
        return _Filling(turn=self._turn, watch=self.watch, batches=batches, run=run, tries=tries)

    def _end(self, filling: "_Filling", state: FillState, problem: str | None = None) -> None:
        filling.tries.end()
        filling.tries.affected = filling.run.filled
        stop = partial(filling.run.stop, self._turn.connection, state, problem)
        if problem is None:
            write_down(self._turn, filling.run.revision, f"end to {filling.tries.title}", stop)
        else:
            with self._turn.writing():
                stop()


@dataclass(slots=True, kw_only=True)
class _Filling:
    """One fill on its way; `tries` is what all of it took."""

    turn: Turn
    watch: Watch
    batches: Batches
    run: Run
    tries: Tries
    _noted_at: float = field(default_factory=time.monotonic)

    def go(self) -> None:
        """Go through the table, and again, until no row is left."""
        left_before: int | None = None
        while True:
            is_whole, filled_before = self.run.cursor is None, self.run.filled
            self._pass()
            with self.turn.reading():
                left = self.batches.left()
            if not left:
                return
            self.run.begin_pass()
            if not is_whole:
                continue
            if self.run.filled == filled_before or (left_before is not None and left >= left_before):
                self._refuse_left(left)
            left_before = left

    def _pass(self) -> None:
        while True:
            tries = self.turn.tries(self.run.revision, self.batches.fill.title)
            rows = self._batch(tries)
            self.tries.attempts += tries.attempts - 1
            self.tries.longest_wait_ms = max(self.tries.longest_wait_ms, tries.longest_wait_ms)
            run = self.run
            self.watch(Progress(run.name, run.seen, run.total, run.filled, run.seen / max(run.seconds, 1e-9)))
            if not rows:
                return
            run.batch = _adapted(run.batch, tries.seconds)
            if not self.turn.inside:
                pause(self.turn.connection, tries.seconds * _REST / (1 - _REST))
                wait_for_replicas(self.turn, self.turn.tries(run.revision, self.batches.fill.title))

    def _batch(self, tries: Tries) -> int:
        """Fill the next rows, and return how many were looked at; a batch that met a lock is tried again, smaller."""
        while True:
            tries.begin()
            try:
                with self.turn.writing():
                    run, state = self._filled()
            except DBAPIError as failure:
                give_way(self.turn, tries, failure, self._others)
                self.run.batch = max(self.run.batch // 2, _FEWEST_ROWS)
            else:
                break
        tries.end()
        rows = run.seen - self.run.seen
        self.run, self._noted_at = run, time.monotonic()
        if state is not FillState.RUNNING:
            told = f"{self.batches.fill.title} was {state}, {counted(run.filled, 'row', 'rows')} into it"
            raise Stopped(f"{run.revision}: {told}; what was filled stays.")
        return rows

    def _filled(self) -> tuple[Run, FillState]:
        """What one batch comes to, written down in its own transaction."""
        if self.turn.dialect == "postgresql" and not self.turn.inside:
            self.turn.set("lock_timeout", self.turn.lock_wait_seconds)
        was = self.run
        window = self.batches.window(was.cursor, was.batch)
        try:
            filled = self.batches.take(was.cursor, window.last) if window.last is not None else 0
        except Refused as refused:
            raise Refused(f"{was.revision}: {refused}") from refused.__cause__
        run = replace(
            was,
            cursor=window.last or was.cursor,
            seen=was.seen + window.rows,
            filled=was.filled + filled,
            seconds=was.seconds + time.monotonic() - self._noted_at,
        )
        return run, run.note(self.turn.connection)

    def _others(self) -> list[blockers.Session]:
        return blockers.row_holders(self.turn.connection, self.batches.fill.table)

    def _refuse_left(self, left: int) -> None:
        fill = self.batches.fill
        with self.turn.reading():
            keys = self.batches.sample(_SAMPLE_ROWS)
        sample = "; ".join(", ".join(map(str, key)) for key in keys)
        more = "; …" if left > len(keys) else ""
        raise Refused(
            f"{self.run.revision}: {fill.title}: it leaves {counted(left, 'row', 'rows')} of {fill.table} as they are "
            f"({', '.join(fill.key)}): {sample}{more}."
        )


def _adapted(rows: int, seconds: float) -> int:
    """The size that would have taken the target's time, approached by half or double at most."""
    wanted = rows * _TARGET_SECONDS / max(seconds, 1e-6)
    return int(min(max(wanted, rows / 2, _FEWEST_ROWS), rows * 2, _MOST_ROWS))
