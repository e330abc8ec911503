"""Checks of the database before the server starts: an unusable path, a schema that needs a command."""

import asyncio
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import URL

from service.db.engine import Limits, Purpose, create_engine
from service.db.urls import parse_url, sqlite_file
from service.errors import CannotStart, Unavailable
from service.migrate.errors import Refused, refusing
from service.migrate.run.locking.waiting import disposed
from service.migrate.state.compatibility import Compatibility
from service.observability import readiness
from service.settings import Settings

_ANSWER_SECONDS = 5.0
_SQLITE_MAGIC = b"SQLite format 3\0"


def check_file(settings: Settings) -> None:
    """Return if the database is PostgreSQL, or a SQLite file that exists or can be created.

    Raises:
        Misconfigured: the URL cannot be parsed.
        CannotStart: the path cannot be a SQLite database; the message says why.
    """
    url = parse_url(settings.database_url)
    if url.get_backend_name() != "sqlite":
        return
    file = sqlite_file(url)
    try:
        _check_path(file)
    except OSError as error:
        message = (
            f"The SQLite file {file} cannot be read: {error.strerror}. Give its user access, or name another file."
        )
        raise CannotStart(message) from error


def warnings(settings: Settings) -> list[str]:
    """Return the problems that make requests fail now, each with its remedy."""
    url = parse_url(settings.database_url)
    found = list(_rights(url))
    try:
        if asyncio.run(_ask(url, settings)) is Compatibility.AHEAD:
            found.append("The schema is newer than this code: a newer version upgraded it. This version works with it.")
    except Unavailable as failure:
        found.append(f"{failure} Until then requests are answered with 503.")
    except Refused as failure:
        found.append(f"{failure} Until then requests are answered with 503.")
    return found


async def _ask(url: URL, settings: Settings) -> Compatibility:
    limits = Limits(statement_seconds=_ANSWER_SECONDS, busy_seconds=_ANSWER_SECONDS, pool_size=1)
    engine = create_engine(url, Purpose.READ, limits=limits, pooler=settings.pooler)
    with refusing(url):
        async with disposed(engine), asyncio.timeout(_ANSWER_SECONDS):
            _, compatibility = await readiness.check(engine)
            return compatibility


def _check_path(file: Path) -> None:
    if not file.parent.is_dir():
        raise CannotStart(
            f"The folder {file.parent} of the SQLite file {file.name} does not exist: `mkdir -p {file.parent}`."
        )
    if not file.exists():
        return
    mode = file.stat().st_mode
    if stat.S_ISDIR(mode):
        raise CannotStart(f"{file} is a folder; name a file in it: ROSTER_DATABASE_URL=sqlite:///{file}/roster.db.")
    if not stat.S_ISREG(mode):
        raise CannotStart(f"{file} is not a regular file; a SQLite database is one. Name another file.")
    with file.open("rb") as opened:
        magic = opened.read(len(_SQLITE_MAGIC))
    # An empty file is an empty database.
    if magic and magic != _SQLITE_MAGIC:
        raise CannotStart(f"{file} is not a SQLite database; its content is something else. Name another file.")


def _rights(url: URL) -> Iterator[str]:
    if url.get_backend_name() != "sqlite":
        return
    file = sqlite_file(url)
    # SQLite keeps its journal (roster.db-wal, roster.db-shm) beside the file.
    for path in (file, file.parent):
        if path.exists() and not os.access(path, os.W_OK):
            yield f"{path} cannot be written by this user: requests that write are answered with 503."
