"""Refusals: why a migration was not done, as one sentence with the cure."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
from alembic.script.revision import MultipleHeads, ResolutionError, RevisionError
from alembic.util import CommandError
from sqlalchemy import URL
from sqlalchemy.exc import SQLAlchemyError

from service.db.failures import causes, sqlstate
from service.db.urls import place
from service.migrate import naming

_UNIQUE = "23505"


class Refused(CommandError):
    """The migration was not done; Alembic's program prints the sentence without a traceback."""


class Unknown(Refused):
    """The project has no such revision."""


class Unusable(Refused):
    """An argument, a setting or a URL cannot be used; misuse rather than a finding."""


@contextmanager
def refusing(url: URL | Callable[[], URL]) -> Iterator[None]:
    """Convert errors of Alembic, the drivers and the network into Refused; `url` names the database in the sentence."""
    try:
        yield
    except Refused:
        raise
    except CommandError as error:
        raise _of_alembic(error) from error
    except (SQLAlchemyError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
        # PgBouncer refuses a connection that asks for parameters it cannot keep.
        if "unsupported startup parameter" in reason(error):
            raise through_a_pooler() from error
        where = url if isinstance(url, URL) else url()
        raise Refused(f"{place(where)} cannot be used: {reason(error)}.{_cure(where, error)}") from error


_CURES = {
    "28P01": "Correct the user or the password in {setting}",
    "28000": "Correct the user in {setting}, or allow the user in pg_hba.conf",
    "3D000": "Create it with `createdb`, or name another in {setting}",
    "42501": "Use the role that owns the tables, or grant this role the privileges",
    "53300": "Close other connections, or raise max_connections",
}
# PostgreSQL's words where `row_security` is off and a policy would hide rows.
_HIDDEN_ROWS = "would be affected by row-level security policy"
_SEES_ALL = (
    "the migrating role does not see every row. Use a role with BYPASSRLS, or the owner of a table without FORCE ROW "
    "LEVEL SECURITY"
)
_SQLITE_CURES = {
    "readonly": "Let this account write to the file and to its folder, where SQLite keeps its journal",
    "not a database": "Name another file in {setting}",
    "is locked": "Stop the program that writes to the file, or wait until it ends",
}


def _cure(url: URL, error: BaseException) -> str:
    """The cure as one more sentence; empty where none is known."""
    if url.get_backend_name() == "sqlite":
        found = _cure_of_file(Path(url.database or ""), reason(error))
    elif isinstance(error, OSError):
        found = "Start PostgreSQL, or correct the host and the port in {setting}"
    elif _HIDDEN_ROWS in reason(error):
        found = ""
    else:
        found = _CURES.get(sqlstate(error) or "", "")
    return f" {found.format(setting=naming.current().database_setting)}." if found else ""


def _cure_of_file(file: Path, message: str) -> str:
    if "unable to open" in message:
        if file.is_dir():
            return "" if "folder" in message else "It is a folder: name a file in it"
        if not file.parent.exists():
            return f"Create the folder {file.parent}, or name another in {naming.current().database_setting}"
        return _SQLITE_CURES["readonly"]
    return next((cure for words, cure in _SQLITE_CURES.items() if words in message), "")


def _of_alembic(error: CommandError) -> Refused:
    cause = error.__cause__
    if isinstance(cause, MultipleHeads):
        return two_heads(cause.heads)
    sentence = str(error).rstrip(".")
    if sentence == "Target database is not up to date":
        return Refused(
            "The database lacks some revisions, so a draft would repeat their changes: run "
            f"{naming.command('upgrade')}, then draft again."
        )
    if isinstance(cause, ResolutionError) and str(cause).startswith("Multiple revisions start with"):
        ids = ", ".join(re.findall(r"'([^']*)'", str(cause))[1:])
        return Unknown(f"{cause.argument} begins the ids of several revisions: {ids}. Write one of them in full.")
    if isinstance(cause, RevisionError) and sentence == "Ambiguous walk":
        return Unknown(
            "A relative step is ambiguous at a merge, which has several parents. Name the revision to go to; one of "
            f"the parents undoes the merge alone. {naming.command('history')} lists the revisions there are."
        )
    if isinstance(cause, RevisionError):
        return Unknown(f"{sentence}. {naming.command('history')} lists the revisions there are.")
    return Refused(f"{sentence}.")


def two_heads(heads: object) -> Refused:
    names = " and ".join(sorted(heads)) if isinstance(heads, (tuple, list, set, frozenset)) else str(heads)
    return Refused(f"The revisions have more than one head, {names}. Join them with `alembic merge heads`.")


def through_a_pooler() -> Refused:
    return Refused(
        "The URL leads through a connection pooler, which keeps neither locks nor sessions. "
        f"Set {naming.current().migrate_setting} to a direct URL of PostgreSQL."
    )


def is_denied(error: BaseException) -> bool:
    """Whether the role lacks a privilege, or would not see every row."""
    return sqlstate(error) == "42501"


def reason(error: BaseException) -> str:
    """The driver's message, in one line without a full stop."""
    last = list(causes(error))[-1]
    message = (str(last) or type(last).__name__).splitlines()[0].rstrip(".")
    # The values that violate a unique constraint.
    if (detail := getattr(last, "detail", None)) and sqlstate(error) == _UNIQUE:
        message = f"{message}: {detail.rstrip('.')}"
    return f"{message}: {_SEES_ALL}" if _HIDDEN_ROWS in message else message
