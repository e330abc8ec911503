"""Classification of database errors, by sqlstate and by driver: retry, reconnect, or 503."""

import asyncio
import re
import sqlite3
from collections.abc import Iterator
from enum import Enum, auto

import asyncpg
from sqlalchemy import exc as sa
from sqlalchemy.orm.exc import StaleDataError

from service.db import program
from service.db.backoff import Backoff
from service.db.sqlite.file import FileReplaced, FileUnusable
from service.errors import Unavailable

_FIRST_PAUSE_SECONDS = 0.01
_LONGEST_PAUSE_SECONDS = 0.5


class Cure(Enum):
    """What makes a retry of the same work succeed."""

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
    "3F000": Cure.LATER,  # invalid_schema_name
    "42P01": Cure.LATER,  # undefined_table
    "42703": Cure.LATER,  # undefined_column
    "42501": Cure.LATER,  # insufficient_privilege
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
    11: Cure.LATER,  # SQLITE_CORRUPT
    13: Cure.LATER,  # SQLITE_FULL
    14: Cure.LATER,  # SQLITE_CANTOPEN
    26: Cure.LATER,  # SQLITE_NOTADB
}
_SQLITE_ERROR = 1
_NO_SUCH_THING = re.compile(r"no such (table|column)|table .* has no column named")
_LOST = (asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, EOFError, asyncio.InvalidStateError)
_STALE_PLANS = ("cached statement plan is invalid", "cached plan must not change result type", "cache lookup failed")


def causes(failure: BaseException) -> Iterator[BaseException]:
    """Yield the failure and its causes, SQLAlchemy's error first, the driver's error last."""
    seen: BaseException | None = failure
    while seen is not None:
        yield seen
        seen = getattr(seen, "orig", None) or seen.__cause__


def sqlstate(failure: BaseException) -> str | None:
    """Return PostgreSQL's five characters, wherever in the chain the driver left them."""
    return next((state for each in causes(failure) if (state := getattr(each, "sqlstate", None))), None)


def cure(failure: BaseException) -> Cure | None:
    """Return the cure of this failure; `None` when a retry would fail again."""
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
    if isinstance(failure, FileReplaced):
        return Cure.RECONNECT
    if isinstance(failure, FileUnusable) or _lacks_schema_on_sqlite(failure):
        return Cure.LATER
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


class Retries:
    """The attempts at one piece of work, up to a deadline, with backoff between them."""

    def __init__(self, seconds: float) -> None:
        self._backoff = Backoff(first=_FIRST_PAUSE_SECONDS, longest=_LONGEST_PAUSE_SECONDS, deadline_seconds=seconds)

    async def wait_for_cure(self, failure: Exception) -> Cure:
        """Return when the work is worth another attempt.

        Raises:
            Unavailable: the time is up, or only time will help.
            Exception: the failure itself, when no second try cures it.
        """
        found = cure(failure)
        if found is None:
            raise failure
        pause = self._backoff.pause()
        if found is Cure.LATER or pause > self._backoff.seconds_left:
            raise unavailable(failure) from failure
        await asyncio.sleep(pause)
        return found


_CANNOT_ANSWER = "The database cannot answer now."
_SCHEMA = (
    "The schema of the database lacks a table or column that this version needs: run {upgrade} "
    "({status} shows its revision)."
)
_REFUSED = "The database refuses the user or the password of its URL."
_SENTENCES: dict[object, str] = {
    "57014": "The database took too long over this.",
    "3D000": "The database that the URL names does not exist: create it and run {upgrade}.",
    "28000": _REFUSED,
    "28P01": _REFUSED,
    "3F000": _SCHEMA,
    "42P01": _SCHEMA,
    "42703": _SCHEMA,
    "42501": "The database user may not do this: it lacks a privilege.",
    "53100": "The disk of the database is full.",
    sqlite3.SQLITE_READONLY: "The database file may not be written by the account that runs this.",
    sqlite3.SQLITE_CORRUPT: "The database file is damaged: restore it from a backup.",
    sqlite3.SQLITE_FULL: "The disk of the database is full.",
    sqlite3.SQLITE_NOTADB: "The database file is no SQLite database.",
}


def unavailable(failure: BaseException) -> Unavailable:
    """Return the error for the caller when no retry helps: the reason, and the cure."""
    if isinstance(failure, sa.TimeoutError):
        return Unavailable("All connections to the database are busy.")
    for each in causes(failure):
        if sentence := _reason(each):
            return Unavailable(sentence)
    return Unavailable(_CANNOT_ANSWER)


def _reason(failure: BaseException) -> str | None:
    if isinstance(failure, FileUnusable):
        return failure.detail
    if isinstance(failure, FileReplaced):
        return "The database file was deleted or replaced."
    if is_schema_missing(failure):
        return _with_commands(_SCHEMA)
    code = getattr(failure, "sqlite_errorcode", None)
    sentence = _SENTENCES.get(getattr(failure, "sqlstate", None) or (code and code & 0xFF))
    return _with_commands(sentence) if sentence else None


def _with_commands(sentence: str) -> str:
    run = program.current().run
    return sentence.format(upgrade=run("upgrade"), status=run("status"))


def is_schema_missing(failure: BaseException) -> bool:
    """Whether this very failure, not one of its causes, is a table or a column that is not there."""
    return getattr(failure, "sqlstate", None) in ("3F000", "42P01", "42703") or _lacks_schema_on_sqlite(failure)


def _lacks_schema_on_sqlite(failure: BaseException) -> bool:
    code = getattr(failure, "sqlite_errorcode", 0)
    return code == _SQLITE_ERROR and _NO_SUCH_THING.match(str(failure)) is not None
