"""What `roster serve` warns of before it starts: a schema that needs a command, files that it cannot write."""

import asyncio
import os
from collections.abc import Iterator

from sqlalchemy import URL

from service.db.engine import Limits, Purpose, create_engine
from service.db.urls import parse_url, sqlite_file
from service.errors import Unavailable
from service.migrate.errors import Refused, refusing
from service.migrate.run.locking.waiting import disposed
from service.migrate.state.compatibility import Compatibility
from service.observability import readiness
from service.settings import Settings

_ANSWER_SECONDS = 5.0


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


def _rights(url: URL) -> Iterator[str]:
    if url.get_backend_name() != "sqlite":
        return
    file = sqlite_file(url)
    # SQLite keeps its journal (roster.db-wal, roster.db-shm) beside the file.
    for path in (file, file.parent):
        if path.exists() and not os.access(path, os.W_OK):
            yield f"{path} cannot be written by this user: requests that write are answered with 503."
