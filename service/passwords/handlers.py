"""Passwords over HTTP."""

from typing import Any

import msgspec
from litestar import Request, Router
from sqlalchemy.ext.asyncio import AsyncSession

from service.db.database import Database
from service.http.answers import Answer, header
from service.http.audits import audit_of
from service.http.auth.actors import Actor
from service.http.auth.cookies import is_secure
from service.http.auth.permissions import ANYONE, PUBLIC
from service.http.unit import performs
from service.password_hashing.pool import Passwords
from service.passwords import actions, schemas

_encode = msgspec.json.Encoder().encode


@performs(
    "PUT",
    "/v1/me/password",
    permission=ANYONE,
    summary="Change one's own password",
    status=204,
    problems=(403, 404, 409, 429, 503),
)
async def put_own_password(request: Request[Any, Any, Any], actor: Actor, body: schemas.OwnPasswordUpdate) -> None:
    """Change the caller's password; their other sessions end. A wrong current password counts as a failed login."""
    actions.check_strength(body.new_password)
    await actions.change_own(request, actor, body)


@performs(
    "PUT", "/v1/users/{user_id}/password", permission="users.write", summary="Set the password of a user", status=204
)
async def put_password(
    request: Request[Any, Any, Any], actor: Actor, user_id: int, body: schemas.PasswordUpdate
) -> None:
    """Set a user's password; their sessions end. It needs every permission that the user has."""
    actions.check_strength(body.new_password)
    password_hash = await _passwords(request).hash(body.new_password)

    async def work(session: AsyncSession) -> None:
        await actions.check_other(session, actor, user_id)
        await actions.set_password(session, user_id, password_hash)

    await _database(request).units.run(work, audit=audit_of(request.scope, "api"))


@performs(
    "POST",
    "/v1/users/{user_id}/password-links",
    permission="users.write",
    summary="Create a password link",
    status=201,
    result=schemas.PasswordLink,
)
async def create_password_link(request: Request[Any, Any, Any], actor: Actor, user_id: int) -> Answer:
    """Create a link by which the user sets a password once, within 24 hours, without knowing the current one.

    It takes the place of an earlier link. It needs every permission that the user has.
    """

    async def work(session: AsyncSession) -> Answer:
        await actions.check_other(session, actor, user_id)
        issued = await actions.make_link(session, user_id, actor.permissions)
        headers = [(b"cache-control", b"no-store"), (b"location", f"/v1/tokens/{issued.id}".encode())]
        return Answer(_encode(actions.shown(issued, _base(request.scope))), status=201, headers=headers)

    return await _database(request).units.run(work, audit=audit_of(request.scope, "api"))


@performs(
    "POST",
    "/v1/password-links",
    permission=PUBLIC,
    summary="Use a password link",
    status=204,
    problems=(503,),
)
async def use_password_link(request: Request[Any, Any, Any], body: schemas.PasswordLinkUse) -> None:
    """Set the password of the user whom the link was made for; it works once, and their sessions end."""
    await actions.use_link(request, body)


def _database(request: Request[Any, Any, Any]) -> Database:
    database: Database = request.app.state["database"]
    return database


def _passwords(request: Request[Any, Any, Any]) -> Passwords:
    passwords: Passwords = request.app.state["passwords"]
    return passwords


def _base(scope: Any) -> str:
    scheme = "https" if is_secure(scope) else "http"
    return f"{scheme}://{header(scope, b'host')}"


router = Router("/", route_handlers=[put_own_password, put_password, create_password_link, use_password_link])
