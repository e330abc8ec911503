"""Runs steps: each in a short transaction with a lock timeout, recorded in the ledger and retried after a timeout."""

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import TypeVar

from sqlalchemy.exc import DBAPIError

from service.db.failures import sqlstate
from service.migrate.dialects import predicates
from service.migrate.dialects.sqlite.edit import edit
from service.migrate.errors import Refused
from service.migrate.operations.step import Lock, Step
from service.migrate.plan.plan import Phase
from service.migrate.run.locking import blockers
from service.migrate.run.locking.acquire import acquire
from service.migrate.run.locking.limits import Attempt
from service.migrate.run.retry import give_way, look_ahead, wait_for_replicas, write_down
from service.migrate.run.session import Session
from service.migrate.state import ledger

T = TypeVar("T")

# A step with a blocking lock changes the catalog alone, in milliseconds: a longer statement is a mistake.
_LOCKED_SECONDS = 3.0
_CONCURRENTLY = re.compile(r" CONCURRENTLY\b")
_CANCELLED = "57014"
_NOTHING = "nothing to do"


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """Steps that share a transaction, and what records them.

    A step outside of a transaction is recorded by `begin` before, and by `record` after. `rows` is added to the
    affected rows, for a statement that does not count them.
    """

    phase: str
    steps: Sequence[Step]
    record: Callable[[], None]
    begin: Callable[[], None]
    rows: int = 0

    @property
    def title(self) -> str:
        return "; ".join(step.title for step in self.steps)

    @property
    def last(self) -> Step:
        return self.steps[-1]


@dataclass(frozen=True, slots=True)
class Executor:
    """Runs steps in a migration session."""

    session: Session

    def do(self, revision: str, phase: Phase, steps: Sequence[Step], done: Collection[int]) -> None:
        """Run the steps of a phase that are not recorded as done, of which `done` has the positions.

        Raises:
            Refused: a step failed or reached the deadline; the steps before it stay done.
        """
        connection = self.session.connection
        left = [(step, position) for position, step in enumerate(steps) if position not in done]
        for together in grouped(left, together=self.session.dialect == "sqlite"):
            # In the caller's transaction the steps commit together, and are recorded together below.
            mark = partial(ledger.mark, connection, revision, phase, [] if self.session.inside else together)
            found = [step for step, _ in together]
            self.perform(revision, [Work(phase=phase, steps=found, record=mark, begin=partial(mark, half=True))])
        if self.session.inside:
            ledger.mark(connection, revision, phase, left)

    def perform(self, revision: str, works: Sequence[Work]) -> None:
        """Run steps in transactions with their records, and note their audit rows.

        Steps with nothing to run are recorded in the transaction of the next step that has statements.

        Raises:
            Refused: a step failed or reached the deadline; those of the transactions before it stay done.
        """
        left = [*works]
        while left:
            attempt = self.session.attempt(revision, left[0].title)
            try:
                count = self._try(left, attempt)
            except Refused:
                attempt.affected = 0
                # A failure to write the audit row must not hide the refusal; one attempt does not delay the message.
                with suppress(DBAPIError, Refused):
                    self.note(left[0].phase, attempt, outcome="failed")
                    self.session.flush()
                raise
            del left[:count]

    def note(self, phase: str, attempt: Attempt, *, outcome: str = "done") -> None:
        """Note an audit row; none in the caller's transaction, which has one row for all steps."""
        self.session.note(_entry(phase, attempt, outcome))

    def _try(self, works: Sequence[Work], attempt: Attempt) -> int:
        """Retry until a transaction is done; return the number of works that it comprised."""
        first = works[0].last
        is_alone = first.alone and not self.session.inside
        if self.session.has_notes and _is_slow(works[0]):
            # The transaction would write the noted rows at its end.
            write_down(self.session, attempt.revision, "the write to the audit")
        while True:
            if first.alone:
                wait_for_replicas(self.session, attempt)
            if not self.session.is_calm() and (first.alone or first.lock is not Lock.NONE):
                look_ahead(self.session, attempt, first)
            attempt.begin()
            try:
                count = self._perform_alone(works[0], attempt) if is_alone else self._perform(works, attempt)
            except DBAPIError as failure:
                step = self._named(works, attempt)
                self._refuse_slow(step, failure, attempt)
                give_way(self.session, attempt, failure, partial(blockers.holders, self.session.connection, step))
            else:
                if count:
                    return count
                attempt.withdraw()
                wait_for_replicas(self.session, attempt)

    @staticmethod
    def _named(works: Sequence[Work], attempt: Attempt) -> Step:
        """The step that the attempt was at."""
        return next(work.last for work in works if work.title == attempt.title)

    def _perform(self, works: Sequence[Work], attempt: Attempt) -> int:
        """Run, in one transaction, the first works up to one with statements; 0 if a replica lags."""
        entries: list[ledger.Entry] = []
        with self.session.writing():
            for work in self._together(works):
                attempt.title = work.title
                left = [step for step in work.steps if not self._is_done(step)]
                if left and self._is_replica_behind(work.last):
                    return 0
                self._run_recorded(work, left, attempt)
                is_idle = all(map(_is_idle, left))
                entries.append(_entry(work.phase, attempt, _NOTHING if is_idle else "done", rows=work.rows))
                if not is_idle:
                    break
            if self.session.dialect == "sqlite" and not self.session.inside:
                # SQLite's one lock is held already; on PostgreSQL the row would be written under the lock of a table.
                ledger.audit(self.session.connection, entries)
        if self.session.dialect == "postgresql":
            self.session.note(*entries)
        return len(entries)

    def _together(self, works: Sequence[Work]) -> Iterator[Work]:
        """The works of which the first with statements ends the transaction, and what is checked before is the same."""
        yield works[0]
        for work in works[1:]:
            if work.last.alone or _is_slow(work) or not self.session.was_calm:
                return
            yield work

    def _run_recorded(self, work: Work, left: Sequence[Step], attempt: Attempt) -> None:
        is_limited = self.session.dialect == "postgresql" and not self.session.inside
        if is_limited and not all(map(_is_idle, left)):
            self._set_timeouts(left[0], attempt)
        # The record first: the statements take a lock that is held until COMMIT.
        work.record()
        edit(self.session.connection, [step.edit for step in left if step.edit is not None])
        for step in left:
            if step.trial is not None and not self.session.unused:
                step.trial(self.session.connection)
            generated = tuple(step.generate(self.session.connection)) if step.generate else ()
            if is_limited:
                acquire(self.session, step)
            for statement in (*generated, *step.statements):
                attempt.affected += self._run(statement)

    def _perform_alone(self, work: Work, attempt: Attempt) -> int:
        step = work.last
        with self.session.writing():
            is_done = self._is_done(step)
            work.begin()
            generated: tuple[str, ...] = ()
            if step.generate is not None and not is_done:
                self._set_timeouts(step, attempt)
                generated = tuple(step.generate(self.session.connection))
        if not is_done:
            with self.session.autocommit():
                self._set_timeouts(step, attempt, local=False)
                for statement in (*generated, *step.statements):
                    attempt.affected += self._run(statement)
        with self.session.writing():
            work.record()
        self.session.note(_entry(work.phase, attempt, _NOTHING if is_done else "done", rows=work.rows))
        return 1

    def _is_replica_behind(self, step: Step) -> bool:
        """Whether a replica lags before a step that blocks requests, in the transaction of the step."""
        if self.session.inside or self.session.dialect != "postgresql" or not step.lock.keeps_requests_waiting:
            return False
        return bool(blockers.lagging_replicas(self.session.connection, self.session.wait_limits.lag_seconds))

    def _is_done(self, step: Step) -> bool:
        return step.done is not None and not (self.session.unused and step.scripted) and self.session.ask(step.done)

    def _run(self, statement: str) -> int:
        if self.session.inside and self.session.dialect == "postgresql":
            statement = _CONCURRENTLY.sub("", statement)
        result = self.session.connection.exec_driver_sql(statement)
        return max(result.rowcount, 0) if not result.returns_rows else 0

    def _set_timeouts(self, step: Step, attempt: Attempt, *, local: bool = True) -> None:
        """Blocking locks: lock_timeout 50 ms, statement_timeout 3 s. Other steps may wait until the deadline."""
        waits = step.lock.keeps_requests_waiting
        lock_wait = self.session.lock_wait_seconds if waits else max(attempt.seconds_left, 0.001)
        self.session.limit(lock=lock_wait, statement=_LOCKED_SECONDS if waits else 0, local=local)

    def _refuse_slow(self, step: Step, failure: DBAPIError, attempt: Attempt) -> None:
        if sqlstate(failure) == _CANCELLED and step.lock.keeps_requests_waiting and not self.session.inside:
            attempt.end()
            raise Refused(
                f"{attempt.revision}: {attempt.title} was cancelled after {_LOCKED_SECONDS:g} seconds under "
                f"{step.lock}, which blocks requests. The steps before it stay done."
            ) from failure


