"""Users over HTTP."""

from litestar import Router
from sqlalchemy.ext.asyncio import AsyncSession

from service.db.listing import Page
from service.db.reader import Reader
from service.db.rows import get_for_update, insert_one, read_for_update, update_one
from service.errors import NotFound
from service.http.auth.admins import keep_an_admin
from service.http.etags import Conditions
from service.http.exports import exporting
from service.http.imports import importing
from service.http.unit import reads, writes
from service.http.wire import sent
from service.models import User
from service.users import actions, queries, schemas, transfer


@reads("/", permission="users.read", summary="List users", result=schemas.UserPage)
async def list_users(reader: Reader, query: schemas.UserParameters) -> Page[schemas.User]:
    return await queries.USERS.page(reader, query)


@writes("POST", "/", permission="users.write", summary="Create a user", status=201, idempotent=True)
async def create_user(session: AsyncSession, body: schemas.UserCreate) -> schemas.User:
    return await insert_one(session, User(**sent(body)), schemas.User)


@reads("/{user_id}", permission="users.read", summary="Read a user")
async def get_user(reader: Reader, user_id: int) -> schemas.User:
    if user := await reader.first(queries.USER, id=user_id):
        return user
    raise NotFound(f"There is no user {user_id}.")


@writes("PATCH", "/{user_id}", permission="users.write", summary="Change a user")
async def update_user(
    session: AsyncSession, user_id: int, conditions: Conditions, body: schemas.UserUpdate
) -> schemas.User:
    user = await read_for_update(session, User, user_id, schemas.User)
    conditions.match(user.version)
    if body.active is False:
        await keep_an_admin(session, [user_id])
    return await update_one(session, User, user, sent(body))


@writes("DELETE", "/{user_id}", permission="users.erase", summary="Delete a user", status=204)
async def delete_user(session: AsyncSession, user_id: int, conditions: Conditions) -> None:
    user = await get_for_update(session, User, user_id, to_delete=True)
    conditions.match(user.version)
    await keep_an_admin(session, [user_id])
    await actions.let_go(session, user_id)
    await session.delete(user)


router = Router(
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
