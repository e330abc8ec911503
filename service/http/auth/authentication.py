"""The check before every handler: authentication, then authorization."""

from collections.abc import Callable
from hashlib import sha256
from hmac import compare_digest
from ipaddress import ip_address
from time import monotonic
from typing import Any, Final

from service.db.database import Database
from service.db.failures import causes, is_schema_missing
from service.db.sqlite.file import FileUnusable
from service.errors import Unauthenticated, Unavailable
from service.http.auth.actors import BOOTSTRAP, NOBODY, OPEN, Actor
from service.http.auth.addresses import Addresses
from service.http.auth.credentials import Shown, check_origin, read_credentials
from service.http.auth.lookup import Tokens
from service.http.auth.permissions import ANYONE, PUBLIC, Access
from service.http.auth.queries import ADMIN_EXISTS
from service.http.auth.setup_code import SetupCode

_ASK_AGAIN_SECONDS = 1.0
_LOOPBACK = frozenset({"127.0.0.1", "::1"})
# Routes that an operator needs without a database or a schema; none shows personal data.
_WITHOUT_DATABASE: Final[frozenset[Access]] = frozenset({"metrics.read", "schema.read", ANYONE})
# Writes with these permissions leave tokens, roles and users as they are.
_APART: Final[frozenset[Access]] = frozenset({"records.write", "directory.write"})

MISSING: Final = "This request needs a token: send it as `Authorization: Bearer roster_…`."


