"""Archives over HTTP."""

from typing import Any

from litestar import Request, Router
from litestar.types import ASGIApp

from service.archives import actions, schemas
from service.db.database import Database
from service.http.binding import NoParameters, read_id
from service.http.exports import Download
from service.http.parameters import Parameters
from service.http.unit import serves

_none = Parameters(NoParameters)


@serves(
    "GET",
    "/v1/users/{user_id}/archive",
    permission="users.erase",
    summary="Read everything that is held about a user",
    result=schemas.Archive,
    problems=(400, 404, 422, 503),
)
async def get_user_archive(request: Request[Any, Any, Any]) -> ASGIApp:
    """One document of any length: the user, preferences, tokens, recordings, logins, and events.

    `events` are the changes of the user, `acts` the changes that the user made. An error meanwhile closes the
    connection early, so a complete response is the whole archive.
    """
    user_id = read_id(request.scope["path_params"]["user_id"])
    _none.read(request.scope["query_string"])
    database: Database = request.app.state["database"]
    pieces = actions.pieces(database.reader, user_id)
    # The first piece is read before the status is sent, so a missing user is 404.
    first = await anext(pieces)
    return Download(f"user-{user_id}.json", "application/json", first, pieces)


router = Router("/", route_handlers=[get_user_archive])
