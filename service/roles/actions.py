"""Changing roles, giving and taking them: by nobody who does not hold all that the role holds."""

from collections.abc import Collection
from typing import Any

import msgspec
from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from service.db.audit import record
from service.db.clock import now
from service.db.folding import fold
from service.db.reader import Reader
from service.db.rows import insert_one, update_one
from service.db.upserts import insert_into
from service.errors import Conflict, Fault, Forbidden, Invalid, NotFound
from service.http.auth.actors import OPEN, Actor
from service.http.auth.admins import keep_an_admin, lock_admin_role
from service.http.auth.permissions import ADMIN, BUILT_IN, MOST_ROLES
from service.http.etags import UNCONDITIONAL, Conditions
from service.http.placed import Placed
from service.http.wire import WRONG, sent
from service.models import Role, User, UserRole
from service.roles import queries, schemas


async def place(
    session: AsyncSession, actor: Actor, name: str, conditions: Conditions, body: schemas.RolePut
) -> Placed:
    """Make the role what the body says, and tell whether it is new.

    Raises:
        Conflict: the role is built in, or there are too many.
        Forbidden: the actor lacks a permission that the role has or is to have.
        Invalid: a permission is given twice.
        Stale: the role has another version by now.
    """
    permissions = _sorted(body.permissions)
    _require(actor, permissions)
    # One at a time: of two that create the role the second finds it, and the limit holds.
    await lock_admin_role(session)
    role = await _locked(session, name)
    if role is not None:
        _check(actor, role, conditions)
        changed = await update_one(session, Role, role, {"permissions": permissions, "description": body.description})
        return Placed(changed, created=False)
    conditions.match_absent()
    if (await session.scalar(select(func.count()).select_from(Role)) or 0) >= MOST_ROLES:
        raise Conflict(f"There are {MOST_ROLES} roles, which is the most; delete one first.")
    values = {"name": name, "permissions": permissions, "description": body.description}
    return Placed(await insert_one(session, Role, values, schemas.Role), created=True)


async def change(
    session: AsyncSession, actor: Actor, name: str, conditions: Conditions, body: schemas.RoleUpdate
) -> schemas.Role:
    """Change the fields that are sent; raises as `place`, and NotFound."""
    fields = sent(body)
    if "permissions" in fields:
        fields["permissions"] = _sorted(fields["permissions"])
        _require(actor, fields["permissions"])
    role = await _existing(session, name)
    _check(actor, role, conditions)
    return await update_one(session, Role, role, fields)


async def remove(session: AsyncSession, actor: Actor, name: str, conditions: Conditions) -> None:
    """Delete a role that nobody has; raises as `change`, and Conflict if somebody has it."""
    # FOR UPDATE also keeps the role from being given meanwhile.
    role = await session.scalar(select(Role).where(Role.name == name).with_for_update())
    if role is None:
        raise missing(name)
    _check(actor, schemas.Role(*(getattr(role, field) for field in schemas.Role.__struct_fields__)), conditions)
    users = await session.scalar(select(func.count()).select_from(UserRole).where(UserRole.role_id == role.id))
    if users:
        raise Conflict(f"{users} user{'s have' if users > 1 else ' has'} the role {name}; take it from them first.")
    await session.delete(role)


async def give(session: AsyncSession, actor: Actor, user_id: int, name: str, conditions: Conditions) -> Placed:
    """Give a user a role, which is a change of the user unless they have it already.

    Raises:
        NotFound: there is no such user or role.
        Forbidden: the actor lacks a permission of the role.
        Stale: the user has another version by now.
    """
    version = await _lock_user(session, user_id, conditions)
    role = await _given(session, actor, name)
    insert = insert_into(UserRole.__table__, session.get_bind().dialect)  # type: ignore[arg-type]
    moment = now()
    created = await session.scalar(
        insert.values(user_id=user_id, role_id=role.id, created_at=moment)
        .on_conflict_do_nothing()
        .returning(UserRole.__table__.c.created_at)
    )
    if created is None:
        since = select(UserRole.created_at).where(UserRole.user_id == user_id, UserRole.role_id == role.id)
        return Placed(_link(user_id, name, version, await session.scalar(since)), created=False)
    await _count(session, user_id, given=name)
    return Placed(_link(user_id, name, version + 1, moment), created=True)