def _entry(phase: str, attempt: Attempt, outcome: str, *, rows: int = 0) -> ledger.Entry:
    attempt.end()
    return ledger.Entry(
        revision=attempt.revision,
        phase=phase,
        step=attempt.title,
        outcome=outcome,
        seconds=round(attempt.seconds, 6),
        attempts=attempt.attempts,
        longest_wait_ms=round(attempt.longest_wait_ms, 3),
        affected=attempt.affected + rows,
    )


def _is_slow(work: Work) -> bool:
    """Whether the work may take long in one transaction, since it blocks no request."""
    return not (work.last.alone or work.last.lock.keeps_requests_waiting or all(map(_is_idle, work.steps)))


def _is_idle(step: Step) -> bool:
    """Whether the step has nothing to run."""
    return step.edit is None and step.generate is None and not step.statements


def grouped(steps: Sequence[tuple[Step, T]], *, together: bool) -> Iterator[list[tuple[Step, T]]]:
    """Yield the steps one by one; with `together`, consecutive edits of one table in one group, for one rebuild.

    A step whose `done` is the opposite of an earlier step's starts a new group: together both would count as done.
    """
    for table, group in groupby(steps, lambda each: _edited(each[0]) if together else None):
        found: list[tuple[Step, T]] = []
        for each in group:
            if found and (table is None or any(are_opposite(one.done, each[0].done) for one, _ in found)):
                yield found
                found = []
            found.append(each)
        yield found


def are_opposite(one: str | None, other: str | None) -> bool:
    if one is None or other is None:
        return False
    return one == predicates.negated(other) or other == predicates.negated(one)


def _edited(step: Step) -> str | None:
    """The table of a step that has an edit alone."""
    return step.edit.table if step.edit is not None and not step.statements and step.generate is None else None
