"""Issuing and revoking tokens: what a new one may allow, and how long it may last."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from msgspec.structs import asdict
from sqlalchemy import ColumnElement, delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from service.db.audit import record_updated
from service.db.clock import now
from service.db.rows import insert_one, read_for_update, update_one
from service.errors import Conflict, Fault, Forbidden, Invalid, NotFound
from service.http.auth.actors import Actor
from service.http.auth.permissions import PERMISSIONS, Permission
from service.http.auth.queries import permissions_of
from service.http.auth.token_text import digest, new_token
from service.http.etags import Conditions
from service.http.wire import WRONG
from service.models import Token, User
from service.tokens import schemas

MOST_TOKENS = 100
_ALL = frozenset(PERMISSIONS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """A new token: its text, which is stored nowhere, and the rest of it."""

    text: str
    token: schemas.Token

    @property
    def id(self) -> int:
        return self.token.id

    @property
    def expires_at(self) -> datetime | None:
        return self.token.expires_at

    @property
    def document(self) -> schemas.TokenCreated:
        """What is shown, once, to whoever asked for it."""
        return schemas.TokenCreated(**asdict(self.token), token=self.text)


async def issue(
    session: AsyncSession,
    *,
    user_id: int,
    kind: schemas.Kind,
    name: str,
    permissions: Collection[Permission] | None = None,
    lifetime: timedelta | None = None,
    expires_at: datetime | None = None,
) -> Issued:
    """Store a new token of a user and return it; without `permissions` it allows all that the user may do.

    It ends after its lifetime or at a time, if one of the two is given.
    """
    text = new_token()
    values = {
        "user_id": user_id,
        "kind": kind,
        "name": name,
        "digest": digest(text),
        "permissions": None if permissions is None else sorted(set(permissions)),
        "expires_at": expires_at if lifetime is None else now() + lifetime,
    }
    return Issued(text=text, token=await insert_one(session, Token, values, schemas.Token))


async def create(session: AsyncSession, actor: Actor, user_id: int, asked: schemas.TokenCreate) -> Issued:
    """Issue a token that the actor asks for, for themselves or for another user.

    Raises:
        NotFound: there is no such user.
        Conflict: the user is not active, has too many tokens, or may not do what the token would allow.
        Forbidden: the token would allow what the actor may not do.
        Invalid: the token would end in the past, or later than the token of the request.
    """
    # The lock lets two requests not both issue the last token of the limit.
    active = await session.scalar(select(User.active).where(User.id == user_id).with_for_update(key_share=True))
    if active is None:
        raise NotFound(f"There is no user {user_id}.")
    if not active:
        raise Conflict("The user is not active, so their tokens are not valid.")
    if await _count_valid(session, user_id) >= MOST_TOKENS:
        raise Conflict(f"The user has {MOST_TOKENS} valid tokens; revoke one first.")
    held = await permissions_of(session, user_id)
    return await issue(
        session,
        user_id=user_id,
        kind="token",
        name=asked.name,
        permissions=granted(actor, user_id, held, asked.permissions),
        expires_at=_end(actor, asked.expires_at),
    )


def granted(
    actor: Actor, user_id: int, held: frozenset[Permission], asked: Collection[Permission] | None
) -> Collection[Permission] | None:
    """Return the permissions of a new token, None for all that its user may ever do.

    `held` is what the user may do. None is given only to a caller who could have it: one who acts for themselves with
    an unlimited token, or who has every permission.

    Raises:
        Forbidden: the actor lacks a permission.
        Conflict: the user lacks a permission.
    """
    if asked is None:
        if not actor.limited and (actor.user_id == user_id or actor.permissions == _ALL):
            return None
        asked = actor.permissions if actor.user_id == user_id else held
    for permission in sorted(asked):
        if permission not in actor.permissions:
            raise Forbidden(f"A new token cannot have {permission}: the token of this request does not have it.")
    if lacking := sorted(frozenset(asked) - held):
        raise Conflict(f"The user does not have {', '.join(lacking)}, so no token of theirs can.", field="permissions")
    return asked


def _end(actor: Actor, asked: datetime | None) -> datetime | None:
    if asked is not None and asked <= now():
        raise Invalid(WRONG, Fault(detail="This time is over; a token ends in the future.", pointer="/expires_at"))
    # A session is short-lived by its nature, and what a person makes in it is meant to stay.
    limit = actor.expires_at if actor.kind == "token" else None
    if limit is None or asked is None:
        return asked or limit
    if asked > limit:
        detail = f"The token of this request ends at {limit:%Y-%m-%dT%H:%M:%SZ}; a token made with it cannot end later."
        raise Invalid(WRONG, Fault(detail=detail, pointer="/expires_at"))
    return asked


async def revoke(session: AsyncSession, token_id: int, conditions: Conditions, *, owner: Actor | None = None) -> None:
    """Revoke a token; if an owner is named, only one of theirs that allows no more than the token of their request.

    Raises:
        NotFound: there is no such token, or it is revoked already.
        Forbidden: it allows the owner more than the token of the request.
        Stale: it was changed since.
    """
    token = await read_for_update(session, Token, token_id, schemas.Token)
    if token.revoked_at is not None or (owner and owner.user_id != token.user_id):
        raise NotFound(f"There is no token {token_id}.")
    if owner and owner.limited and not _is_within(token, owner):
        raise Forbidden("The token of this request allows less than that token, and so cannot revoke it.")
    conditions.match(token.version)
    await update_one(session, Token, token, {"revoked_at": now()})


async def revoke_all(
    session: AsyncSession, user_id: int, *, kinds: Collection[schemas.Kind], except_id: int | None = None
) -> int:
    """Revoke every valid token of a user of these kinds, but for one, and return how many there were."""
    at = now()
    ended = (
        update(Token)
        .where(Token.user_id == user_id, Token.kind.in_(kinds), _is_valid(at))
        .values(revoked_at=at, version=Token.version + 1)
        .returning(Token.id)
    )
    if except_id is not None:
        ended = ended.where(Token.id != except_id)
    ids = (await session.scalars(ended, execution_options={"synchronize_session": False})).all()
    for id in ids:
        record_updated(session, Token, {"id": id}, {"revoked_at": (None, at)})
    return len(ids)


async def forget_ended(session: AsyncSession, kept: timedelta, *, most: int = 500) -> int:
    """Delete tokens that ended longer ago than they are kept, `most` at a time, and return how many went."""
    before = now() - kept
    old = select(Token.id).where(or_(Token.expires_at < before, Token.revoked_at < before)).limit(most)
    result = await session.execute(
        delete(Token).where(Token.id.in_(old)), execution_options={"synchronize_session": False}
    )
    return int(result.rowcount)  # type: ignore[attr-defined]


def _is_within(token: schemas.Token, owner: Actor) -> bool:
    if token.id == owner.token_id:
        return True
    return token.permissions is not None and owner.permissions.issuperset(token.permissions)


async def _count_valid(session: AsyncSession, user_id: int) -> int:
    count = select(func.count()).where(Token.user_id == user_id, Token.kind == "token", _is_valid(now()))
    return await session.scalar(count) or 0


def _is_valid(at: datetime) -> ColumnElement[bool]:
    return Token.revoked_at.is_(None) & or_(Token.expires_at.is_(None), Token.expires_at > at)
