"""Making administrators: the first one over HTTP, and an operator beside the database."""

from collections.abc import Collection
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from service.db.database import Database
from service.db.folding import fold
from service.db.rows import insert_one
from service.errors import Conflict, Forbidden, NotFound
from service.http.audits import audit_of
from service.http.auth.actors import BOOTSTRAP
from service.http.auth.permissions import ADMIN, Permission
from service.http.auth.queries import has_admin, permissions_of
from service.http.etags import Conditions
from service.models import Role, User
from service.password_hashing.pool import Passwords
from service.passwords.actions import check_strength, set_password
from service.roles import actions as roles
from service.setup import schemas
from service.tokens.actions import Issued, issue

if TYPE_CHECKING:
    from litestar import Request

    from service.http.auth.authentication import Authentication

EXISTS = "An administrator exists already; ask them for an account."


async def create_first(request: "Request[Any, Any, Any]", asked: schemas.Setup) -> schemas.AdministratorCreated:
    """Check the code, hash the password and store the first administrator.

    Raises:
        Forbidden: the code is not the one of this server's setup URL, or is too old.
        Conflict: there is an administrator, or another user has the email.
        Invalid: the password is one of the commonest.
    """
    state = request.app.state
    authentication: Authentication = state["authentication"]
    # Before anything costs time: only an operator knows the code.
    if not authentication.is_setup_code(asked.code):
        raise Forbidden("The setup code is wrong or has expired; `roster serve` prints a new one when it starts.")
    if await authentication.has_admin():
        raise Conflict(EXISTS)
    check_strength(asked.password, pointer="/password")
    passwords: Passwords = state["passwords"]
    password_hash = await passwords.hash(asked.password)
    database: Database = state["database"]
    return await database.units.run(
        lambda session: _store_first(session, asked, password_hash), audit=audit_of(request.scope, "api")
    )


async def _store_first(session: AsyncSession, asked: schemas.Setup, password_hash: str) -> schemas.AdministratorCreated:
    # Of two requests with the code the second waits here, and then finds the administrator of the first.
    await session.execute(select(Role.id).where(Role.name == ADMIN).with_for_update())
    if await has_admin(session):
        raise Conflict(EXISTS)
    user = await insert_one(session, User, {"name": asked.name, "email": asked.email}, schemas.Administrator)
    await give(session, user.id, ADMIN)
    await set_password(session, user.id, password_hash)
    issued = await issue(session, user_id=user.id, kind="token", name="setup")
    return schemas.AdministratorCreated(user.id, user.name, user.email, user.version + 1, issued.text)


async def give(session: AsyncSession, user_id: int, role: str) -> bool:
    """Give the user a role, for an operator, and return whether it is new to them.

    Raises:
        NotFound: there is no such role.
    """
    return (await roles.give(session, BOOTSTRAP, user_id, role, Conditions({"headers": ()}))).created


async def issue_to(
    session: AsyncSession,
    email: str,
    *,
    new_user_name: str | None,
    role: str | None,
    name: str,
    permissions: Collection[Permission] | None,
    lifetime: timedelta | None,
) -> Issued:
    """Issue a token to the user with this email, for an operator; with `new_user_name` a missing user is created.

    Raises:
        NotFound: nobody has the email, or there is no such role.
        Conflict: the user is not active, may not do what the token would allow, or was there without the role.
    """
    user = await session.scalar(select(User).where(User.email_key == fold(email)).with_for_update(key_share=True))
    if user is None and (new_user_name is None or role is None):
        cure = "" if new_user_name is None else "; give them a role, as in --role admin, or name another user: --user"
        raise NotFound(f"No user has the email {email}{cure}.")
    if user is not None and not user.active:
        raise Conflict(f"The user {email} is not active, so their tokens are not valid.")
    if user is None:
        new = {"name": new_user_name, "email": email}
        user_id = (await insert_one(session, User, new, schemas.Administrator)).id
    else:
        user_id = user.id
    if role is not None and await give(session, user_id, role) and user is not None and new_user_name is not None:
        # A caller with users.write could have made a user with this email, and know the password.
        raise Conflict(f"The user {email} exists and does not have the role {role}; say --user {email} to give it.")
    if lacking := sorted(frozenset(permissions or ()) - await permissions_of(session, user_id)):
        raise Conflict(f"The user {email} does not have {', '.join(lacking)}, so no token of theirs can.")
    return await issue(session, user_id=user_id, kind="token", name=name, permissions=permissions, lifetime=lifetime)
