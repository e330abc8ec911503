"""Steps are done: each in a short transaction that gives way to requests, is written down, and is tried again."""

import random
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import groupby
from typing import TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from service.db.failures import Cure, cure, sqlstate
from service.migrate import blockers, ledger
from service.migrate.errors import Refused
from service.migrate.lease import Lease
from service.migrate.lock import Report
from service.migrate.phases import Phase
from service.migrate.sqlite.edits import edit
from service.migrate.steps import Step
from service.migrate.waiting import pause

T = TypeVar("T")

_FIRST_PAUSE_SECONDS = 0.05
_LONGEST_PAUSE_SECONDS = 1.0
# What runs under a lock that keeps requests waiting is a change of the catalog: a moment, or a mistake.
_LOCKED_SECONDS = 3.0
_CONCURRENTLY = re.compile(r" CONCURRENTLY\b")
_CANCELLED = "57014"


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long a step waits for one lock, and all of the run for everything, in seconds.

    `lock_wait_seconds` is what a request behind the migrator waits at most; below deadlock_timeout (1 s), so that in a
    deadlock it is the migrator that gives way.
    """

    lock_wait_seconds: float = 0.05
    deadline_seconds: float = 600.0


@dataclass(slots=True)
class Tries:
    """What a step took: how often it was tried, how long it waited at most, and what it did."""

    attempts: int = 0
    longest_wait_ms: float = 0.0
    seconds: float = 0.0
    affected: int = 0
    told: bool = False


@dataclass(kw_only=True)
class Executor:
    """Runs steps on one connection.

    `inside` a transaction that was handed in, all is done in that, and its owner commits. An `unused` database is as
    the steps before left it: it need not be asked.
    """

    connection: Connection
    report: Report
    lease: Lease
    inside: bool = False
    unused: bool = False
    patience: Patience = field(default_factory=Patience)
    _deadline: float = field(init=False)

    def __post_init__(self) -> None:
        self._deadline = time.monotonic() + self.patience.deadline_seconds

    @property
    def dialect(self) -> str:
        return self.connection.dialect.name

    def do(self, revision: str, phase: Phase, steps: Sequence[Step]) -> None:
        """Do those of a phase's steps that are not done yet.

        Raises:
            Refused: a step cannot be done, or not before the deadline; those before it stay done.
        """
        with self.transaction():
            done = ledger.done(self.connection, revision, phase)
        left = [(step, position) for position, step in enumerate(steps) if position not in done]
        for together in grouped(left, together=self.dialect == "sqlite"):
            self._do_together(revision, phase, together)
        if self.inside:
            ledger.mark(self.connection, revision, phase, left)

    def _do_together(self, revision: str, phase: Phase, steps: list[tuple[Step, int]]) -> None:
        def record() -> None:
            # Inside one transaction they are all marked at its end.
            if not self.inside:
                ledger.mark(self.connection, revision, phase, steps)

        tries = self.perform(revision, [step for step, _ in steps], record)
        self.note(revision, phase, "; ".join(step.title for step, _ in steps), tries)

    def perform(self, revision: str, steps: Sequence[Step], record: Callable[[], None]) -> Tries:
        """Do steps that are not done, in one transaction, and record them there, or after one that is to be alone."""
        tries = Tries()
        while True:
            tries.attempts += 1
            began = time.monotonic()
            try:
                if steps[0].alone and not self.inside:
                    self._perform_alone(steps[0], record, tries)
                else:
                    self._perform_inside(steps, record, tries)
            except DBAPIError as failure:
                tries.longest_wait_ms = max(tries.longest_wait_ms, 1000 * (time.monotonic() - began))
                self._give_way(revision, steps[-1], failure, tries)
            else:
                tries.seconds = time.monotonic() - began
                return tries

    def note(self, revision: str, phase: str, title: str, tries: Tries, outcome: str = "done") -> None:
        """Write into the audit what a step took; of a transaction that holds all of them nobody asks that."""
        if self.inside:
            return
        entry = ledger.Entry(
            revision=revision,
            phase=phase,
            step=title,
            outcome=outcome,
            seconds=round(tries.seconds, 6),
            attempts=tries.attempts,
            longest_wait_ms=round(tries.longest_wait_ms, 3),
            affected=tries.affected,
        )
        with self.transaction():
            ledger.audit(self.connection, [entry])

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """A transaction of its own, or the one that was handed in."""
        if self.inside:
            yield
            return
        # Whatever was only read before has opened one.
        self.connection.rollback()
        with self.connection.begin():
            yield

    def ask(self, question: str) -> bool:
        return bool(self.connection.exec_driver_sql(question).scalar())

    @property
    def seconds_left(self) -> float:
        return self._deadline - time.monotonic()

    def _perform_inside(self, steps: Sequence[Step], record: Callable[[], None], tries: Tries) -> None:
        with self.transaction():
            if not self.inside:
                self.lease.renew(self.connection)
            left = [step for step in steps if not self._is_done(step)]
            if left and self.dialect == "postgresql" and not self.inside:
                self._set_timeouts(left[0], local=True)
            # What is written down comes first: the lock that the rest takes is held until the COMMIT.
            record()
            edit(self.connection, [step.edit for step in left if step.edit is not None])
            for step in left:
                for statement in (*(step.made(self.connection) if step.made else ()), *step.statements):
                    tries.affected += self._run(statement)

    def _perform_alone(self, step: Step, record: Callable[[], None], tries: Tries) -> None:
        with self.transaction():
            self.lease.renew(self.connection)
            is_done = self._is_done(step)
        if not is_done:
            with self._autocommit():
                self._set_timeouts(step, local=False)
                for statement in step.statements:
                    tries.affected += self._run(statement)
        with self.transaction():
            record()

    def _is_done(self, step: Step) -> bool:
        return step.done is not None and not (self.unused and step.scripted) and self.ask(step.done)

    @contextmanager
    def _autocommit(self) -> Iterator[None]:
        self.connection.rollback()
        level = self.connection.default_isolation_level or "READ COMMITTED"
        self.connection.execution_options(isolation_level="AUTOCOMMIT")
        try:
            yield
        finally:
            if not self.connection.invalidated:
                self._run("RESET lock_timeout")
                self._run("RESET statement_timeout")
            self.connection.rollback()
            self.connection.execution_options(isolation_level=level)

    def _run(self, statement: str) -> int:
        if self.inside and self.dialect == "postgresql":
            statement = _CONCURRENTLY.sub("", statement)
        result = self.connection.exec_driver_sql(statement)
        return max(result.rowcount, 0) if not result.returns_rows else 0

    def _set_timeouts(self, step: Step, *, local: bool) -> None:
        """A step that nobody waits for may wait itself, until the deadline; one that keeps requests waiting may not."""
        left = max(self.seconds_left, 0.001)
        lock, statement = 0.0, left
        if step.lock.keeps_requests_waiting:
            lock, statement = self.patience.lock_wait_seconds, min(left, _LOCKED_SECONDS)
        for name, seconds in (("lock_timeout", lock), ("statement_timeout", statement)):
            self._run(f"SET {'LOCAL ' if local else ''}{name} = {max(round(1000 * seconds), 1 if seconds else 0)}")

    def _give_way(self, revision: str, step: Step, failure: DBAPIError, tries: Tries) -> None:
        """Return when the step is worth another try; Refused if it is not."""
        if self.inside:
            raise failure
        if sqlstate(failure) == _CANCELLED and step.lock.keeps_requests_waiting:
            raise Refused(
                f"{revision}: to {step.title} took longer than {_LOCKED_SECONDS:g} seconds under {step.lock}, while "
                "requests waited; it was given up, and those before it stay done."
            ) from failure
        found = cure(failure)
        if found is Cure.RECONNECT:
            raise Refused(f"{revision}: lost the database while it was to {step.title}: {_told(failure)} Run it again.")
        if found is not Cure.AGAIN:
            raise Refused(f"{revision}: cannot {step.title}: {_told(failure)}") from failure
        wait = min(_FIRST_PAUSE_SECONDS * 2**tries.attempts, _LONGEST_PAUSE_SECONDS) * random.uniform(0.5, 1.5)
        others = self._blockers(step)
        if self.seconds_left < wait:
            raise Refused(
                f"{revision}: could not {step.title} in {self.patience.deadline_seconds:g} seconds, "
                f"{tries.attempts} tries; in the way: {others or 'nobody that is still there'}. Run it again."
            ) from failure
        if not tries.told and others:
            self.report(f"{revision}: waits to {step.title}; in the way: {others}.")
            tries.told = True
        pause(self.connection, wait)

    def _blockers(self, step: Step) -> str:
        if self.dialect != "postgresql" or not step.tables:
            return ""
        with self.transaction():
            return blockers.described(self.connection, step.tables)


def _told(failure: DBAPIError) -> str:
    text = str(failure.orig).strip().splitlines()[0]
    # asyncpg's adapter puts the class in front.
    text = re.sub(r"^<class '[^']+'>: ", "", text)
    return text if text.endswith(".") else f"{text}."


def grouped(steps: Sequence[tuple[Step, T]], *, together: bool) -> Iterator[list[tuple[Step, T]]]:
    """Yield the steps one by one; edits of one table that follow each other are one rebuild."""
    for table, group in groupby(steps, lambda each: _edited(each[0]) if together else None):
        if table is None:
            yield from ([each] for each in group)
        else:
            yield list(group)


def _edited(step: Step) -> str | None:
    """The table of a step that is an edit and nothing else."""
    return step.edit.table if step.edit is not None and not step.statements and step.made is None else None
