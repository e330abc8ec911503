"""Preferences over HTTP."""

from litestar import Router
from sqlalchemy.ext.asyncio import AsyncSession

from service.db.reader import Reader
from service.http.auth.actors import Actor
from service.http.auth.permissions import ANYONE
from service.http.etags import Conditions
from service.http.json_objects import JsonObject
from service.http.rendering import Text
from service.http.unit import reads, writes
from service.preferences import actions

_PATH = "/v1/users/{user_id}/preferences"
_OWN = "/v1/me/preferences"


@reads(_PATH, permission="users.read", summary="Read the preferences of a user", result=JsonObject)
async def get_user_preferences(reader: Reader, user_id: int) -> Text:
    """One JSON object of at most 16 KiB, empty until it is set; numbers are kept as they were written."""
    return await actions.read(reader, user_id)


@writes("PUT", _PATH, permission="users.write", summary="Replace the preferences of a user", result=JsonObject)
async def put_user_preferences(session: AsyncSession, user_id: int, conditions: Conditions, body: JsonObject) -> Text:
    """Names have at most 100 characters, and objects and arrays at most 8 levels."""
    return await actions.replace(session, user_id, conditions, body)


@writes("PATCH", _PATH, permission="users.write", summary="Change the preferences of a user", result=JsonObject)
async def update_user_preferences(
    session: AsyncSession, user_id: int, conditions: Conditions, body: JsonObject
) -> Text:
    """A merge patch (RFC 7396): null removes a member, also inside of objects; an array is replaced as a whole."""
    return await actions.merge(session, user_id, conditions, body)


@reads(_OWN, permission=ANYONE, summary="Read one's own preferences", result=JsonObject, problems=(403,))
async def get_own_preferences(reader: Reader, actor: Actor) -> Text:
    """The preferences of the user of the token."""
    return await actions.read(reader, actor.require_user())


@writes("PUT", _OWN, permission=ANYONE, summary="Replace one's own preferences", result=JsonObject, problems=(403,))
async def put_own_preferences(session: AsyncSession, actor: Actor, conditions: Conditions, body: JsonObject) -> Text:
    """Names have at most 100 characters, and objects and arrays at most 8 levels."""
    return await actions.replace(session, actor.require_user(), conditions, body)


@writes("PATCH", _OWN, permission=ANYONE, summary="Change one's own preferences", result=JsonObject, problems=(403,))
async def update_own_preferences(session: AsyncSession, actor: Actor, conditions: Conditions, body: JsonObject) -> Text:
    """A merge patch (RFC 7396): null removes a member, also inside of objects; an array is replaced as a whole."""
    return await actions.merge(session, actor.require_user(), conditions, body)


router = Router(
    "/",
    route_handlers=[
        get_user_preferences,
        put_user_preferences,
        update_user_preferences,
        get_own_preferences,
        put_own_preferences,
        update_own_preferences,
    ],
)
