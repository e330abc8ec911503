"""A migration session: connection, lease, limits and transactions of one run."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property

from sqlalchemy import Connection

from service.migrate.dialects import predicates
from service.migrate.run.locking.lease import Lease
from service.migrate.run.locking.limits import Attempt, WaitLimits
from service.migrate.run.locking.lock import Report


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
        """A new transaction that renews the lease, or the caller's transaction.

        Raises:
            Refused: another migrator took the lease; the transaction is rolled back.
        """
        with self.starting():
            if not self.inside:
                self.lease.renew(self.connection)
            yield

    @contextmanager
    def reading(self) -> Iterator[None]:
        """A transaction that blocks no other session: BEGIN DEFERRED on SQLite; a long lock_timeout on PostgreSQL."""
        if self.inside:
            yield
            return
        self.connection.rollback()
        self.connection.execution_options(begin="BEGIN DEFERRED")
        try:
            with self.connection.begin():
                if self.dialect == "postgresql":
                    self.set("lock_timeout", self.wait_limits.deadline_seconds)
                yield
        finally:
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

    def set(self, name: str, seconds: float, *, local: bool = True) -> None:
        """Set a timeout of PostgreSQL, by default for the open transaction; 0 means no timeout."""
        milliseconds = max(round(1000 * seconds), 1 if seconds else 0)
        self.connection.exec_driver_sql(f"SET {'LOCAL ' if local else ''}{name} = {milliseconds}")

    @cached_property
    def lock_wait_seconds(self) -> float:
        """The lock_timeout of blocking locks, below deadlock_timeout, so that a deadlock cancels the migrator."""
        asked = "SELECT setting::float / 1000 FROM pg_settings WHERE name = 'deadlock_timeout'"
        deadlock: float = self.connection.exec_driver_sql(asked).scalar_one()
        return min(self.wait_limits.lock_wait_seconds, 0.9 * deadlock)

    def is_new(self, what: object) -> bool:
        """Whether this was not reported before; marks it as reported."""
        new = what not in self._reported
        self._reported.add(what)
        return new

    def attempt(self, revision: str, title: str) -> Attempt:
        return Attempt(revision=revision, title=title, deadline_seconds=self.wait_limits.deadline_seconds)
