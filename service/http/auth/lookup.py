"""Looks up the actor of a token: one query, cached for at most a second (decision 55)."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from time import monotonic
from typing import Final

import structlog
from sqlalchemy import update

from service.db.clock import now
from service.db.database import Database
from service.errors import Unauthenticated
from service.http.auth.actors import Actor
from service.http.auth.permissions import Permission
from service.http.auth.queries import TOKEN, TokenRole, of_role
from service.http.auth.token_text import digest, is_token
from service.models import Token

# The longest time until a token that another process revoked is refused here.
CACHE_SECONDS: Final = 1.0
_MOST_CACHED = 10_000
_USE_NOTED_EVERY = timedelta(seconds=60)
_FLUSH_SECONDS = 1.0

UNKNOWN: Final = "The token is not valid: there is no such token."

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Cached:
    actor: Actor
    until: float


class Tokens:
    """Looks up tokens and stores when each was last used; `count` is called with the outcome of each check."""

    def __init__(self, database: Database, count: Callable[[str], None]) -> None:
        self._database = database
        self._count = count
        self._cache: dict[bytes, _Cached] = {}
        # The same by the SHA-256 of the whole header, so that a header is read once.
        self._headers: dict[bytes, _Cached] = {}
        # A lookup that began before `forget` must not fill the cache after it.
        self._generation = 0
        self._noted: dict[int, float] = {}
        self._used: set[int] = set()
        self._flushing: asyncio.Task[None] | None = None

    def cached(self, header: bytes) -> Actor | None:
        """Return the actor of an Authorization header that was read less than a second ago."""
        actor = self.known(header)
        if actor is not None:
            self._count("cached")
        return actor

    def known(self, header: bytes) -> Actor | None:
        """As `cached`, for a caller that counts the check itself."""
        cached = self._headers.get(sha256(header).digest())
        return None if cached is None or monotonic() >= cached.until else cached.actor

    async def actor(self, text: str, header: bytes | None = None) -> Actor:
        """Return the actor of a token; `header` is remembered for `cached`.

        Raises:
            Unauthenticated: the token is not valid; the message says why.
            Unavailable: the database cannot answer.
        """
        key = digest(text)
        cached = self._cache.get(key)
        if cached is not None and monotonic() < cached.until:
            self._count("cached")
            return cached.actor
        if not is_token(text):
            raise self._refusal("malformed", "The token is not valid: it is not written as Roster's tokens are.")
        generation, started = self._generation, monotonic()
        rows = await self._database.reader.all(TOKEN, digest=key)
        if not rows:
            self._cache.pop(key, None)
            raise self._refusal("unknown", UNKNOWN)
        self._check(rows[0], key)
        actor = _actor(rows)
        self._keep(key, header, actor, generation, started)
        self._note_use(rows[0])
        self._count("valid")
        return actor

    def last_known(self, text: str) -> Actor | None:
        """Return the actor that the token had when the database last answered; `forget` ends that."""
        cached = self._cache.get(digest(text))
        if cached is None or (cached.actor.expires_at is not None and cached.actor.expires_at <= now()):
            return None
        return cached.actor

    def forget(self) -> None:
        """Empty the cache, after a change of a token, a role or a user."""
        self._cache.clear()
        self._headers.clear()
        self._generation += 1

    def _check(self, row: TokenRole, key: bytes) -> None:
        reason = None
        if row.kind == "link":
            reason = "unknown", UNKNOWN
        elif row.revoked_at is not None:
            reason = "revoked", "The token was revoked."
        elif row.expires_at is not None and row.expires_at <= now():
            reason = "expired", "The token has expired."
        elif not row.active:
            reason = "inactive", "The user of the token is not active."
        if reason:
            self._cache.pop(key, None)
            raise self._refusal(*reason)

    def _refusal(self, outcome: str, detail: str) -> Unauthenticated:
        self._count(outcome)
        return Unauthenticated(detail, error="invalid_token")

    def _keep(self, key: bytes, header: bytes | None, actor: Actor, generation: int, started: float) -> None:
        if generation != self._generation:
            return
        if len(self._cache) >= _MOST_CACHED:
            self._cache.clear()
            self._headers.clear()
        seconds = CACHE_SECONDS
        if actor.expires_at is not None:
            seconds = min(seconds, (actor.expires_at - now()).total_seconds())
        cached = self._cache[key] = _Cached(actor, started + seconds)
        if header is not None:
            if len(self._headers) >= _MOST_CACHED:
                self._headers.clear()
            self._headers[sha256(header).digest()] = cached

    def _note_use(self, row: TokenRole) -> None:
        """Store the time of this use in the background, at most once a minute per token."""
        if row.last_used_at is not None and now() - row.last_used_at < _USE_NOTED_EVERY:
            return
        at = monotonic()
        if at - self._noted.get(row.id, -_USE_NOTED_EVERY.total_seconds()) < _USE_NOTED_EVERY.total_seconds():
            return
        if len(self._noted) >= _MOST_CACHED:
            self._noted.clear()
        self._noted[row.id] = at
        if not self._used:
            asyncio.get_running_loop().call_later(_FLUSH_SECONDS, self._begin_flush)
        self._used.add(row.id)

    def _begin_flush(self) -> None:
        self._flushing = asyncio.ensure_future(self.flush())

    async def flush(self) -> None:
        """Store when tokens were last used; a database that cannot is tried again a minute later."""
        used, self._used = sorted(self._used), set()
        if not used or self._database.closed:
            return
        # version and updated_at stay: a use is no change of the token.
        values = {"last_used_at": now(), "updated_at": Token.updated_at}
        statement = update(Token).where(Token.id.in_(used)).values(values)
        try:
            await self._database.units.run(
                lambda session: session.execute(statement, execution_options={"synchronize_session": False})
            )
        except Exception as failure:  # noqa: BLE001 - a lost time of use is harmless
            log.warning("the use of tokens was not noted", tokens=len(used), reason=repr(failure))


def _actor(rows: list[TokenRole]) -> Actor:
    token = rows[0]
    held = frozenset[Permission]().union(*(of_role(each.built_in, each.role, each.role_permissions) for each in rows))
    limited = token.permissions is not None
    return Actor(
        kind="session" if token.kind == "session" else "token",
        user_id=token.user_id,
        token_id=token.id,
        permissions=held.intersection(token.permissions) if token.permissions is not None else held,
        limited=limited,
        expires_at=token.expires_at,
    )
