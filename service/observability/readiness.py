"""Whether requests can be served from a database: it answers, and its schema is one that this code works with."""

from sqlalchemy.ext.asyncio import AsyncEngine

from service.db import failures
from service.errors import Unavailable
from service.migrate.errors import Refused
from service.migrate.state import compatibility
from service.migrate.state.compatibility import Compatibility, Standing
from service.schema_range import SUPPORTED

_RETRY_SECONDS = 5


async def check(engine: AsyncEngine) -> tuple[str, Compatibility]:
    """The database's revision, and whether this code works with it.

    Raises:
        Unavailable: this code cannot serve from it; the message names the command that helps.
    """
    try:
        standing = await _standing(engine)
    except Refused as failure:
        raise Unavailable(str(failure), retry_after_seconds=_RETRY_SECONDS) from failure
    if not standing.compatibility.works:
        raise _unready(standing)
    if unfilled := await compatibility.unfilled(engine, SUPPORTED):
        message = f"Rows are still to be filled for {', '.join(unfilled)}: run `roster db backfill`."
        raise Unavailable(message, retry_after_seconds=_RETRY_SECONDS)
    return " ".join(standing.heads), standing.compatibility


async def migrated(engine: AsyncEngine) -> Standing:
    """Where the database stands; raises Unavailable where nothing was ever migrated."""
    standing = await _standing(engine)
    if standing.compatibility is Compatibility.EMPTY:
        raise _unready(standing)
    return standing


async def _standing(engine: AsyncEngine) -> Standing:
    """Where the database stands; a connection that was lost since the last question is opened anew, once."""
    try:
        return await compatibility.check(engine, SUPPORTED)
    except Exception as failure:
        if failures.cure(failure) is not failures.Cure.RECONNECT:
            raise
    return await compatibility.check(engine, SUPPORTED)


def _unready(standing: Standing) -> Unavailable:
    return Unavailable(standing.why, retry_after_seconds=_RETRY_SECONDS)
