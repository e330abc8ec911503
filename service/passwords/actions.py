"""Setting passwords, and what ends with the old one: the other sessions, and the links that are still unused."""

from collections.abc import Collection
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from service.db.audit import act_as, record
from service.db.clock import now
from service.db.database import Database
from service.db.folding import fold
from service.db.upserts import insert_into
from service.errors import Conflict, Fault, Forbidden, Invalid, NotFound
from service.http.audits import audit_of
from service.http.auth import rank
from service.http.auth.actors import Actor
from service.http.auth.permissions import Permission
from service.http.auth.queries import permissions_of
from service.http.auth.token_text import digest, is_token
from service.http.wire import WRONG
from service.logins import actions as logins
from service.models import Credential, User
from service.password_hashing.common import is_common
from service.password_hashing.pool import Passwords
from service.passwords import queries, schemas
from service.passwords.queries import Link
from service.sessions import actions as sessions
from service.tokens import actions as tokens

if TYPE_CHECKING:
    from litestar import Request

LINK_LIFETIME: Final = timedelta(hours=24)

_CAN_ACT = "Who sets a password can act as the user, so this needs all of them."
_USED = "This link is not valid: it was used, it has expired, or a newer one took its place. Ask for a new link."

_GROWN = "The user of this link has been given more permissions than its maker has. Ask for a new link."


def check_strength(password: str, *, pointer: str = "/new_password") -> None:
    """Return if the password may be chosen; its length is checked by the type.

    Raises:
        Invalid: it is one of those that attackers try first.
    """
    if is_common(password):
        detail = "This is one of the 10,000 commonest passwords, which attackers try first; choose another."
        raise Invalid(WRONG, Fault(detail=detail, pointer=pointer))


async def set_password(session: AsyncSession, user_id: int, password_hash: str, *, kept: int | None = None) -> None:
    """Store the hash; sessions end, but for the one whose token is kept, and so do the links of the user."""
    values = {"password_hash": password_hash, "changed_at": now()}
    insert = insert_into(Credential.__table__, session.get_bind().dialect)  # type: ignore[arg-type]
    await session.execute(
        insert.values(user_id=user_id, **values).on_conflict_do_update(index_elements=["user_id"], set_=values)
    )
    await tokens.revoke_all(session, user_id, kinds=["session", "link"], except_id=kept)
    record(session, action="user.password-set", resource="users", resource_id=user_id)


async def change_own(request: "Request[Any, Any, Any]", actor: Actor, asked: schemas.OwnPasswordUpdate) -> None:
    """Change the password of the user who asks; the current one is compared within the limits of a login.

    Raises:
        Forbidden: the request has no user, or there is no password yet and the token has fewer permissions than a
            session would have.
        Invalid: the current password is missing or wrong.
        TooMany: it was wrong too often.
    """
    doorkeeper = sessions.doorkeeper_of(request)
    account = await sessions.account_of(doorkeeper.database, actor.require_user())
    if account.password_hash is None:
        await _set_first(doorkeeper, actor, account.user_id, asked.new_password)
        return
    if asked.current_password is None:
        raise Invalid(WRONG, Fault(detail="The current password is required.", pointer="/current_password"))

    async def change(session: AsyncSession, user_id: int, password_hash: str | None) -> None:
        assert password_hash is not None  # noqa: S101 - a new password was given
        await set_password(session, user_id, password_hash, kept=actor.token_id)

    attempt = sessions.attempt_of(request, account.email)
    result = await doorkeeper.prove(attempt, asked.current_password, account, change, new_password=asked.new_password)
    if result.outcome == "ok":
        return
    sessions.count(request, result)
    sessions.refuse_throttled(result)
    raise Invalid(WRONG, Fault(detail="This is not the current password.", pointer="/current_password"))


async def _set_first(doorkeeper: sessions.Doorkeeper, actor: Actor, user_id: int, password: str) -> None:
    password_hash = await doorkeeper.passwords.hash(password)

    async def work(session: AsyncSession) -> None:
        # A password opens sessions, which are allowed all that the user is.
        await check_rank(session, actor, user_id)
        if await session.get(Credential, user_id) is not None:
            raise Conflict("A password was set meanwhile; send it as current_password.", field="current_password")
        await set_password(session, user_id, password_hash, kept=actor.token_id)

    await doorkeeper.database.units.run(work, audit=doorkeeper.audit)


