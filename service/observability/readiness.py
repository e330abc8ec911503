"""Whether requests can be served from a database: it answers, and its schema is one that this code works with."""

from sqlalchemy.ext.asyncio import AsyncEngine

from service.errors import Unavailable
from service.migrate import supported

_RETRY_SECONDS = 5
_NOT_READY = {
    supported.Place.EMPTY: "The schema has not been made yet: run `roster db upgrade`.",
    supported.Place.BEHIND: "The schema is older than this code works with: run `roster db upgrade`.",
    supported.Place.SPLIT: "The schema is at two revisions at once: run `roster db current` and `roster db upgrade`.",
}


async def check(engine: AsyncEngine) -> tuple[str, supported.Place]:
    """The database's revision, and its place seen from this code.

    Raises:
        Unavailable: this code cannot serve from it; the message names the command that helps.
    """
    revisions = await supported.heads(engine)
    place = supported.place(revisions)
    if not place.works:
        raise Unavailable(_NOT_READY[place], retry_after_seconds=_RETRY_SECONDS)
    if unfilled := await supported.unfilled(engine):
        message = f"Rows are still to be filled for {', '.join(unfilled)}: run `roster db backfill`."
        raise Unavailable(message, retry_after_seconds=_RETRY_SECONDS)
    return revisions[0], place
