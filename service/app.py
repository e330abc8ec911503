"""Builds the ASGI application from the settings."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from typing import Any

from litestar import Litestar
from litestar.datastructures import State
from litestar.exceptions import HTTPException

from service.archives import handlers as archives
from service.console import password
from service.console import setup as setup_page
from service.db.database import Database
from service.department_employees import handlers as department_employees
from service.departments import handlers as departments
from service.employees import handlers as employees
from service.events import actions as feed
from service.events import handlers as events
from service.housekeeping import keep_house
from service.http import docs, failed_requests
from service.http.auth.addresses import Addresses
from service.http.auth.authentication import Authentication
from service.http.auth.setup_code import SetupCode
from service.http.cors import Cors
from service.http.edge import Edge
from service.http.hosts import Hosts
from service.http.shortcut import Direct, Shortcut
from service.http.transfer.spool import Spool
from service.http.waiting import Waiting
from service.logins import handlers as logins
from service.models import Base
from service.naming import use_roster
from service.observability import handlers as observability
from service.observability import logs, schema
from service.observability.metrics import Metrics
from service.password_hashing.pool import Passwords
from service.passwords import handlers as passwords
from service.preferences import handlers as preferences
from service.records import handlers as records
from service.roles import handlers as roles
from service.sessions import handlers as sessions
from service.settings import Settings
from service.setup import handlers as setup
from service.tokens import handlers as tokens
from service.users import handlers as users

ROUTERS = [
    observability.router,
    users.router,
    preferences.router,
    archives.router,
    roles.router,
    records.router,
    departments.router,
    employees.router,
    department_employees.router,
    tokens.router,
    sessions.router,
    passwords.router,
    logins.router,
    setup.router,
    events.router,
    schema.router,
    docs.router,
    password.router,
    setup_page.router,
]

_COMMON: dict[str, Any] = {
    "exception_handlers": {HTTPException: failed_requests.answer_failure, Exception: failed_requests.answer_failure},
    "middleware": [Shortcut],
    "openapi_config": None,
    "logging_config": None,
    # With a limit, Litestar reads the body even if no handler takes it.
    "request_max_body_size": None,
}


class Roster(Edge):
    """The service as an ASGI application; its lifespan closes the database."""

    def __init__(self, settings: Settings, setup_code: SetupCode | None = None) -> None:
        Spool(settings.spool_directory).check()
        self.settings = settings
        self.database = Database(settings, Base.metadata)
        self.metrics = Metrics()
        self.metrics.watch("read", self.database.reading)
        self.metrics.watch("write", self.database.writing)
        self.addresses = Addresses(settings.trusted_proxies)
        self.authentication = Authentication(
            self.database,
            bootstrap_token=settings.bootstrap_token,
            setup=setup_code,
            addresses=self.addresses,
            count=self.metrics.count_token_check,
        )
        self.waiting = Waiting(self._look_at_feed, most=settings.feed_clients)
        self.database.units.when_recorded = self.waiting.hint
        self.passwords = Passwords(settings)
        self.metrics.watch_passwords(lambda: self.passwords.taken)
        self.litestar = _litestar(self)
        super().__init__(
            Direct(self.litestar, self.authentication),
            self.metrics.observe,
            logs.requests(),
            _allow(self.litestar),
            Hosts(settings.allowed_hosts),
            Cors(settings.cors_origins),
        )

    async def _look_at_feed(self) -> object:
        standing = await feed.look(self.database.reader)
        return standing.transaction_id, standing.id


def create_app(settings: Settings | None = None, setup_code: SetupCode | None = None) -> Roster:
    """Return the service; it connects to the database on first use. `setup_code` is that of its setup URL.

    Raises:
        Misconfigured: the spool directory cannot be written to.
    """
    use_roster()
    return Roster(settings or Settings.from_env(), setup_code)


def _litestar(roster: Roster) -> Litestar:
    @asynccontextmanager
    async def hold_database(_app: Litestar) -> AsyncIterator[None]:
        housekeeping = asyncio.create_task(keep_house(roster.database, roster.settings))
        try:
            yield
        finally:
            housekeeping.cancel()
            await asyncio.wait([housekeeping])
            roster.passwords.close()
            await roster.authentication.tokens.flush()
            await roster.database.close()

    state = {
        "database": roster.database,
        "settings": roster.settings,
        "metrics": roster.metrics,
        "authentication": roster.authentication,
        "addresses": roster.addresses,
        "passwords": roster.passwords,
        "waiting": roster.waiting,
    }
    app = Litestar(state=State(state), lifespan=[hold_database], **_COMMON)
    app.routes = [*_registered().routes]
    app.asgi_router.construct_routing_trie()
    return app


@cache
def _registered() -> Litestar:
    """Return an application without a state, whose routes those with one share: to register them takes 50 ms."""
    return Litestar(route_handlers=ROUTERS, **_COMMON)


def _allow(app: Litestar) -> dict[str, bytes]:
    """Return the value of Allow for each route, by its template."""
    methods: dict[str, set[str]] = defaultdict(set)
    for route in app.routes:
        methods[route.path_format] |= set(getattr(route, "methods", ()))
    return {path: failed_requests.allowed(list(served)).encode() for path, served in methods.items()}
