"""Whether requests can be served from a database: it answers, and its schema is one that this code works with."""

from sqlalchemy.ext.asyncio import AsyncEngine

from service.db import failures
from service.errors import Unavailable
from service.migrate.state import compatibility
from service.migrate.state.compatibility import Place

_RETRY_SECONDS = 5
_NOT_READY = {
    Place.EMPTY: "The schema has not been made yet: run `roster db upgrade`.",
    Place.BEHIND: "The schema is older than this code works with: run `roster db upgrade`.",
    Place.SPLIT: "The schema is at two revisions at once: run `roster db current` and `roster db upgrade`.",
}


async def check(engine: AsyncEngine) -> tuple[str, Place]:
    """The database's revision, and its place seen from this code.

    Raises:
        Unavailable: this code cannot serve from it; the message names the command that helps.
    """
    revisions = await _heads(engine)
    place = compatibility.place(revisions)
    if not place.works:
        raise _unready(place)
    if unfilled := await compatibility.unfilled(engine):
        message = f"Rows are still to be filled for {', '.join(unfilled)}: run `roster db backfill`."
        raise Unavailable(message, retry_after_seconds=_RETRY_SECONDS)
    return revisions[0], place


async def migrated_heads(engine: AsyncEngine) -> tuple[str, ...]:
    """The rows of alembic_version; raises Unavailable where nothing was ever migrated."""
    revisions = await _heads(engine)
    if not revisions:
        raise _unready(Place.EMPTY)
    return revisions


async def _heads(engine: AsyncEngine) -> tuple[str, ...]:
    """The rows of alembic_version; a connection that was lost since the last question is opened anew, once."""
    try:
        return await compatibility.heads(engine)
    except Exception as failure:
        if failures.cure(failure) is not failures.Cure.RECONNECT:
            raise
    return await compatibility.heads(engine)


def _unready(place: Place) -> Unavailable:
    return Unavailable(_NOT_READY[place], retry_after_seconds=_RETRY_SECONDS)
