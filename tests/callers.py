"""Users of a test's own, each with a token."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from service.app import Roster
from service.http.auth.permissions import Permission
from service.models import Role, Token, User, UserRole
from service.tokens.actions import issue

_numbers = count(1)


@dataclass(frozen=True, slots=True)
class Caller:
    """A user and the headers of a request with their token."""

    user_id: int
    token_id: int
    token: str

    @property
    def headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.token}"}


async def add_caller(
    roster: Roster,
    *roles: str,
    permissions: Collection[Permission] | None = None,
    holding: Collection[Permission] = (),
    kind: str = "token",
    lifetime: timedelta | None = None,
    user_id: int | None = None,
) -> Caller:
    """Add a user with these roles and, if any are named, a role of their own with the permissions of `holding`."""

    async def add(session: AsyncSession) -> Caller:
        owner = user_id or await add_user(session)
        ids = [await session.scalar(select(Role.id).where(Role.name == each)) for each in roles]
        if holding:
            role = Role(name=f"own-{next(_numbers)}", permissions=[*holding])
            session.add(role)
            await session.flush()
            ids.append(role.id)
        session.add_all(UserRole(user_id=owner, role_id=id) for id in ids)
        issued = await issue(
            session,
            user_id=owner,
            kind=kind,  # type: ignore[arg-type]
            name="test",
            permissions=permissions,
            lifetime=lifetime,
        )
        return Caller(owner, issued.id, issued.text)

    caller = await roster.database.units.run(add)
    roster.authentication.forget()
    return caller


async def add_user(session: AsyncSession) -> int:
    number = next(_numbers)
    user = User(name=f"Caller {number}", email=f"caller{number}@example.com")
    session.add(user)
    await session.flush()
    return user.id


async def elsewhere(roster: Roster, model: type[User | Token], id: int, /, **values: bool | int | datetime) -> None:
    """Change a row as another process would: this one is not told."""
    statement = update(model).where(model.id == id).values(**values)
    await roster.database.units.run(lambda session: session.execute(statement))