async def take(session: AsyncSession, actor: Actor, user_id: int, name: str, conditions: Conditions) -> None:
    """Take a role from a user, which is a change of the user.

    Raises:
        NotFound: there is no such user, or they do not have the role.
        Forbidden: the actor lacks a permission of the role.
        Conflict: it is the role admin, and there is no other active administrator.
        Stale: the user has another version by now.
    """
    await _lock_user(session, user_id, conditions)
    if name == ADMIN:
        # Before the weaker lock below: of two that hold that one, neither could get this one.
        await lock_admin_role(session)
    role = await _given(session, actor, name)
    if name == ADMIN:
        await keep_an_admin(session, [user_id])
    taken = delete(UserRole).where(UserRole.user_id == user_id, UserRole.role_id == role.id)
    if not (await session.execute(taken.returning(UserRole.role_id))).all():
        raise NotFound(f"User {user_id} does not have the role {name}.")
    await _count(session, user_id, taken=name)


async def list_all(reader: Reader) -> list[schemas.Role]:
    """Return every role, by name."""
    return (await queries.ROLES.page(reader, schemas.RoleParameters(limit=MOST_ROLES + len(BUILT_IN)))).items


async def read(reader: Reader, name: str) -> schemas.Role:
    """Return the role; raises NotFound."""
    if role := await reader.first(queries.ROLE, name=name):
        return role
    raise missing(name)


async def create_as_operator(session: AsyncSession, body: schemas.RoleCreate) -> schemas.Role:
    """Create a role beside the database, where nobody is asked for permissions; raises as `place`."""
    if await _locked(session, body.name) is not None:
        raise Conflict(f"There is a role {body.name} already; `roster roles update {body.name}` changes it.")
    put = schemas.RolePut(permissions=body.permissions, description=body.description)
    role: Any = (await place(session, OPEN, body.name, UNCONDITIONAL, put)).document
    return schemas.Role(*msgspec.structs.astuple(role))


async def user_of_email(session: AsyncSession, email: str) -> int:
    """Return the id of the user with this email, for an operator; raises NotFound."""
    user_id = await session.scalar(select(User.id).where(User.email_key == fold(email)))
    if user_id is None:
        raise NotFound(f"No user has the email {email}.")
    return user_id


def missing(name: str) -> NotFound:
    return NotFound(f"There is no role {name}.")


def missing_user(user_id: int) -> NotFound:
    return NotFound(f"There is no user {user_id}.")


def _sorted(permissions: Collection[str]) -> list[str]:
    faults = [
        Fault(detail=f"{each} is given more than once.", pointer=f"/permissions/{at}")
        for at, each in enumerate(permissions)
        if each in [*permissions][:at]
    ]
    if faults:
        raise Invalid(WRONG, *faults)
    return sorted(permissions)


def _require(actor: Actor, permissions: Collection[str]) -> None:
    if lacking := sorted({*permissions} - actor.permissions):
        raise Forbidden(f"This needs every permission of the role, and the token does not have {', '.join(lacking)}.")


def _check(actor: Actor, role: schemas.Role, conditions: Conditions) -> None:
    if role.built_in:
        raise Conflict(f"The role {role.name} is built in: it cannot be changed or deleted.")
    _require(actor, role.permissions)
    # A role that was deleted and created again begins at version 1: only the whole of it tells the two apart.
    conditions.match(role.version, msgspec.json.encode(role))


async def _existing(session: AsyncSession, name: str) -> schemas.Role:
    if role := await _locked(session, name):
        return role
    raise missing(name)


async def _locked(session: AsyncSession, name: str) -> schemas.Role | None:
    found = await session.execute(queries.SELECT.where(Role.name == name).with_for_update(key_share=True))
    row = found.one_or_none()
    return None if row is None else schemas.Role(*row)


async def _given(session: AsyncSession, actor: Actor, name: str) -> schemas.Role:
    """Return a role that the actor may give and take; it cannot be deleted or changed before the unit ends."""
    found = await session.execute(queries.SELECT.where(Role.name == name).with_for_update(read=True))
    row = found.one_or_none()
    if row is None:
        raise missing(name)
    role = schemas.Role(*row)
    _require(actor, role.permissions)
    return role


async def _lock_user(session: AsyncSession, user_id: int, conditions: Conditions) -> int:
    held = select(User.version).where(User.id == user_id).with_for_update(key_share=True)
    version = await session.scalar(held)
    if version is None:
        raise missing_user(user_id)
    conditions.match(version)
    return version


async def _count(session: AsyncSession, user_id: int, *, given: str = "", taken: str = "") -> None:
    """Count a change of the user's roles, and record it."""
    changed = update(User).where(User.id == user_id).values(version=User.version + 1, updated_at=now())
    await session.execute(changed, execution_options={"synchronize_session": False})
    roles = await session.scalar(select(User.roles).select_from(User).where(User.id == user_id)) or []
    before = sorted({*roles, taken} - {given, ""})
    record(session, action="user.updated", resource="users", resource_id=user_id, changes={"roles": (before, [*roles])})


def _link(user_id: int, name: str, version: int, since: Any) -> schemas.UserRole:
    return schemas.UserRole(user_id=user_id, role=name, version=version, created_at=since)