async def check_rank(session: AsyncSession, actor: Actor, user_id: int) -> None:
    """Return if the actor may take over the user's account, which who sets its password can do.

    Raises:
        NotFound: there is no such user.
        Forbidden: the user may do something that the actor may not.
    """
    # The lock keeps the user's row, so that nothing is stored for a user who is being deleted.
    found = await session.scalar(select(User.id).where(User.id == user_id).with_for_update(read=True, key_share=True))
    if found is None:
        raise NotFound(f"There is no user {user_id}.")
    await rank.check_rank(session, actor, user_id, _CAN_ACT)


async def check_other(session: AsyncSession, actor: Actor, user_id: int) -> None:
    """Return if the actor may set the password of this user without the current one; raises as `check_rank`.

    One's own password is changed by who knows it: a stolen token must not be enough to take an account over.
    """
    if actor.user_id == user_id and await session.get(Credential, user_id) is not None:
        raise Forbidden("This is your own account: change its password by PUT /v1/me/password.")
    await check_rank(session, actor, user_id)


async def make_link(
    session: AsyncSession, user_id: int, permissions: Collection[Permission] | None = None
) -> tokens.Issued:
    """Return a new link of the user; an earlier one is void from now on.

    The link becomes void when the user is given more than these permissions, if any are named.
    """
    await tokens.revoke_all(session, user_id, kinds=["link"])
    return await tokens.issue(
        session, user_id=user_id, kind="link", name="password link", permissions=permissions, lifetime=LINK_LIFETIME
    )


async def make_link_of_email(session: AsyncSession, email: str, base: str) -> schemas.PasswordLink:
    """Return a new link of the user with this email, for an operator; raises NotFound."""
    return shown(await make_link(session, await _user_of(session, email)), base)


async def set_password_of_email(session: AsyncSession, email: str, password_hash: str) -> None:
    """Set the password of the user with this email, for an operator; raises NotFound."""
    await set_password(session, await _user_of(session, email), password_hash)


async def _user_of(session: AsyncSession, email: str) -> int:
    user_id = await session.scalar(select(User.id).where(User.email_key == fold(email)))
    if user_id is None:
        raise NotFound(f"No user has the email {email}.")
    return user_id


def shown(issued: tokens.Issued, base: str) -> schemas.PasswordLink:
    """Return the link for whoever hands it on; browsers keep what stands behind the # to themselves."""
    assert issued.expires_at is not None  # noqa: S101 - a link is issued with a lifetime
    return schemas.PasswordLink(url=f"{base}/password#{issued.text}", token=issued.text, expires_at=issued.expires_at)


def check_link(text: str, link: Link | None) -> Link:
    """Return the link if it can be used.

    Raises:
        Invalid: it cannot.
    """
    is_usable = link is not None and link.active and link.revoked_at is None
    if link is None or not is_usable or (link.expires_at is not None and link.expires_at <= now()):
        detail = _USED if is_token(text) else "This is not the token of a link; copy the whole link again."
        raise Invalid(WRONG, Fault(detail=detail, pointer="/token"))
    return link


async def _check_growth(session: AsyncSession, link: Link) -> None:
    """Return unless the user has more permissions by now than who made the link, and could have passed it on."""
    # The lock keeps roles from being given to the user before the unit ends.
    await session.execute(select(User.id).where(User.id == link.user_id).with_for_update(key_share=True))
    if link.permissions is not None and await permissions_of(session, link.user_id) - frozenset(link.permissions):
        raise Invalid(WRONG, Fault(detail=_GROWN, pointer="/token"))


async def use_link(request: "Request[Any, Any, Any]", used: schemas.PasswordLinkUse) -> None:
    """Set the password of the link's user; the link is void from now on.

    The client counts as one from which the user logged in, so that an owner whom others lock out has a way in.

    Raises:
        Invalid: the link cannot be used, or the password is too common.
    """
    database: Database = request.app.state["database"]
    passwords: Passwords = request.app.state["passwords"]
    check_strength(used.new_password)
    # Before the hash, which costs the most: anyone may send anything here.
    link = await database.reader.first(queries.LINK, digest=digest(used.token))
    check_link(used.token, link)
    password_hash = await passwords.hash(used.new_password)

    async def work(session: AsyncSession) -> None:
        found = (await session.execute(queries.LINK_TO_USE, {"digest": digest(used.token)})).one_or_none()
        usable = check_link(used.token, Link(*found) if found else None)
        await _check_growth(session, usable)
        act_as(session, replace(audit_of(request.scope, "api"), actor_id=usable.user_id))
        await set_password(session, usable.user_id, password_hash)
        await logins.insert_login(session, sessions.attempt_of(request, usable.email), "ok", usable.user_id)

    await database.units.run(work)
