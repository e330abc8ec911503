"""Whether requests can be served from a database: it answers, and its schema is one that this code works with."""

from sqlalchemy.ext.asyncio import AsyncEngine

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
    revisions = await compatibility.heads(engine)
    place = compatibility.place(revisions)
    if not place.works:
        raise Unavailable(_NOT_READY[place], retry_after_seconds=_RETRY_SECONDS)
    if unfilled := await compatibility.unfilled(engine):
        message = f"Rows are still to be filled for {', '.join(unfilled)}: run `roster db backfill`."
        raise Unavailable(message, retry_after_seconds=_RETRY_SECONDS)
    return revisions[0], place
