"""Which addresses `roster serve` may bind: those of this machine alone, until an administrator or a token exists."""

import asyncio
from ipaddress import ip_address

from service.db.engine import Limits, Purpose, create_engine
from service.db.failures import causes, is_schema_missing
from service.db.reader import Reader
from service.db.urls import parse_url, sqlite_file
from service.errors import Misconfigured, Unavailable
from service.http.auth.queries import ADMIN_EXISTS
from service.migrate.run.locking.waiting import disposed
from service.settings import Settings

_ANSWER_SECONDS = 5.0


def has_admin(settings: Settings) -> bool | None:
    """Tell whether an active user has the role admin; None if the database cannot be asked."""
    url = parse_url(settings.database_url)
    if url.get_backend_name() == "sqlite" and not sqlite_file(url).exists():
        return False

    async def ask() -> bool:
        limits = Limits(statement_seconds=_ANSWER_SECONDS, busy_seconds=_ANSWER_SECONDS, pool_size=1)
        engine = create_engine(url, Purpose.READ, limits=limits, pooler=settings.pooler)
        async with disposed(engine), asyncio.timeout(_ANSWER_SECONDS):
            reader = Reader(engine, deadline_seconds=0, pooler=settings.pooler)
            return await reader.first(ADMIN_EXISTS) is not None

    try:
        return asyncio.run(ask())
    except TimeoutError:
        return None
    except Unavailable as failure:
        # Without the tables there is no administrator.
        return False if any(is_schema_missing(each) for each in causes(failure)) else None


def check_host(host: str, settings: Settings, *, admin: bool | None) -> None:
    """Return if the address may be bound.

    Raises:
        Misconfigured: other machines reach the address, or may do so, and nobody could log in yet.
    """
    if host == "localhost" or settings.bootstrap_token or admin is not False:
        return
    try:
        if ip_address(host.strip("[]")).is_loopback:
            return
    except ValueError:
        raise Misconfigured(f"--host is {host!r}; an address such as 127.0.0.1 or ::1 is expected.") from None
    raise Misconfigured(
        f"--host {host} is an address that other machines reach, and no administrator exists yet. Run `roster token "
        "create --role admin --name NAME` first, or set ROSTER_BOOTSTRAP_TOKEN, or bind 127.0.0.1."
    )
