"""Queries of authentication: a token with its user and roles, and whether an administrator exists."""

from collections.abc import Iterable
from datetime import datetime

import msgspec
from sqlalchemy import bindparam, literal_column, select
from sqlalchemy.ext.asyncio import AsyncSession

from service.db.reader import AnySelect, Query
from service.http.auth.permissions import ADMIN, BUILT_IN, PERMISSIONS, Permission
from service.models import Role, Token, User, UserRole

_KNOWN = frozenset(PERMISSIONS)


class TokenRole(msgspec.Struct, frozen=True):
    """A token and one of the roles of its user; the role is None for a user without one."""

    id: int
    user_id: int
    kind: str
    permissions: list[str] | None
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    active: bool
    built_in: bool | None
    role: str | None
    role_permissions: list[str] | None


TOKEN = Query(
    TokenRole,
    select(
        Token.id,
        Token.user_id,
        Token.kind,
        Token.permissions,
        Token.expires_at,
        Token.revoked_at,
        Token.last_used_at,
        User.active,
        Role.built_in,
        Role.name,
        Role.permissions.label("role_permissions"),
    )
    .join_from(Token, User, Token.user_id == User.id)
    .outerjoin(UserRole, UserRole.user_id == User.id)
    .outerjoin(Role, Role.id == UserRole.role_id)
    .where(Token.digest == bindparam("digest", type_=Token.digest.type)),
)

_ACTIVE_ADMINS: AnySelect = (
    select(literal_column("1"))
    .select_from(UserRole)
    .join(Role, Role.id == UserRole.role_id)
    .join(User, User.id == UserRole.user_id)
    .where(Role.name == ADMIN, User.active)
    .limit(1)
)

ADMIN_EXISTS = Query(bool, _ACTIVE_ADMINS)


async def has_admin(session: AsyncSession) -> bool:
    """Return whether an active user has the role admin, in the snapshot of the transaction."""
    return await session.scalar(_ACTIVE_ADMINS) is not None


def of_role(built_in: bool | None, name: str | None, stored: Iterable[str] | None) -> frozenset[Permission]:  # noqa: FBT001 - columns of a row
    """Return the permissions of a role: from the code for a built-in role, else from the row."""
    if built_in:
        return BUILT_IN.get(name or "", frozenset())
    # Permissions of a later version are unknown here, and ignored.
    return frozenset(each for each in stored or () if each in _KNOWN)


async def permissions_of(session: AsyncSession, user_id: int) -> frozenset[Permission]:
    """Return the permissions of a user's roles, whether the user is active or not."""
    rows = await session.execute(
        select(Role.built_in, Role.name, Role.permissions)
        .join(UserRole, UserRole.role_id == Role.id)
        .where(UserRole.user_id == user_id)
    )
    return frozenset[Permission]().union(*(of_role(*row) for row in rows.all()))
