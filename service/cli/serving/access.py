"""Access to `roster serve`: the addresses that may be bound, and the first lines that it prints."""

import asyncio
import sys
from ipaddress import ip_address
from pathlib import Path

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
    """Return whether an active user has the role admin; None if the database is not available."""
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
        Misconfigured: other machines may reach the address, and no user could log in yet.
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


def access_lines(base: str, *, settings: Settings, admin: bool | None, code: str) -> dict[str, str]:
    """Return, by title, who may use the service and what to do first; `base` is its address."""
    users = f"curl -s {base}/v1/users"
    create = f"{_program()} token create --role admin --name laptop"
    if admin is not False:
        return {"Access": "with a token of a user", "Try": f'{users} -H "Authorization: Bearer $({create})"'}
    setup = {"Setup": f"{base}/setup#{code} makes the first administrator; valid for 30 minutes"}
    if settings.bootstrap_token:
        return {
            "Access": "with ROSTER_BOOTSTRAP_TOKEN, until an administrator exists",
            **setup,
            "Try": f'{users} -H "Authorization: Bearer $ROSTER_BOOTSTRAP_TOKEN"',
        }
    return {
        "Access": f"from this machine without a token, until an administrator exists (`{create}`)",
        **setup,
        "Try": users,
    }


def _program() -> str:
    """Return how this command was called, so that its name can be typed again."""
    called = Path(sys.argv[0])
    return str(called) if called.name == "roster" else "roster"
