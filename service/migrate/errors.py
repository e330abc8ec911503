"""What stops a migration, as one sentence for a person."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
from alembic.script.revision import MultipleHeads, RevisionError
from alembic.util import CommandError
from sqlalchemy import URL
from sqlalchemy.exc import SQLAlchemyError

from service.db.failures import causes, sqlstate
from service.db.urls import place
from service.migrate import naming


class Refused(CommandError):
    """The migration was not done, and nothing of it was kept; `alembic` prints the sentence."""


class Unknown(Refused):
    """The revision asked for is none of ours."""


class Unusable(Refused):
    """A setting, the URL, or the name of a file leads nowhere."""


@contextmanager
def told(url: URL | Callable[[], URL]) -> Iterator[None]:
    """Turn what Alembic, the drivers and the network raise into Refused, with the cause behind it."""
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
    "28000": "Correct the user in {setting}, or let it in in pg_hba.conf",
    "3D000": "Create it with `createdb`, or name another in {setting}",
    "42501": "Use the role that owns the tables, or give this one its privileges",
    "53300": "Wait until others have closed theirs, or raise max_connections",
}
_SQLITE_CURES = {
    "readonly": "Let this account write to the file and to its folder, where SQLite keeps its journal",
    "not a database": "Name another file in {setting}",
    "is locked": "Stop the program that writes to it, or wait for that",
}


def _cure(url: URL, error: BaseException) -> str:
    """What helps, as one more sentence; empty where that is not known."""
    if url.get_backend_name() == "sqlite":
        found = _cure_of_file(Path(url.database or ""), reason(error))
    elif isinstance(error, OSError):
        found = "Start PostgreSQL, or correct the host and the port in {setting}"
    else:
        found = _CURES.get(sqlstate(error) or "", "")
    return f" {found.format(setting=naming.current().database_setting)}." if found else ""


def _cure_of_file(file: Path, told: str) -> str:
    if "unable to open" in told:
        if file.is_dir():
            return "" if "folder" in told else "It is a folder: name a file in it"
        if not file.parent.exists():
            return f"Create the folder {file.parent}, or name another in {naming.current().database_setting}"
        return _SQLITE_CURES["readonly"]
    return next((cure for words, cure in _SQLITE_CURES.items() if words in told), "")


def _of_alembic(error: CommandError) -> Refused:
    cause = error.__cause__
    if isinstance(cause, MultipleHeads):
        return two_heads(cause.heads)
    sentence = str(error).rstrip(".")
    if sentence == "Target database is not up to date":
        return Refused(
            "The database has not all revisions yet, so that a draft would take what they do for changes: run "
            f"{naming.command('upgrade')}, then draft again."
        )
    if isinstance(cause, RevisionError):
        return Unknown(f"{sentence}. {naming.command('history')} lists the revisions there are.")
    return Refused(f"{sentence}.")


def two_heads(heads: object) -> Refused:
    names = " and ".join(sorted(heads)) if isinstance(heads, (tuple, list, set, frozenset)) else str(heads)
    return Refused(f"The revisions have more than one head, {names}. Join them with `alembic merge heads`.")


def through_a_pooler() -> Refused:
    return Refused(
        "This URL leads through a pooler, which keeps neither locks nor sessions. "
        f"Say in {naming.current().migrate_setting} where PostgreSQL itself is, for migrations."
    )


def reason(error: BaseException) -> str:
    """What the driver said, in one line without a full stop."""
    last = list(causes(error))[-1]
    return (str(last) or type(last).__name__).splitlines()[0].rstrip(".")
