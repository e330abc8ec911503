"""Giving way: what a migrator does when others are in its way, or would be if it went on."""

from collections.abc import Callable

from sqlalchemy.exc import DBAPIError

from service.db.failures import Cure, cure
from service.errors import counted
from service.migrate.errors import Refused, reason
from service.migrate.operations.step import Step
from service.migrate.run.locking import blockers
from service.migrate.run.locking.blockers import Session
from service.migrate.run.locking.limits import Tries
from service.migrate.run.locking.waiting import pause
from service.migrate.run.session import Turn

_LAG_PAUSE_SECONDS = 0.2


def give_way(turn: Turn, tries: Tries, failure: DBAPIError, find: Callable[[], list[Session]]) -> None:
    """Return when another try is worth it; `find` tells who may be in the way.

    Raises:
        Refused: it would only fail again, or the deadline is over.
    """
    tries.end()
    if turn.inside:
        raise failure
    found = cure(failure)
    if found is Cure.RECONNECT:
        raise Refused(
            f"{tries.revision}: lost the database while it was to {tries.title}: {reason(failure)}. Run it again."
        ) from failure
    if found is not Cure.AGAIN:
        raise Refused(f"{tries.revision}: cannot {tries.title}: {reason(failure)}.") from failure
    tries.fail()
    # SQLite names nobody.
    others = "another writer" if turn.dialect == "sqlite" else blockers.listed(_found(turn, find))
    seconds = tries.pause_seconds()
    if tries.seconds_left < seconds:
        told = others or "nobody that is still there"
        raise Refused(f"{_given_up(tries)}; in the way: {told}. Run it again.") from failure
    if others and not tries.told:
        tries.told = True
        turn.report(f"{tries.revision}: waits to {tries.title}; in the way: {others}.")
    pause(turn.connection, seconds)


def write_down(turn: Turn, revision: str, what: str, write: Callable[[], object]) -> None:
    """Write into the ledger, in a transaction of its own, as soon as others let it.

    Raises:
        Refused: they did not before the deadline; or another migrator took over.
    """
    tries = turn.tries(revision, what)
    while True:
        tries.begin()
        try:
            with turn.writing():
                write()
        except DBAPIError as failure:
            give_way(turn, tries, failure, list)
        else:
            return


def look_ahead(turn: Turn, tries: Tries, step: Step) -> None:
    """Before the step waits: tell of transactions that it may have to wait for; and wait for replicas, if it matters.

    Raises:
        Refused: a replica was still behind at the deadline.
    """
    if step.alone or step.lock.keeps_requests_waiting:
        wait_for_replicas(turn, tries)
    found = _found(turn, lambda: blockers.long_transactions(turn.connection, step))
    if long := [each for each in found if turn.is_new(each.pid)]:
        told = f"may have to wait, to {tries.title}, for transactions that are open for long"
        turn.report(f"{tries.revision}: {told}: {blockers.listed(long)}.")


def wait_for_replicas(turn: Turn, tries: Tries) -> None:
    """Return when no replica is far behind: what is sent there waits behind whoever reads, and others behind it.

    Raises:
        Refused: one still was at the deadline.
    """
    while not turn.inside and turn.dialect == "postgresql":
        with turn.reading():
            behind = blockers.lagging_replicas(turn.connection, turn.patience.lag_seconds)
        if not behind:
            return
        told = ", ".join(f"{each.name} ({each.lag:.1f} s)" for each in behind)
        if tries.seconds_left < 0:
            raise Refused(f"{_given_up(tries)}; replicas that are behind: {told}. Run it again.")
        if [each for each in behind if turn.is_new(each.name)]:
            turn.report(f"{tries.revision}: waits to {tries.title}; replicas that are behind: {told}.")
        pause(turn.connection, _LAG_PAUSE_SECONDS)


def _given_up(tries: Tries) -> str:
    tried = f", {counted(tries.attempts, 'try', 'tries')}" if tries.attempts else ""
    return f"{tries.revision}: could not {tries.title} in {counted(tries.deadline_seconds, 'second')}{tried}"


def _found(turn: Turn, find: Callable[[], list[Session]]) -> list[Session]:
    if turn.inside or turn.dialect != "postgresql":
        return []
    with turn.reading():
        return find()
