"""Runs backfills: batches in the order of the key, throttled to half the time, continued where the last run stopped."""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import NamedTuple

from sqlalchemy.exc import DBAPIError, IntegrityError

from service.db.counting import counted
from service.db.failures import cure, is_schema_missing
from service.migrate import naming
from service.migrate.errors import Refused, reason
from service.migrate.operations.step import Backfill
from service.migrate.run.backfill.batches import Batches
from service.migrate.run.executor import Executor
from service.migrate.run.locking import blockers
from service.migrate.run.locking.limits import Attempt
from service.migrate.run.locking.waiting import pause
from service.migrate.run.retry import give_way, wait_for_replicas, write_down
from service.migrate.run.session import Session
from service.migrate.state.backfills import BackfillRow, BackfillState

_TARGET_SECONDS = 0.05
_FEWEST_ROWS = 10
_MOST_ROWS = 20_000
# The share of each second that a backfill leaves to other traffic.
_REST = 0.5
_SAMPLE_ROWS = 5


class Progress(NamedTuple):
    """Progress of a backfill: rows read in this pass, the total, rows filled, and rows a second."""

    name: str
    seen: int
    total: int
    filled: int
    per_second: float


Watch = Callable[[Progress], None]


class Stopped(Refused):
    """The backfill was paused or cancelled; filled rows stay filled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BackfillRunner:
    """Runs the backfills of revisions in a migration session."""

    executor: Executor
    watch: Watch

    @property
    def _session(self) -> Session:
        return self.executor.session

    def do(self, revision: str, backfill: Backfill) -> None:
        """Run passes over the table until no row is left, starting where the last run stopped.

        Raises:
            Stopped: the backfill was paused or cancelled.
            Refused: a pass left rows unfilled, the function failed, or a constraint rejected a value.
        """
        with self._session.reading():
            if backfill.unless is not None and self._session.ask(backfill.unless):
                return
            run, state = BackfillRow.found(self._session.connection, revision, backfill)
            is_done = state is BackfillState.DONE
            total = None if is_done else Batches(self._session.connection, backfill).total()
        if is_done and not self.left(revision, backfill):
            return
        filling = self._begun(revision, backfill, run, state, total)
        try:
            filling.go()
        except Stopped:
            self.executor.note("backfill", filling.attempt, outcome="stopped")
            write_down(self._session, revision, "the write to the audit")
            raise
        except Refused as refused:
            # A failure to record the problem must not hide the refusal.
            with suppress(DBAPIError, Refused):
                self._end(filling, BackfillState.RUNNING, problem=str(refused).rstrip("."))
            raise
        self._end(filling, BackfillState.DONE)

    def left(self, revision: str, backfill: Backfill) -> int:
        """The number of rows that are still to be filled; raises Refused if a row's value cannot be computed."""
        return _left(self._session, revision, Batches(self._session.connection, backfill))

    def is_done(self, revision: str, backfill: Backfill) -> bool:
        with self._session.reading():
            return BackfillRow.found(self._session.connection, revision, backfill)[1] is BackfillState.DONE

    def _begun(
        self, revision: str, backfill: Backfill, run: BackfillRow | None, state: BackfillState | None, total: int | None
    ) -> "_RunningBackfill":
        """The backfill at its recorded position, or at the start; raises Stopped if it is paused."""
        batches = Batches(self._session.connection, backfill)
        if total is None:
            with self._session.reading():
                total = batches.total()
        if state is BackfillState.PAUSED:
            raise Stopped(f"{revision}: {backfill.title} is paused. Run {naming.command('backfill --resume')}.")
        if run is None or state is not BackfillState.RUNNING:
            run = BackfillRow(revision=revision, name=backfill.name, total=total)
            begin = partial(run.begin, self._session.connection)
            write_down(self._session, revision, f"the start of {backfill.title}", begin)
        run.total = total
        attempt = self._session.attempt(revision, backfill.title)
        attempt.begin()
        return _RunningBackfill(session=self._session, watch=self.watch, batches=batches, run=run, attempt=attempt)

    def _end(self, filling: "_RunningBackfill", state: BackfillState, problem: str | None = None) -> None:
        filling.attempt.end()
        filling.attempt.affected = filling.run.filled
        self.executor.note("backfill", filling.attempt, outcome="failed" if problem else "done")
        stop = partial(filling.run.stop, self._session.connection, state, problem)
        if problem is None:
            write_down(self._session, filling.run.revision, f"the end of {filling.attempt.title}", stop)
        else:
            with self._session.writing():
                stop()


