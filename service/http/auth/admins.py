"""Refuses to remove the last active administrator."""

from collections.abc import Collection

from sqlalchemy import ColumnElement, Select, literal_column, select
from sqlalchemy.ext.asyncio import AsyncSession

from service.errors import Conflict
from service.http.auth.permissions import ADMIN
from service.models import Role, User, UserRole

LAST = "This user is the last active administrator; give another active user the role admin first."


async def keep_an_admin(session: AsyncSession, user_ids: Collection[int]) -> None:
    """Return if another administrator remains when the locked users lose the role; call it before the change.

    Of two transactions that each take one of the last two administrators away, the second waits here for the first:
    the row of the role admin is locked until the unit ends.

    Raises:
        Conflict: there is no other active administrator.
    """
    if await session.scalar(_admins(User.id.in_(user_ids))) is None:
        return
    await session.execute(select(Role.id).where(Role.name == ADMIN).with_for_update(key_share=True))
    # A statement of its own: it sees what a transaction that held the lock has committed.
    if await session.scalar(_admins(User.id.not_in(user_ids))) is None:
        raise Conflict(LAST)


def _admins(condition: ColumnElement[bool]) -> Select[tuple[int]]:
    return (
        select(literal_column("1"))
        .select_from(User)
        .join(UserRole, UserRole.user_id == User.id)
        .join(Role, Role.id == UserRole.role_id)
        .where(Role.name == ADMIN, User.active, condition)
        .limit(1)
    )
