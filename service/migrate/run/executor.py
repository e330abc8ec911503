"""Steps are done: each in a short transaction that gives way to requests, is written down, and is tried again."""

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
from service.migrate.run.locking.limits import Tries
from service.migrate.run.retry import give_way, look_ahead, write_down
from service.migrate.run.session import Turn
from service.migrate.state import ledger

T = TypeVar("T")

# What runs under a lock that keeps requests waiting is a change of the catalog: a moment, or a mistake.
_LOCKED_SECONDS = 3.0
_CONCURRENTLY = re.compile(r" CONCURRENTLY\b")
_CANCELLED = "57014"


@dataclass(frozen=True, slots=True)
class Executor:
    """Does steps in a migrator's turn."""

    turn: Turn

    def do(self, revision: str, phase: Phase, steps: Sequence[Step]) -> None:
        """Do those of a phase's steps that are not done yet.

        Raises:
            Refused: a step cannot be done, or not before the deadline; those before it stay done.
        """
        connection = self.turn.connection
        with self.turn.reading():
            done = ledger.done(connection, revision, phase)
        left = [(step, position) for position, step in enumerate(steps) if position not in done]
        for together in grouped(left, together=self.turn.dialect == "sqlite"):
            # In someone else's transaction it is all or nothing: they are marked at once, at its end.
            mark = partial(ledger.mark, connection, revision, phase, [] if self.turn.inside else together)
            self.perform(revision, phase, [step for step, _ in together], mark, partial(mark, half=True))
        if self.turn.inside:
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
        """Do steps in one transaction, and record them there, and audit what it took.

        A step that is to be alone is recorded before, since nobody can tell what becomes of it, and after. `rows` is
        how many it concerns that its statements do not count.

        Raises:
            Refused: they cannot be done, or not before the deadline.
        """
        tries = self.turn.tries(revision, "; ".join(step.title for step in steps))
        try:
            has_done = self._try(steps, record, record_begin or record, tries)
        except Refused:
            tries.affected = 0
            # Whatever keeps the audit from being written, it is the refusal that the caller must hear of.
            with suppress(DBAPIError, Refused):
                self.note(phase, tries, outcome="failed")
            raise
        tries.affected += rows
        self.note(phase, tries, outcome="done" if has_done else "nothing to do")

    def note(self, phase: str, tries: Tries, *, outcome: str = "done") -> None:
        """Write into the audit what a step took; of a transaction that holds all of them nobody asks that."""
        if self.turn.inside:
            return
        entry = ledger.Entry(
            revision=tries.revision,
            phase=phase,
            step=tries.title,
            outcome=outcome,
            seconds=round(tries.seconds, 6),
            attempts=tries.attempts,
            longest_wait_ms=round(tries.longest_wait_ms, 3),
            affected=tries.affected,
        )
        write = partial(ledger.audit, self.turn.connection, [entry])
        if outcome == "failed":
            # Whoever waits for the refusal has waited enough.
            with self.turn.writing():
                write()
        else:
            write_down(self.turn, tries.revision, "write down what was done", write)

    def _try(
        self, steps: Sequence[Step], record: Callable[[], None], record_begin: Callable[[], None], tries: Tries
    ) -> bool:
        """Return whether there was anything to do."""
        step = steps[-1]
        while True:
            if step.alone or step.lock is not Lock.NONE:
                look_ahead(self.turn, tries, step)
            tries.begin()
            try:
                if step.alone and not self.turn.inside:
                    has_done = self._perform_alone(step, record, record_begin, tries)
                else:
                    has_done = self._perform_together(steps, record, tries)
            except DBAPIError as failure:
                self._refuse_slow(step, failure, tries)
                give_way(self.turn, tries, failure, lambda: blockers.holders(self.turn.connection, step))
            else:
                tries.end()
                return has_done

    def _perform_together(self, steps: Sequence[Step], record: Callable[[], None], tries: Tries) -> bool:
        with self.turn.writing():
            left = [step for step in steps if not self._is_done(step)]
            if left and self.turn.dialect == "postgresql" and not self.turn.inside:
                self._set_timeouts(left[0], tries)
            # What is written down comes first: the lock that the rest takes is held until the COMMIT.
            record()
            edit(self.turn.connection, [step.edit for step in left if step.edit is not None])
            for step in left:
                for statement in (*(step.made(self.turn.connection) if step.made else ()), *step.statements):
                    tries.affected += self._run(statement)
        return any(step.edit is not None or step.made is not None or step.statements for step in left)

    def _perform_alone(
        self, step: Step, record: Callable[[], None], record_begin: Callable[[], None], tries: Tries
    ) -> bool:
        with self.turn.writing():
            is_done = self._is_done(step)
            record_begin()
            made: tuple[str, ...] = ()
            if step.made is not None and not is_done:
                self._set_timeouts(step, tries)
                made = tuple(step.made(self.turn.connection))
        if not is_done:
            with self.turn.autocommit():
                self._set_timeouts(step, tries, local=False)
                for statement in (*made, *step.statements):
                    tries.affected += self._run(statement)
        with self.turn.writing():
            record()
        return not is_done

    def _is_done(self, step: Step) -> bool:
        return step.done is not None and not (self.turn.unused and step.scripted) and self.turn.ask(step.done)

    def _run(self, statement: str) -> int:
        if self.turn.inside and self.turn.dialect == "postgresql":
            statement = _CONCURRENTLY.sub("", statement)
        result = self.turn.connection.exec_driver_sql(statement)
        return max(result.rowcount, 0) if not result.returns_rows else 0

    def _set_timeouts(self, step: Step, tries: Tries, *, local: bool = True) -> None:
        """A step that nobody waits for may wait, until the deadline, and work; one that keeps requests waiting not."""
        waits = step.lock.keeps_requests_waiting
        lock_wait = self.turn.lock_wait_seconds if waits else max(tries.seconds_left, 0.001)
        self.turn.set("lock_timeout", lock_wait, local=local)
        self.turn.set("statement_timeout", _LOCKED_SECONDS if waits else 0, local=local)

    def _refuse_slow(self, step: Step, failure: DBAPIError, tries: Tries) -> None:
        if sqlstate(failure) == _CANCELLED and step.lock.keeps_requests_waiting and not self.turn.inside:
            tries.end()
            raise Refused(
                f"{tries.revision}: to {tries.title} took longer than {_LOCKED_SECONDS:g} seconds under {step.lock}, "
                "while requests waited; it was given up, and the steps before it stay done."
            ) from failure


def grouped(steps: Sequence[tuple[Step, T]], *, together: bool) -> Iterator[list[tuple[Step, T]]]:
    """Yield the steps one by one; edits of one table that follow each other are one rebuild.

    A step that would be done but for one before it waits for that one's transaction to be over.
    """
    for table, group in groupby(steps, lambda each: _edited(each[0]) if together else None):
        found: list[tuple[Step, T]] = []
        for each in group:
            if found and (table is None or any(_are_opposite(one.done, each[0].done) for one, _ in found)):
                yield found
                found = []
            found.append(each)
        yield found


def _are_opposite(one: str | None, other: str | None) -> bool:
    if one is None or other is None:
        return False
    return one == predicates.negated(other) or other == predicates.negated(one)


def _edited(step: Step) -> str | None:
    """The table of a step that is an edit and nothing else."""
    return step.edit.table if step.edit is not None and not step.statements and step.made is None else None
