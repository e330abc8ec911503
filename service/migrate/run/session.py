"""A migration session: connection, lease, limits and transactions of one run."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property

from sqlalchemy import Connection

from service.migrate.dialects import predicates
from service.migrate.run.locking import blockers
from service.migrate.run.locking.lease import Lease
from service.migrate.run.locking.limits import Attempt, WaitLimits
from service.migrate.run.locking.lock import Report
from service.migrate.state import ledger

# How long the answer to the query for old transactions holds.
_CALM_SECONDS = 0.5


@dataclass(kw_only=True)
class Session:
    """The connection, lease and limits of one run.

    `inside`: the caller passed a connection in a transaction; everything runs in it, and the caller commits.
    `unused`: a new database, in which no step is done, so that done-predicates are not queried.
    """

    connection: Connection
    report: Report
    lease: Lease = field(default_factory=Lease)
    wait_limits: WaitLimits = field(default_factory=WaitLimits)
    inside: bool = False
    unused: bool = False
    _reported: set[object] = field(default_factory=set, init=False)
    _is_reading: bool = field(default=False, init=False)
    _notes: list[ledger.Entry] = field(default_factory=list, init=False)
    _calm_until: float = field(default=0.0, init=False)

    @property
    def dialect(self) -> str:
        return self.connection.dialect.name

    @contextmanager
    def starting(self) -> Iterator[None]:
        """A transaction without a renewal of the lease: the first one takes it."""
        if self.inside:
            yield
            return
        # SQLAlchemy begins a transaction with any read.
        self.connection.rollback()
        with self.connection.begin():
            yield

    @contextmanager
    def writing(self) -> Iterator[None]:
        """A new transaction that renews the lease and writes the noted audit rows, or the caller's transaction.

        Raises:
            Refused: another migrator took the lease; the transaction is rolled back.
        """
        noted = [] if self.inside else [*self._notes]
        with self.starting():
            if not self.inside:
                self.lease.renew(self.connection)
                ledger.audit(self.connection, noted)
            yield
        del self._notes[: len(noted)]

    def note(self, *entries: ledger.Entry) -> None:
        """Keep audit rows for the next transaction, which writes them before it takes a lock."""
        if not self.inside:
            self._notes += entries

    @property
    def has_notes(self) -> bool:
        return bool(self._notes) and not self.inside

    def flush(self) -> None:
        """Write the noted audit rows, if there are any."""
        if self.has_notes:
            with self.writing():
                pass

    @contextmanager
    def reading(self) -> Iterator[None]:
        """A transaction that blocks no other session: BEGIN DEFERRED on SQLite; a long lock_timeout on PostgreSQL.

        Inside another block of this kind it is the same transaction.
        """
        if self.inside or self._is_reading:
            yield
            return
        self.connection.rollback()
        self.connection.execution_options(begin="BEGIN DEFERRED")
        self._is_reading = True
        try:
            with self.connection.begin():
                if self.dialect == "postgresql":
                    self.limit(lock=self.wait_limits.deadline_seconds)
                yield
        finally:
            self._is_reading = False
            self.connection.execution_options(begin=None)

    @contextmanager
    def autocommit(self) -> Iterator[None]:
        """Autocommit mode, for CREATE INDEX CONCURRENTLY and its like; the timeouts are reset at the end."""
        self.connection.rollback()
        level = self.connection.default_isolation_level or "READ COMMITTED"
        self.connection.execution_options(isolation_level="AUTOCOMMIT")
        try:
            yield
        finally:
            if not self.connection.invalidated:
                self.connection.exec_driver_sql("RESET lock_timeout")
                self.connection.exec_driver_sql("RESET statement_timeout")
            self.connection.rollback()
            self.connection.execution_options(isolation_level=level)

    def ask(self, question: str) -> bool:
        return predicates.ask(self.connection, question)

    def limit(self, *, lock: float, statement: float | None = None, local: bool = True) -> None:
        """Set lock_timeout and statement_timeout in seconds, by default for the open transaction; 0 is no timeout."""
        given = {"lock_timeout": lock} if statement is None else {"lock_timeout": lock, "statement_timeout": statement}
        values = {name: max(round(1000 * seconds), 1 if seconds else 0) for name, seconds in given.items()}
        calls = (f"set_config('{name}', '{value}', {str(local).lower()})" for name, value in values.items())
        self.connection.exec_driver_sql(f"SELECT {', '.join(calls)}")

    @property
    def was_calm(self) -> bool:
        """Whether the last answer of `is_calm` was so and still holds; always on SQLite."""
        return self.inside or self.dialect == "sqlite" or time.monotonic() < self._calm_until

    def is_calm(self) -> bool:
        """Whether no transaction of the database is long; the answer holds until one can have become long."""
        if self.was_calm:
            return True
        asked_at = time.monotonic()
        with self.reading():
            is_calm = not blockers.has_older(self.connection, blockers.LONG_SECONDS - _CALM_SECONDS)
        self._calm_until = asked_at + _CALM_SECONDS if is_calm else 0.0
        return is_calm

    @cached_property
    def lock_wait_seconds(self) -> float:
        """The lock_timeout of blocking locks, below deadlock_timeout, so that a deadlock cancels the migrator."""
        # pg_settings would compute every setting.
        asked = "SELECT extract(epoch FROM current_setting('deadlock_timeout')::interval)::float"
        deadlock: float = self.connection.exec_driver_sql(asked).scalar_one()
        return min(self.wait_limits.lock_wait_seconds, 0.9 * deadlock)

    def is_new(self, what: object) -> bool:
        """Whether this was not reported before; marks it as reported."""
        new = what not in self._reported
        self._reported.add(what)
        return new

    def attempt(self, revision: str, title: str) -> Attempt:
        return Attempt(revision=revision, title=title, deadline_seconds=self.wait_limits.deadline_seconds)
