"""Refuses to change the account of a user who has more permissions than the actor."""

from collections.abc import Collection

from sqlalchemy.ext.asyncio import AsyncSession

from service.errors import Forbidden
from service.http.auth.actors import Actor
from service.http.auth.permissions import Permission
from service.http.auth.queries import permissions_of


async def check_rank(session: AsyncSession, actor: Actor, user_id: int, why: str) -> None:
    """Return if the actor has every permission of the locked user; `why` ends the message.

    Raises:
        Forbidden: the user may do something that the actor may not.
    """
    if lacking := beyond(await permissions_of(session, user_id), actor):
        raise Forbidden(
            f"The user has permissions that the token of this request does not have: {', '.join(lacking)}. {why}"
        )


def beyond(held: Collection[Permission], actor: Actor) -> list[Permission]:
    """Return which of these permissions the actor does not have."""
    return sorted(frozenset(held) - actor.permissions)
