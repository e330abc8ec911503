"""Logging in: the limits, the password, the row of the history, and the token."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from service.db.audit import Audit, act_as, record_updated
from service.db.clock import now
from service.db.counting import counted
from service.db.database import Database
from service.errors import NotFound, TooMany
from service.http.answers import header
from service.http.audits import audit_of
from service.logins import actions as logins
from service.logins.actions import Attempt
from service.models import Credential, Token
from service.password_hashing.pool import Passwords
from service.sessions import queries
from service.sessions.queries import Account
from service.tokens import actions as tokens

if TYPE_CHECKING:
    from litestar import Request

T = TypeVar("T")

_LONGEST_NAME = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Result(Generic[T]):
    """How an attempt ended, as the history tells it; `value` is there for `ok`, and `wait_seconds` for `throttled`."""

    outcome: str
    value: T | None = None
    wait_seconds: int = 0


@dataclass(frozen=True, slots=True)
class Entered:
    """A new session; the text of its token is stored nowhere."""

    text: str
    id: int
    user_id: int
    expires_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Doorkeeper:
    """Lets in those who know the password of a user."""

    database: Database
    passwords: Passwords
    audit: Audit

    async def log_in(self, attempt: Attempt, password: str, lifetime: timedelta) -> Result[Entered]:
        """Return the new session of a user, or why there is none."""
        account = await self.database.reader.first(queries.ACCOUNT_OF_EMAIL, email_key=attempt.email_key)

        async def enter(session: AsyncSession, user_id: int, fresh: str | None) -> Entered:
            act_as(session, replace(self.audit, actor_id=user_id))
            if fresh is not None:
                renewed = update(Credential).where(Credential.user_id == user_id).values(password_hash=fresh)
                await session.execute(renewed)
            await logins.insert_login(session, attempt, "ok", user_id)
            name = (attempt.agent or "session")[:_LONGEST_NAME]
            issued = await tokens.issue(
                session, user_id=user_id, kind="session", name=name, permissions=None, lifetime=lifetime
            )
            return Entered(issued.text, issued.id, user_id, issued.expires_at)

        return await self.prove(attempt, password, account, enter)

    async def prove(
        self,
        attempt: Attempt,
        password: str,
        account: Account | None,
        then: Callable[[AsyncSession, int, str | None], Awaitable[T]],
        *,
        new_password: str | None = None,
    ) -> Result[T]:
        """Compare the password and, if it is right, do `then` in the transaction that counts the attempt.

        `then` is given a hash to store: of the new password, or of this one if its hash has outdated parameters.

        An account that does not exist takes the same steps and the same time. The limits are looked at before the
        hash, which costs the most, and again after it, when no other attempt can come between.

        Raises:
            Unavailable: too many passwords are being checked.
        """
        standing = await logins.read_standing(self.database.reader, attempt)
        if wait_seconds := logins.wait_seconds(standing):
            if not logins.is_noted(standing):
                await self.database.units.run(lambda session: _refuse(session, attempt, account), audit=self.audit)
            return Result(outcome="throttled", wait_seconds=wait_seconds)
        verified = await self.passwords.verify(account.password_hash if account else None, password)
        fresh = None
        if verified.right and (new_password or verified.outdated):
            fresh = await self.passwords.hash(new_password or password)

        async def settle(session: AsyncSession) -> Result[T]:
            result: Result[T] = await _counted(session, attempt, account, right=verified.right)
            if result.outcome != "ok" or account is None:
                return result
            return Result(outcome="ok", value=await then(session, account.user_id, fresh))

        return await self.database.units.run(settle, audit=self.audit)


def doorkeeper_of(request: "Request[Any, Any, Any]") -> Doorkeeper:
    """Return the one of this process."""
    state = request.app.state
    audit = audit_of(request.scope, "api")
    return Doorkeeper(database=state["database"], passwords=state["passwords"], audit=audit)


def attempt_of(request: "Request[Any, Any, Any]", email: str) -> Attempt:
    """Return who tries to log in by this request."""
    return Attempt.of(email, request.app.state["addresses"].of(request.scope), header(request.scope, b"user-agent"))


def count(request: "Request[Any, Any, Any]", result: Result[Any]) -> None:
    """Count the attempt in the metrics."""
    request.app.state["metrics"].count_login(result.outcome)


def refuse_throttled(result: Result[Any]) -> None:
    """Return if the password was looked at.

    Raises:
        TooMany: it was not, or the attempt came too late to be told.
    """
    if result.outcome == "throttled":
        message = f"There were too many failed logins; try again in {counted(result.wait_seconds, 'second')}."
        raise TooMany(message, retry_after_seconds=result.wait_seconds)


async def account_of(database: Database, user_id: int) -> Account:
    """Return the account of a user who sent a token; raises NotFound for one who was deleted meanwhile."""
    account = await database.reader.first(queries.ACCOUNT_OF_USER, id=user_id)
    if account is None:
        raise NotFound(f"There is no user {user_id}.")
    return account


async def end(session: AsyncSession, token_id: int) -> None:
    """Revoke the token of a session."""
    at = now()
    ended = update(Token).where(Token.id == token_id, Token.revoked_at.is_(None))
    await session.execute(ended.values(revoked_at=at, version=Token.version + 1))
    record_updated(session, Token, {"id": token_id}, {"revoked_at": (None, at)})


async def _counted(session: AsyncSession, attempt: Attempt, account: Account | None, *, right: bool) -> Result[T]:
    """Return how the attempt ends, a failure with its row stored."""
    standing = await logins.lock_standing(session, attempt)
    if wait_seconds := logins.wait_seconds(standing):
        # Attempts that ran at the same time filled the limit: whether this password was right is not told.
        if not logins.is_noted(standing):
            await logins.insert_login(session, attempt, "throttled", account.user_id if account else None)
        return Result(outcome="throttled", wait_seconds=wait_seconds)
    outcome = await _outcome(session, account, right=right)
    if outcome != "ok":
        await logins.insert_login(session, attempt, outcome, account.user_id if account else None)
    return Result(outcome=outcome)


async def _outcome(session: AsyncSession, account: Account | None, *, right: bool) -> str:
    if account is None:
        return "unknown"
    if not right:
        return "wrong"
    # A password that was changed during the hash must open nothing. A new hash of the same one has the same time.
    found = (await session.execute(queries.PASSWORD, {"user_id": account.user_id})).one_or_none()
    if found is None or found.changed_at != account.changed_at:
        return "wrong"
    return "ok" if found.active else "inactive"


async def _refuse(session: AsyncSession, attempt: Attempt, account: Account | None) -> None:
    if not logins.is_noted(await logins.lock_standing(session, attempt)):
        await logins.insert_login(session, attempt, "throttled", account.user_id if account else None)
