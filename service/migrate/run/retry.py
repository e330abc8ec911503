"""Retry with backoff after a lock timeout; wait while replicas lag."""

from collections.abc import Callable
from contextlib import suppress

from sqlalchemy.exc import DBAPIError

from service.db.counting import counted
from service.db.failures import Cure, cure
from service.migrate.errors import Refused, reason
from service.migrate.operations.step import Step
from service.migrate.run.locking import blockers
from service.migrate.run.locking.blockers import Blocker
from service.migrate.run.locking.limits import Attempt
from service.migrate.run.locking.waiting import pause
from service.migrate.run.session import Session

_LAG_PAUSE_SECONDS = 0.2


def give_way(session: Session, attempt: Attempt, failure: DBAPIError, find: Callable[[], list[Blocker]]) -> None:
    """Wait before the next attempt; `find` returns the sessions that may hold the lock.

    Raises:
        Refused: the failure is permanent, or the deadline has passed.
    """
    attempt.end()
    if session.inside:
        raise failure
    found = cure(failure)
    if found is Cure.RECONNECT:
        raise Refused(
            f"{attempt.revision}: connection lost during {attempt.title}: {reason(failure)}. Run the command again."
        ) from failure
    if found is not Cure.AGAIN:
        raise Refused(f"{attempt.revision}: {attempt.title} failed: {reason(failure)}.") from failure
    attempt.fail()
    # SQLite does not identify the writer.
    others = "another writer" if session.dialect == "sqlite" else blockers.listed(_found(session, find))
    seconds = attempt.pause_seconds()
    if attempt.seconds_left < seconds:
        blocker = others or "a session that has ended"
        raise Refused(f"{_given_up(attempt)}; blocked by {blocker}. Run the command again.") from failure
    if others and not attempt.reported:
        attempt.reported = True
        session.report(f"{attempt.revision}: {attempt.title} waits, blocked by {others}.")
    if session.dialect == "postgresql":
        # The other writer of SQLite would block this too.
        with suppress(DBAPIError):
            session.flush()
    pause(session.connection, seconds)


def write_down(session: Session, revision: str, what: str, write: Callable[[], object] | None = None) -> None:
    """Write to the ledger in one transaction, and what was noted for the audit; retried after a lock timeout.

    Raises:
        Refused: the ledger was still locked at the deadline, or another migrator took the lease.
    """
    attempt = session.attempt(revision, what)
    while True:
        attempt.begin()
        try:
            with session.writing():
                if write is not None:
                    write()
        except DBAPIError as failure:
            give_way(session, attempt, failure, list)
        else:
            return


def look_ahead(session: Session, attempt: Attempt, step: Step) -> None:
    """Report transactions that a step may wait for, before the step takes its lock."""
    with session.reading():
        found = blockers.long_transactions(session.connection, step)
    if long := [each for each in found if session.is_new(each.pid)]:
        session.report(f"{attempt.revision}: {attempt.title} may wait for long transactions: {blockers.listed(long)}.")


def wait_for_replicas(session: Session, attempt: Attempt) -> None:
    """Return when no replica lags by more than the limit: the lock, once replayed there, queues behind reads.

    Raises:
        Refused: a replica still lagged at the deadline.
    """
    while not session.inside and session.dialect == "postgresql":
        with session.reading():
            behind = blockers.lagging_replicas(session.connection, session.wait_limits.lag_seconds)
        if not behind:
            return
        names = ", ".join(f"{each.name} ({each.lag:.1f} s)" for each in behind)
        if attempt.seconds_left < 0:
            raise Refused(f"{_given_up(attempt)}; replicas behind: {names}. Run the command again.")
        if [each for each in behind if session.is_new(each.name)]:
            session.report(f"{attempt.revision}: {attempt.title} waits; replicas behind: {names}.")
        session.flush()
        pause(session.connection, _LAG_PAUSE_SECONDS)


def _given_up(attempt: Attempt) -> str:
    tried = f", {counted(attempt.attempts, 'attempt')}" if attempt.attempts else ""
    return f"{attempt.revision}: {attempt.title} gave up after {counted(attempt.deadline_seconds, 'second')}{tried}"


def _found(session: Session, find: Callable[[], list[Blocker]]) -> list[Blocker]:
    if session.inside or session.dialect != "postgresql":
        return []
    with session.reading():
        return find()
