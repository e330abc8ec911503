"""Refuses to remove the last active administrator."""

from collections.abc import Collection

from sqlalchemy import literal_column, select
from sqlalchemy.ext.asyncio import AsyncSession

from service.db.reader import AnySelect
from service.errors import Conflict
from service.http.auth.permissions import ADMIN
from service.models import Role, User, UserRole

LAST = "This user is the last active administrator; give another active user the role admin first."


async def keep_an_admin(session: AsyncSession, user_ids: Collection[int]) -> None:
    """Return if another administrator remains when the locked users lose the role; call it before the change.

    Raises:
        Conflict: there is no other active administrator.
    """
    if not await has_admin(session, user_ids):
        return
    await lock_admin_role(session)
    # A statement of its own: it sees what a transaction that held the lock has committed.
    if await session.scalar(_ADMINS.where(User.id.not_in(user_ids))) is None:
        raise Conflict(LAST)


async def lock_admin_role(session: AsyncSession) -> None:
    """Lock the role admin until the unit ends.

    Of two transactions that each take one of the last two administrators away, the second waits here for the first.
    """
    await session.execute(select(Role.id).where(Role.name == ADMIN).with_for_update(key_share=True))


async def has_admin(session: AsyncSession, user_ids: Collection[int] | None = None) -> bool:
    """Tell whether there is an active administrator, among these users if any are named."""
    asked = _ADMINS if user_ids is None else _ADMINS.where(User.id.in_(user_ids))
    return await session.scalar(asked) is not None


_ADMINS: AnySelect = (
    select(literal_column("1"))
    .select_from(User)
    .join(UserRole, UserRole.user_id == User.id)
    .join(Role, Role.id == UserRole.role_id)
    .where(Role.name == ADMIN, User.active)
    .limit(1)
)
