"""Sessions over HTTP."""

from datetime import timedelta
from typing import Any

import msgspec
from litestar import Request, Router
from sqlalchemy.ext.asyncio import AsyncSession

from service.errors import NotFound, Unauthenticated
from service.http.answers import Answer
from service.http.auth.actors import Actor
from service.http.auth.cookies import NO_SESSION_COOKIE, is_secure, session_cookie
from service.http.auth.permissions import ANYONE, PUBLIC
from service.http.unit import performs, writes
from service.sessions import actions, schemas
from service.sessions.actions import Entered
from service.settings import Settings

_encode = msgspec.json.Encoder().encode
_UNSTORED = (b"cache-control", b"no-store")


@performs(
    "POST",
    "/",
    permission=PUBLIC,
    summary="Log in",
    status=201,
    result=schemas.Session,
    problems=(401, 429, 503),
)
async def create_session(request: Request[Any, Any, Any], body: schemas.SessionCreate) -> Answer:
    """Exchange an email and a password for a token. Every attempt is in the login history.

    An email that nobody has gets the same answer, after the same time, as a wrong password. After 5 failures in 15
    minutes an account is closed to the client for as long as `Retry-After` says.
    """
    settings: Settings = request.app.state["settings"]
    lifetime = timedelta(hours=settings.session_hours)
    attempt = actions.attempt_of(request, body.email)
    result = await actions.doorkeeper_of(request).log_in(attempt, body.password, lifetime)
    actions.count(request, result)
    actions.refuse_throttled(result)
    if result.value is None:
        raise Unauthenticated("The email or the password is wrong.")
    return _created(request.scope, result.value, lifetime, by_cookie=body.cookie)


@writes("DELETE", "/current", permission=ANYONE, summary="Log out", status=204, problems=(404,))
async def delete_session(session: AsyncSession, actor: Actor) -> Answer:
    """End the session of this request; its token is refused from now on, and the cookie is removed."""
    if actor.kind != "session" or actor.token_id is None:
        raise NotFound("This request has no session: its token was not given by a login. Revoke a token by its id.")
    await actions.end(session, actor.token_id)
    return Answer(status=204, headers=(NO_SESSION_COOKIE,))


def _created(scope: Any, entered: Entered, lifetime: timedelta, *, by_cookie: bool) -> Answer:
    expires_at = entered.expires_at
    assert expires_at is not None  # noqa: S101 - a session is issued with a lifetime
    document = schemas.Session(
        token=None if by_cookie else entered.text, token_id=entered.id, user_id=entered.user_id, expires_at=expires_at
    )
    headers = [_UNSTORED, (b"location", b"/v1/sessions/current")]
    if by_cookie:
        headers.append(session_cookie(entered.text, int(lifetime.total_seconds()), secure=is_secure(scope)))
    return Answer(_encode(document), status=201, headers=headers)


router = Router("/v1/sessions", route_handlers=[create_session, delete_session])
