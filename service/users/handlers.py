"""Users over HTTP."""

from typing import Literal, cast

import msgspec
from litestar import Router
from msgspec import UNSET
from sqlalchemy.ext.asyncio import AsyncSession

from service.db.listing import Page
from service.db.reader import Reader
from service.db.rows import get_for_update, insert_one, read_for_update, update_one
from service.errors import NotFound
from service.http.answers import Answer
from service.http.auth.actors import Actor
from service.http.auth.admins import keep_an_admin
from service.http.auth.permissions import ANYONE
from service.http.auth.rank import check_rank
from service.http.etags import Conditions
from service.http.exports import exporting
from service.http.imports import importing
from service.http.unit import keeps_access, reads, writes
from service.http.wire import sent
from service.models import User
from service.users import actions, queries, schemas, transfer


@reads("/", permission="users.read", summary="List users", result=schemas.UserPage)
async def list_users(reader: Reader, query: schemas.UserParameters) -> Page[schemas.User]:
    return await queries.USERS.page(reader, query)


@writes("POST", "/", permission="users.write", summary="Create a user", status=201, idempotent=True)
# A new user has no token and no role.
@keeps_access(lambda **_: True)
async def create_user(session: AsyncSession, body: schemas.UserCreate) -> schemas.User:
    return await insert_one(session, User, sent(body), schemas.User)


@reads("/{user_id}", permission="users.read", summary="Read a user")
async def get_user(reader: Reader, user_id: int) -> schemas.User:
    if user := await reader.first(queries.USER, id=user_id):
        return user
    raise NotFound(f"There is no user {user_id}.")


@writes("PATCH", "/{user_id}", permission="users.write", summary="Change a user")
@keeps_access(lambda body, **_: body.active is UNSET)
async def update_user(
    session: AsyncSession, actor: Actor, user_id: int, conditions: Conditions, body: schemas.UserUpdate
) -> schemas.User:
    """To change `email` or `active` the caller must hold every permission that the user has."""
    user = await read_for_update(session, User, user_id, schemas.User)
    conditions.match(user.version)
    if actions.changes_account(user, body):
        await check_rank(session, actor, user_id, "Whoever changes email or active needs all of them.")
    if body.active is False:
        await keep_an_admin(session, [user_id])
    return await update_one(session, User, user, sent(body))


@writes("DELETE", "/{user_id}", permission="users.erase", summary="Delete a user", status=204, problems=(409,))
async def delete_user(
    session: AsyncSession, user_id: int, conditions: Conditions, query: schemas.EraseParameters
) -> None:
    """Erase the user: what is personal also goes from the audit trail, the login history and stored responses."""
    user = await get_for_update(session, User, user_id, to_delete=True)
    conditions.match(user.version)
    await keep_an_admin(session, [user_id])
    await actions.erase(session, user_id, records=query.records, employee=query.employee)


@reads("/v1/me", permission=ANYONE, summary="Read who sends the request", result=schemas.Me)
async def get_me(reader: Reader, actor: Actor) -> Answer:
    """The user of the token, the token, and the permissions that both have."""
    user = token = None
    if actor.user_id is not None and actor.token_id is not None:
        user = await reader.first(queries.USER, id=actor.user_id)
        token = await reader.first(queries.TOKEN, id=actor.token_id)
    # The actor of a request is `nobody` only on routes that need no token.
    kind = cast("Literal['token', 'session', 'bootstrap', 'open']", actor.kind)
    me = schemas.Me(kind, user, token, sorted(actor.permissions))
    return Answer(msgspec.json.encode(me), headers=[(b"cache-control", b"no-store")])


@writes("PATCH", "/v1/me", permission=ANYONE, summary="Change one's own profile", problems=(403,))
@keeps_access(lambda **_: True)
async def update_me(
    session: AsyncSession, actor: Actor, conditions: Conditions, body: schemas.OwnProfileUpdate
) -> schemas.User:
    """Change the caller's name, age or address. Other fields need users.write."""
    user = await read_for_update(session, User, actor.require_user(), schemas.User)
    conditions.match(user.version)
    return await update_one(session, User, user, sent(body))


_of_users = Router(
    "/v1/users",
    route_handlers=[
        list_users,
        create_user,
        get_user,
        update_user,
        delete_user,
        importing(transfer.IMPORT, permission="users.write"),
        exporting(transfer.EXPORT, permission="users.read"),
    ],
)

router = Router("/", route_handlers=[_of_users, get_me, update_me])
