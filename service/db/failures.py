"""What a failure of the database means for the work that met it, told by sqlstate and driver."""

import asyncio
import random
from collections.abc import Iterator
from enum import Enum, auto
from time import monotonic

import asyncpg
from sqlalchemy import exc as sa
from sqlalchemy.orm.exc import StaleDataError

from service.errors import Unavailable

_FIRST_PAUSE_SECONDS = 0.01
_LONGEST_PAUSE_SECONDS = 0.5


class Cure(Enum):
    """What makes the same work succeed at a second try."""

    AGAIN = auto()
    RECONNECT = auto()
    LATER = auto()


# https://www.postgresql.org/docs/current/errcodes-appendix.html
_BY_SQLSTATE = {
    "40001": Cure.AGAIN,  # serialization_failure
    "40P01": Cure.AGAIN,  # deadlock_detected
    "55P03": Cure.AGAIN,  # lock_not_available
    "53300": Cure.AGAIN,  # too_many_connections
    "57P01": Cure.RECONNECT,  # admin_shutdown
    "57P02": Cure.RECONNECT,  # crash_shutdown
    "57P03": Cure.RECONNECT,  # cannot_connect_now
    "57P05": Cure.RECONNECT,  # idle_session_timeout
    "25P03": Cure.RECONNECT,  # idle_in_transaction_session_timeout
    "25P02": Cure.RECONNECT,  # in_failed_sql_transaction: the first failure was lost on the way
    "25006": Cure.RECONNECT,  # read_only_sql_transaction: the primary became a standby
    "28000": Cure.LATER,  # invalid_authorization_specification
    "28P01": Cure.LATER,  # invalid_password
    "3D000": Cure.LATER,  # invalid_catalog_name
    "57014": Cure.LATER,  # query_canceled, by statement_timeout
    "53100": Cure.LATER,  # disk_full
    "53200": Cure.LATER,  # out_of_memory
}
# https://www.sqlite.org/rescode.html, the primary codes
_BY_SQLITE_CODE = {
    5: Cure.AGAIN,  # SQLITE_BUSY
    6: Cure.AGAIN,  # SQLITE_LOCKED
    17: Cure.AGAIN,  # SQLITE_SCHEMA
    8: Cure.LATER,  # SQLITE_READONLY
    10: Cure.LATER,  # SQLITE_IOERR
    13: Cure.LATER,  # SQLITE_FULL
    14: Cure.LATER,  # SQLITE_CANTOPEN
}
_LOST = (asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, EOFError, asyncio.InvalidStateError)
_STALE_PLANS = ("cached statement plan is invalid", "cached plan must not change result type", "cache lookup failed")


def causes(failure: BaseException) -> Iterator[BaseException]:
    """Yield the failure and what it came from, SQLAlchemy's wrapping first, the driver's own error last."""
    seen: BaseException | None = failure
    while seen is not None:
        yield seen
        seen = getattr(seen, "orig", None) or seen.__cause__


def sqlstate(failure: BaseException) -> str | None:
    """Return PostgreSQL's five characters, wherever in the chain the driver left them."""
    return next((state for each in causes(failure) if (state := getattr(each, "sqlstate", None))), None)


def cure(failure: BaseException) -> Cure | None:
    """Return what would cure this failure; `None` when it would only happen again."""
    if isinstance(failure, StaleDataError):
        return Cure.AGAIN
    if isinstance(failure, sa.TimeoutError):
        return Cure.LATER
    for each in causes(failure):
        if found := _cure_of_one(each):
            return found
    return None


def _cure_of_one(failure: BaseException) -> Cure | None:
    if isinstance(failure, asyncpg.OutdatedSchemaCacheError):
        return Cure.RECONNECT
    if state := getattr(failure, "sqlstate", None):
        return _cure_by_sqlstate(state, str(failure))
    if code := getattr(failure, "sqlite_errorcode", None):
        return _BY_SQLITE_CODE.get(code & 0xFF)
    # asyncpg's DataError is an InterfaceError too: an argument that will not fit a second time either.
    fits = not isinstance(failure, ValueError)
    return Cure.RECONNECT if isinstance(failure, _LOST) and fits else None


def _cure_by_sqlstate(state: str, message: str) -> Cure | None:
    if state in _BY_SQLSTATE:
        return _BY_SQLSTATE[state]
    stale = any(text in message for text in _STALE_PLANS)
    return Cure.RECONNECT if stale or state.startswith("08") else None


class Patience:
    """The tries that one piece of work has, up to a deadline, with jittered pauses between them."""

    def __init__(self, seconds: float) -> None:
        self._deadline = monotonic() + seconds
        self._pause = _FIRST_PAUSE_SECONDS

    async def wait_for_cure(self, failure: Exception) -> Cure:
        """Return when the work is worth another try.

        Raises:
            Unavailable: the time is up, or only time will help.
            Exception: the failure itself, when no second try cures it.
        """
        found = cure(failure)
        if found is None:
            raise failure
        if found is Cure.LATER or monotonic() + self._pause > self._deadline:
            raise Unavailable(_sentence(failure)) from failure
        await asyncio.sleep(self._pause * random.uniform(0.5, 1.5))
        self._pause = min(self._pause * 2, _LONGEST_PAUSE_SECONDS)
        return found


def _sentence(failure: Exception) -> str:
    if isinstance(failure, sa.TimeoutError):
        return "All connections to the database are busy."
    if sqlstate(failure) == "57014":
        return "The database took too long over this."
    return "The database cannot answer now."
