"""Roles over HTTP, and the roles of a user."""

from litestar import Router
from sqlalchemy.ext.asyncio import AsyncSession

from service.db import words
from service.db.listing import Page
from service.db.reader import Reader
from service.http.auth.actors import Actor
from service.http.etags import Conditions
from service.http.placed import Placed
from service.http.rendering import Shown
from service.http.unit import reads, writes
from service.roles import actions, queries, schemas

_ROLES = "/v1/roles"
_ROLE = "/v1/roles/{name}"
_USER_ROLES = "/v1/users/{user_id}/roles"
_USER_ROLE = "/v1/users/{user_id}/roles/{role}"


@reads(_ROLES, permission="roles.read", summary="List roles", result=schemas.RolePage)
async def list_roles(reader: Reader, query: schemas.RoleParameters) -> Page[schemas.Role]:
    return await queries.ROLES.page(reader, query)


@reads(_ROLE, permission="roles.read", summary="Read a role", result=schemas.Role)
async def get_role(reader: Reader, name: words.RoleName) -> Shown:
    if role := await reader.first(queries.ROLE, name=name):
        return Shown(role)
    raise actions.missing(name)


@writes(
    "PUT", _ROLE, permission="roles.write", summary="Create or replace a role", result=schemas.Role, problems=(409,)
)
async def put_role(
    session: AsyncSession, actor: Actor, name: words.RoleName, conditions: Conditions, body: schemas.RolePut
) -> Placed:
    """The caller must hold every permission that the role has or is to have. A built-in role cannot be replaced."""
    return await actions.place(session, actor, name, conditions, body)


@writes("PATCH", _ROLE, permission="roles.write", summary="Change a role", result=schemas.Role, problems=(409,))
async def update_role(
    session: AsyncSession, actor: Actor, name: words.RoleName, conditions: Conditions, body: schemas.RoleUpdate
) -> Shown:
    """The caller must hold every permission that the role has or is to have. A built-in role cannot be changed."""
    return Shown(await actions.change(session, actor, name, conditions, body))


@writes("DELETE", _ROLE, permission="roles.write", summary="Delete a role", status=204, problems=(409,))
async def delete_role(session: AsyncSession, actor: Actor, name: words.RoleName, conditions: Conditions) -> None:
    """The caller must hold every permission of the role. A built-in role, or one that a user has, is not deleted."""
    await actions.remove(session, actor, name, conditions)


@reads(_USER_ROLES, permission="users.read", summary="List the roles of a user", result=schemas.RolePage)
async def list_user_roles(reader: Reader, user_id: int, query: schemas.RoleParameters) -> Page[schemas.Role]:
    page = await queries.ROLES.page(reader, query, fixed={"user_id": user_id})
    if not page.items and not await reader.first(queries.USER_EXISTS, user_id=user_id):
        raise actions.missing_user(user_id)
    return page


@writes("PUT", _USER_ROLE, permission="users.write", summary="Give a user a role", result=schemas.UserRole)
async def put_user_role(
    session: AsyncSession, actor: Actor, user_id: int, role: words.RoleName, conditions: Conditions
) -> Placed:
    """The caller must hold every permission of the role. It is a change of the user, whose ETag `If-Match` names."""
    return await actions.give(session, actor, user_id, role, conditions)


@writes(
    "DELETE",
    _USER_ROLE,
    permission="users.write",
    summary="Take a role from a user",
    status=204,
    problems=(409,),
)
async def delete_user_role(
    session: AsyncSession, actor: Actor, user_id: int, role: words.RoleName, conditions: Conditions
) -> None:
    """The caller must hold every permission of the role; the last active administrator keeps the role admin (409).

    It is a change of the user, whose ETag `If-Match` names.
    """
    await actions.take(session, actor, user_id, role, conditions)


router = Router(
    "/",
    route_handlers=[
        list_roles,
        get_role,
        put_role,
        update_role,
        delete_role,
        list_user_roles,
        put_user_role,
        delete_user_role,
    ],
)
