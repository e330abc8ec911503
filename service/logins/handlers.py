"""The login history over HTTP."""

from litestar import Router

from service.db.listing import Page
from service.db.reader import Reader
from service.errors import NotFound
from service.http.auth.actors import Actor
from service.http.auth.permissions import ANYONE
from service.http.unit import reads
from service.logins import actions, queries, schemas


@reads("/v1/logins", permission="logins.read", summary="List logins", result=schemas.LoginPage)
async def list_logins(reader: Reader, query: schemas.AllLoginParameters) -> Page[schemas.Login]:
    """Lists attempts to log in, the newest first."""
    return await actions.page_of(reader, query)


@reads(
    "/v1/users/{user_id}/logins", permission="logins.read", summary="List logins of a user", result=schemas.LoginPage
)
async def list_user_logins(reader: Reader, user_id: int, query: schemas.LoginParameters) -> Page[schemas.Login]:
    """Lists attempts to log in as this user, the newest first."""
    if await reader.first(queries.USER, id=user_id) is None:
        raise NotFound(f"There is no user {user_id}.")
    return await actions.page_of(reader, query, user_id=user_id)


@reads("/v1/me/logins", permission=ANYONE, summary="List one's own logins", result=schemas.LoginPage, problems=(403,))
async def list_own_logins(reader: Reader, actor: Actor, query: schemas.LoginParameters) -> Page[schemas.Login]:
    """Lists attempts to log in as the caller, the newest first."""
    return await actions.page_of(reader, query, user_id=actor.require_user())


router = Router("/", route_handlers=[list_logins, list_user_logins, list_own_logins])
