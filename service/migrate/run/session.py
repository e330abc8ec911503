"""A migration session: connection, lease, limits and transactions of one run."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property

from sqlalchemy import Connection

from service.migrate.run.locking.lease import Lease
from service.migrate.run.locking.limits import Attempt, WaitLimits
from service.migrate.run.locking.lock import Report


@dataclass(kw_only=True)
class Session:
    """What everything that runs shares.

    `inside` a transaction that was handed in, all is done in that, and its owner commits. An `unused` database is as
    the steps before left it: it need not be asked.
    """

    connection: Connection
    report: Report
    lease: Lease = field(default_factory=Lease)
    wait_limits: WaitLimits = field(default_factory=WaitLimits)
    inside: bool = False
    unused: bool = False
    _told: set[object] = field(default_factory=set, init=False)

    @property
    def dialect(self) -> str:
        return self.connection.dialect.name

    @contextmanager
    def starting(self) -> Iterator[None]:
        """The first transaction, in which the lease is taken."""
        if self.inside:
            yield
            return
        # Whatever was only read before has opened one.
        self.connection.rollback()
        with self.connection.begin():
            yield

    @contextmanager
    def writing(self) -> Iterator[None]:
        """A transaction of its own, or the one that was handed in.

        Raises:
            Refused: another migrator took over; nothing is stored.
        """
        with self.starting():
            if not self.inside:
                self.lease.renew(self.connection)
            yield

    @contextmanager
    def reading(self) -> Iterator[None]:
        """A transaction that keeps nobody waiting: it may wait itself, and on SQLite others write meanwhile."""
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
        """No transaction, for PostgreSQL's statements that begin and end their own; what is set ends with it."""
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
        return bool(self.connection.exec_driver_sql(question).scalar())

    def set(self, name: str, seconds: float, *, local: bool = True) -> None:
        """Set one of PostgreSQL's timeouts, by default for the transaction that is open; 0 waits for ever."""
        milliseconds = max(round(1000 * seconds), 1 if seconds else 0)
        self.connection.exec_driver_sql(f"SET {'LOCAL ' if local else ''}{name} = {milliseconds}")

    @cached_property
    def lock_wait_seconds(self) -> float:
        """Below the server's deadlock_timeout: in a deadlock it is the migrator that gives way, and never a request."""
        asked = "SELECT setting::float / 1000 FROM pg_settings WHERE name = 'deadlock_timeout'"
        deadlock: float = self.connection.exec_driver_sql(asked).scalar_one()
        return min(self.wait_limits.lock_wait_seconds, 0.9 * deadlock)

    def is_new(self, what: object) -> bool:
        """Whether it was not told of yet; from now on it was."""
        new = what not in self._told
        self._told.add(what)
        return new

    def attempt(self, revision: str, title: str) -> Attempt:
        return Attempt(revision=revision, title=title, deadline_seconds=self.wait_limits.deadline_seconds)