@dataclass(slots=True, kw_only=True)
class _RunningBackfill:
    """A backfill in progress; `attempt` sums the attempts of all batches."""

    session: Session
    watch: Watch
    batches: Batches
    run: BackfillRow
    attempt: Attempt
    _noted_at: float = field(default_factory=time.monotonic)

    def go(self) -> None:
        """Run passes until no row is left; refuse when a complete pass fills none, or leaves as many as the last."""
        left_before: int | None = None
        while True:
            is_whole, filled_before = self.run.cursor is None, self.run.filled
            self._pass()
            left = _left(self.session, self.run.revision, self.batches)
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
            attempt = self.session.attempt(self.run.revision, self.batches.backfill.title)
            rows = self._batch(attempt)
            self.attempt.attempts += attempt.attempts - 1
            self.attempt.longest_wait_ms = max(self.attempt.longest_wait_ms, attempt.longest_wait_ms)
            run = self.run
            self.watch(Progress(run.name, run.seen, run.total, run.filled, run.seen / max(run.seconds, 1e-9)))
            if not rows:
                return
            run.batch = _adapted(run.batch, attempt.seconds)
            if not self.session.inside:
                pause(self.session.connection, attempt.seconds * _REST / (1 - _REST))
                wait_for_replicas(self.session, self.session.attempt(run.revision, self.batches.backfill.title))

    def _batch(self, attempt: Attempt) -> int:
        """Fill one batch and return the number of its rows; after a lock timeout the batch is halved and retried."""
        while True:
            attempt.begin()
            try:
                with self.session.writing():
                    run, state = self._filled()
            except IntegrityError as failure:
                if self.session.inside:
                    raise
                raise self._refused_at_row(failure) from failure
            except DBAPIError as failure:
                if not self.session.inside:
                    _refuse_failing(self.run.revision, self.batches.backfill, failure)
                give_way(self.session, attempt, failure, self._others)
                self.run.batch = max(self.run.batch // 2, _FEWEST_ROWS)
            else:
                break
        attempt.end()
        rows = run.seen - self.run.seen
        self.run, self._noted_at = run, time.monotonic()
        if state is not BackfillState.RUNNING:
            filled = counted(run.filled, "row", "rows")
            raise Stopped(f"{run.revision}: {self.batches.backfill.title} was {state} after {filled}.")
        return rows

    def _filled(self) -> tuple[BackfillRow, BackfillState]:
        """Fill one batch and record the progress, in the open transaction."""
        if self.session.dialect == "postgresql" and not self.session.inside:
            self.session.limit(lock=self.session.lock_wait_seconds)
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
        return run, run.note(self.session.connection)

    def _refused_at_row(self, failure: DBAPIError) -> Refused:
        """The refusal of a value that violates a constraint, with the key of its row."""
        with self.session.writing():
            key = self.batches.failing(self.run.cursor, self.run.batch)
        where = "" if key is None else f" at the row {', '.join(map(str, key))} of {self.batches.backfill.table}"
        return Refused(f"{self.run.revision}: {self.batches.backfill.title} failed{where}: {reason(failure)}.")

    def _others(self) -> list[blockers.Blocker]:
        return blockers.row_holders(self.session.connection, self.batches.backfill.table)

    def _refuse_left(self, left: int) -> None:
        backfill = self.batches.backfill
        with self.session.reading():
            keys = self.batches.sample(_SAMPLE_ROWS)
        sample = "; ".join(", ".join(map(str, key)) for key in keys)
        more = "; …" if left > len(keys) else ""
        raise Refused(
            f"{self.run.revision}: {backfill.title} does not fill {counted(left, 'row', 'rows')} of {backfill.table} "
            f"that meet `left` ({', '.join(backfill.key)}): {sample}{more}."
        )


def _left(session: Session, revision: str, batches: Batches) -> int:
    try:
        with session.reading():
            return batches.left()
    except DBAPIError as failure:
        _refuse_failing(revision, batches.backfill, failure)
        raise


def _refuse_failing(revision: str, backfill: Backfill, failure: DBAPIError) -> None:
    """Raises Refused with the backfill's expressions if the database cannot compute or store a value."""
    if cure(failure) is not None and not is_schema_missing(failure):
        return
    settings = ", ".join(f"{name} = {value}" for name, value in (backfill.assign or {}).items())
    what = f" with {settings}" if settings else ""
    raise Refused(
        f"{revision}: {backfill.title} failed: {reason(failure)}{what}. Correct the rows of {backfill.table}, then run "
        f"{naming.command('backfill')}."
    ) from failure


def _adapted(rows: int, seconds: float) -> int:
    """The number of rows for the target time, changed by a factor of two at most."""
    wanted = rows * _TARGET_SECONDS / max(seconds, 1e-6)
    return int(min(max(wanted, rows / 2, _FEWEST_ROWS), rows * 2, _MOST_ROWS))
