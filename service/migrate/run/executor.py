"""Runs steps: each in a short transaction with a lock timeout, recorded in the ledger and retried after a timeout."""

import re
from collections.abc import Callable, Iterator, Sequence
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
from service.migrate.run.retry import give_way, look_ahead, write_down
from service.migrate.run.session import Session
from service.migrate.state import ledger

T = TypeVar("T")

# A step with a blocking lock changes the catalog alone, in milliseconds: a longer statement is a mistake.
_LOCKED_SECONDS = 3.0
_CONCURRENTLY = re.compile(r" CONCURRENTLY\b")
_CANCELLED = "57014"


@dataclass(frozen=True, slots=True)
class Executor:
    """Runs steps in a migration session."""

    session: Session

    def do(self, revision: str, phase: Phase, steps: Sequence[Step]) -> None:
        """Run the steps of a phase that are not recorded as done.

        Raises:
            Refused: a step failed or reached the deadline; the steps before it stay done.
        """
        connection = self.session.connection
        with self.session.reading():
            done = ledger.done(connection, revision, phase)
        left = [(step, position) for position, step in enumerate(steps) if position not in done]
        for together in grouped(left, together=self.session.dialect == "sqlite"):
            # In the caller's transaction the steps commit together, and are recorded together below.
            mark = partial(ledger.mark, connection, revision, phase, [] if self.session.inside else together)
            self.perform(revision, phase, [step for step, _ in together], mark, partial(mark, half=True))
        if self.session.inside:
            ledger.mark(connection, revision, phase, left)

    def perform(
        self,
        revision: str,
        phase: str,
        steps: Sequence[Step],
        record: Callable[[], None],
        record_begin: Callable[[], None] | None = None,
        *,
        rows: int = 0,
    ) -> None:
        """Run steps in one transaction with their record, then write the audit row.

        A step outside of a transaction is recorded as incomplete before, and as done after. `rows` is added to the
        affected rows, for a statement that does not count them.

        Raises:
            Refused: a step failed or reached the deadline.
        """
        attempt = self.session.attempt(revision, "; ".join(step.title for step in steps))
        try:
            has_done = self._try(steps, record, record_begin or record, attempt)
        except Refused:
            attempt.affected = 0
            # A failure to write the audit row must not hide the refusal.
            with suppress(DBAPIError, Refused):
                self.note(phase, attempt, outcome="failed")
            raise
        attempt.affected += rows
        self.note(phase, attempt, outcome="done" if has_done else "nothing to do")

    def note(self, phase: str, attempt: Attempt, *, outcome: str = "done") -> None:
        """Write the audit row of a step; none in the caller's transaction, which has one row for all steps."""
        if self.session.inside:
            return
        entry = ledger.Entry(
            revision=attempt.revision,
            phase=phase,
            step=attempt.title,
            outcome=outcome,
            seconds=round(attempt.seconds, 6),
            attempts=attempt.attempts,
            longest_wait_ms=round(attempt.longest_wait_ms, 3),
            affected=attempt.affected,
        )
        write = partial(ledger.audit, self.session.connection, [entry])
        if outcome == "failed":
            # One attempt, so that the message is not delayed further.
            with self.session.writing():
                write()
        else:
            write_down(self.session, attempt.revision, "the write to the audit", write)

    def _try(
        self, steps: Sequence[Step], record: Callable[[], None], record_begin: Callable[[], None], attempt: Attempt
    ) -> bool:
        """Retry until the steps are done; return whether they had statements to run."""
        step = steps[-1]
        while True:
            if step.alone or step.lock is not Lock.NONE:
                look_ahead(self.session, attempt, step)
            attempt.begin()
            try:
                if step.alone and not self.session.inside:
                    has_done = self._perform_alone(step, record, record_begin, attempt)
                else:
                    has_done = self._perform_together(steps, record, attempt)
            except DBAPIError as failure:
                self._refuse_slow(step, failure, attempt)
                give_way(self.session, attempt, failure, lambda: blockers.holders(self.session.connection, step))
            else:
                attempt.end()
                return has_done

    def _perform_together(self, steps: Sequence[Step], record: Callable[[], None], attempt: Attempt) -> bool:
        with self.session.writing():
            left = [step for step in steps if not self._is_done(step)]
            if left and self.session.dialect == "postgresql" and not self.session.inside:
                self._set_timeouts(left[0], attempt)
            # The record first: the statements take a lock that is held until COMMIT.
            record()
            edit(self.session.connection, [step.edit for step in left if step.edit is not None])
            for step in left:
                if step.trial is not None and not self.session.unused:
                    step.trial(self.session.connection)
                generated = tuple(step.generate(self.session.connection)) if step.generate else ()
                if self.session.dialect == "postgresql" and not self.session.inside:
                    acquire(self.session, step)
                for statement in (*generated, *step.statements):
                    attempt.affected += self._run(statement)
        return any(step.edit is not None or step.generate is not None or step.statements for step in left)

    def _perform_alone(
        self, step: Step, record: Callable[[], None], record_begin: Callable[[], None], attempt: Attempt
    ) -> bool:
        with self.session.writing():
            is_done = self._is_done(step)
            record_begin()
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
            record()
        return not is_done

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
        self.session.set("lock_timeout", lock_wait, local=local)
        self.session.set("statement_timeout", _LOCKED_SECONDS if waits else 0, local=local)

    def _refuse_slow(self, step: Step, failure: DBAPIError, attempt: Attempt) -> None:
        if sqlstate(failure) == _CANCELLED and step.lock.keeps_requests_waiting and not self.session.inside:
            attempt.end()
            raise Refused(
                f"{attempt.revision}: {attempt.title} was cancelled after {_LOCKED_SECONDS:g} seconds under "
                f"{step.lock}, which blocks requests. The steps before it stay done."
            ) from failure


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