class Authentication:
    """Authenticates requests, one per process; `count` is called with the outcome of each check of a token.

    While no active user has the role admin and no bootstrap token is set, a request from this machine needs no token.
    """

    def __init__(
        self,
        database: Database,
        *,
        bootstrap_token: str = "",
        setup: SetupCode | None = None,
        addresses: Addresses | None = None,
        count: Callable[[str], None] | None = None,
    ) -> None:
        self._reader = database.reader
        self._count = count or _ignore
        self._setup = setup
        self._addresses = addresses or Addresses()
        self._bootstrap = sha256(bootstrap_token.encode()).digest() if bootstrap_token else None
        self.tokens = Tokens(database, self._count)
        self._has_admin = False
        self._asked_at = -_ASK_AGAIN_SECONDS
        self._was_open = False
        self._generation = 0

    async def admit(self, scope: Any, access: Access) -> Actor:
        """Return the actor of a request, before its body is read or its handler is asked.

        Raises:
            Unauthenticated: there is no valid token.
            Forbidden: the token lacks the permission, or a page of another origin made the request.
            Malformed: there are several Authorization headers.
            Unavailable: the database cannot answer.
        """
        if scope["method"] == "GET" and (actor := self.recognise(scope, access)) is not None:
            self.count_recognised(actor)
            return actor
        if access == PUBLIC:
            return NOBODY
        # The usual request first: one Authorization header that was read before.
        if (values := scope.get("authorization")) and len(values) == 1 and (known := self.tokens.cached(values[0])):
            if access != ANYONE:
                known.require(access)
            return known
        shown = read_credentials(scope)
        actor = await (self._anonymous(scope, access) if shown is None else self._identified(scope, access, shown))
        if access != ANYONE:
            actor.require(access)
        return actor

    def recognise(self, scope: Any, access: Access) -> Actor | None:
        """Return the actor of a GET request if the caches tell; `None` leaves the request, and its errors, to `admit`.

        Whoever uses the actor calls `count_recognised`.
        """
        if access == PUBLIC:
            return NOBODY
        actor = None
        if values := scope.get("authorization"):
            if len(values) == 1:
                actor = self.tokens.known(values[0])
        elif "cookie" not in scope and self._is_known_to_be_open() and self._is_from_this_machine(scope):
            actor = OPEN
        return actor if actor is not None and (access == ANYONE or access in actor.permissions) else None

    def count_recognised(self, actor: Actor) -> None:
        """Count the check of a token whose actor was recognised."""
        if actor.token_id is not None:
            self._count("cached")

    def _is_known_to_be_open(self) -> bool:
        is_fresh = monotonic() - self._asked_at < _ASK_AGAIN_SECONDS
        return is_fresh and not self._has_admin and self._bootstrap is None

    def forget(self) -> None:
        """Empty the caches, after this process has changed a token, a role or a user."""
        self.tokens.forget()
        self._has_admin = False
        self._asked_at = -_ASK_AGAIN_SECONDS
        self._generation += 1

    def forget_after(self, method: str, access: Access) -> None:
        """Empty the caches if a request of this method and requirement may have changed a token, a role or a user."""
        if method != "GET" and access not in _APART:
            self.forget()

    def is_setup_code(self, text: str) -> bool:
        """Return whether the text is the code of the setup URL, or the bootstrap token."""
        return (self._setup is not None and self._setup.matches(text)) or self._is_bootstrap(text)

    async def has_admin(self) -> bool:
        """Return whether an active user has the role admin; a negative result is cached for a second."""
        if self._has_admin:
            return True
        asked_at, generation = monotonic(), self._generation
        if asked_at - self._asked_at < _ASK_AGAIN_SECONDS:
            return False
        found = await self._reader.first(ADMIN_EXISTS) is not None
        if generation == self._generation:
            self._has_admin, self._asked_at = found, asked_at
        self._was_open = not found
        return found

    async def _identified(self, scope: Any, access: Access, shown: Shown) -> Actor:
        if shown.by_cookie:
            check_origin(scope, by_cookie=True)
        elif self._is_bootstrap(shown.token):
            return await self._bootstrapped()
        try:
            header = None if shown.by_cookie else scope["authorization"][0]
            return await self.tokens.actor(shown.token, header)
        except Unavailable:
            # A scrape during an outage of the database is worth more than a token that may be revoked by now.
            known = self.tokens.last_known(shown.token) if access in _WITHOUT_DATABASE else None
            if known is None:
                raise
            return known
        except Unauthenticated:
            # A browser sends the cookie of an ended session by itself.
            if shown.by_cookie and await self._is_open(scope, access):
                return OPEN
            raise

    async def _anonymous(self, scope: Any, access: Access) -> Actor:
        if await self._is_open(scope, access):
            check_origin(scope, by_cookie=False)
            return OPEN
        self._count("missing")
        raise Unauthenticated(MISSING)

    async def _is_open(self, scope: Any, access: Access) -> bool:
        if self._bootstrap is not None or not self._is_from_this_machine(scope):
            return False
        try:
            return not await self.has_admin()
        except Unavailable as failure:
            # Without the tables, or without the file, there is no administrator.
            is_empty = any(is_schema_missing(each) or _is_missing(each) for each in causes(failure))
            if access in _WITHOUT_DATABASE and (self._was_open or is_empty):
                return True
            raise

    def _is_from_this_machine(self, scope: Any) -> bool:
        client = scope.get("client")
        if self._addresses.direct and client and client[0] in _LOOPBACK:
            return True
        # A trusted proxy on this machine tells for whom it asks.
        return _is_loopback(self._addresses.of(scope))

    def _is_bootstrap(self, text: str) -> bool:
        return self._bootstrap is not None and compare_digest(sha256(text.encode()).digest(), self._bootstrap)

    async def _bootstrapped(self) -> Actor:
        if await self.has_admin():
            self._count("void")
            raise Unauthenticated(
                "The bootstrap token is void: an administrator exists, whose token is needed now.",
                error="invalid_token",
            )
        self._count("bootstrap")
        return BOOTSTRAP


def _is_missing(failure: BaseException) -> bool:
    return isinstance(failure, FileUnusable) and failure.is_missing


def _is_loopback(address: str) -> bool:
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False


def _ignore(_outcome: str) -> None:
    """Count nothing."""
