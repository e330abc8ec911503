"""Recording logins, and refusing them after too many failures.

Failures are counted in the history itself, so that the limits hold across processes, replicas and restarts. In a
quarter of an hour an account takes 5 from one client, which stops guessing; 50 from all clients together, which stops
guessing from many addresses; and a client takes 100 for all accounts, which stops trying one password on many. The 50
do not count for a client from which the account logged in within 30 days: others cannot lock its owner out.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address
from math import ceil
from typing import Any, Self
from zlib import crc32

import msgspec
from msgspec import UNSET, UnsetType
from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from service.db import clock
from service.db.audit import SYSTEM, Audit, record
from service.db.database import Database
from service.db.folding import fold
from service.db.listing import Page
from service.db.partitions import drop_before
from service.db.reader import Reader
from service.db.time_ids import TimeIds, id_at
from service.db.upserts import insert_into
from service.errors import Fault, Invalid
from service.http.auth.addresses import UNKNOWN, network_of
from service.http.wire import WRONG
from service.logins import schemas
from service.logins.queries import LOGINS, STANDING, Standing
from service.models import Login

WINDOW = timedelta(minutes=15)
KNOWN_FOR = timedelta(days=30)
# Refused attempts are noted once in this time, or a stream of them would fill the disk.
NOTED_EVERY = timedelta(minutes=1)

LARGEST_PAGE = 200
_LONGEST_AGENT = 200
_MICROSECONDS = 1_000_000
# Rows deleted in one transaction: writers wait for one of these at most.
_BATCH = 2_000
# The classes of advisory locks; PostgreSQL keeps locks of two numbers apart from those of one.
_ACCOUNT_LOCK, _CLIENT_LOCK = 0x6C6F6731, 0x6C6F6732

_ids = TimeIds()


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """Who tried to log in, from where, with what."""

    email: str
    email_key: str
    address: str
    network: str
    agent: str | None

    @classmethod
    def of(cls, email: str, address: str, agent: str | None) -> Self:
        """Return the attempt; what a client wrote is made fit for a line of text."""
        return cls(
            email=email, email_key=fold(email), address=address, network=network_of(address), agent=_plain(agent or "")
        )


def _plain(agent: str) -> str | None:
    shown = "".join(each if each.isprintable() else "?" for each in agent.strip())
    return shown[:_LONGEST_AGENT] or None


async def read_standing(reader: Reader, attempt: Attempt) -> Standing:
    """Return where the account and the client stand now."""
    standing = await reader.first(STANDING, **_values(attempt))
    assert standing is not None  # noqa: S101 - a SELECT without FROM has one row
    return standing


async def lock_standing(session: AsyncSession, attempt: Attempt) -> Standing:
    """Return where they stand, with other attempts of this account or this client kept out until the unit ends.

    However many attempts run at once, only as many learn whether their password was right as the limits allow: each is
    counted here again after its hash. SQLite's one writer is alone in any case.
    """
    if session.get_bind().dialect.name == "postgresql":
        keys = ((_ACCOUNT_LOCK, attempt.email_key), (_CLIENT_LOCK, attempt.network))
        await session.execute(select(*(func.pg_advisory_xact_lock(kind, _number(key)) for kind, key in keys)))
    found = (await session.execute(STANDING.statement, _values(attempt))).one()
    return Standing(*found)


def wait_seconds(standing: Standing) -> int | None:
    """Return after how many seconds the next attempt is allowed, or None if it is allowed now."""
    full = [standing.from_one_client, standing.of_the_client]
    if standing.succeeded is None:
        full.append(standing.of_the_account)
    ends = [each + WINDOW // timedelta(microseconds=1) for each in full if each is not None]
    if not ends:
        return None
    return max(1, ceil((max(ends) - id_at(clock.now())) / _MICROSECONDS))


def is_noted(standing: Standing) -> bool:
    """Tell whether a refused attempt needs no row: one was stored a moment ago."""
    return standing.refused is not None or standing.refusals_of_the_client is not None


async def insert_login(session: AsyncSession, attempt: Attempt, outcome: str, user_id: int | None) -> None:
    """Insert the row of an attempt; its id is the present moment, or the first one after it that is free."""
    values = {
        "user_id": user_id,
        "outcome": outcome,
        "address": attempt.address,
        "network": attempt.network,
        "agent": attempt.agent,
        "email": attempt.email,
        "email_key": attempt.email_key,
    }
    insert = insert_into(Login.__table__, session.get_bind().dialect)  # type: ignore[arg-type]
    id = None
    while id is None:
        taken = insert.values(id=_ids.next(), **values).on_conflict_do_nothing().returning(Login.id)
        id = await session.scalar(taken)


def _values(attempt: Attempt) -> dict[str, object]:
    now = clock.now()
    return {
        "email_key": attempt.email_key,
        "network": attempt.network,
        "since": id_at(now - WINDOW),
        "known_since": id_at(now - KNOWN_FOR),
        "noted_since": id_at(now - NOTED_EVERY),
    }


def _number(text: str) -> int:
    # 32 bits with a sign, as PostgreSQL takes them; two texts with one number wait for each other, no more.
    return crc32(text.encode()) - 2**31


async def list_newest(reader: Reader, asked: schemas.LoginParameters, most: int) -> list[schemas.Login]:
    """Return the newest logins, from as many pages as it takes."""
    found: list[schemas.Login] = []
    cursor: str | UnsetType | None = UNSET
    while cursor is not None and len(found) < most:
        size = min(most - len(found), LARGEST_PAGE)
        page = await page_of(reader, msgspec.structs.replace(asked, limit=size, cursor=cursor))
        found += page.items
        cursor = page.next_cursor
    return found


async def page_of(reader: Reader, asked: schemas.LoginParameters, **fixed: Any) -> Page[schemas.Login]:
    """Return a page; `fixed` are filters that the path sets. The cursor belongs to every filter but the limit.

    Raises:
        Invalid: the address to filter by is none.
    """
    if isinstance(asked.address, str):
        fixed["address"] = address = _normal(asked.address)
        fixed["network"] = network_of(address)
        asked = msgspec.structs.replace(asked, address=UNSET)
    return await LOGINS.page(reader, asked, fixed=fixed)


def _normal(address: str) -> str:
    """Return an address as the history writes it."""
    try:
        return address if address == UNKNOWN else str(ip_address(address))
    except ValueError:
        detail = "An IP address such as 203.0.113.9 or 2001:db8::1, or unknown, is expected."
        raise Invalid(WRONG, Fault(detail=detail, parameter="address")) from None


@dataclass(frozen=True, slots=True)
class Pruned:
    """What a retention run removed: the partitions of whole months, and single rows."""

    partitions: list[str]
    rows: int


async def prune(database: Database, before: datetime, audit: Audit = SYSTEM) -> Pruned:
    """Remove every login before this time: whole months as partitions, the rest in batches of single rows."""
    end = id_at(before)
    partitions = await drop_before(database, Login.__tablename__, end)
    old = select(Login.id).where(Login.id < end).order_by(Login.id).limit(_BATCH)
    rows = 0

    async def delete_some(session: AsyncSession) -> int:
        result = await session.execute(
            delete(Login).where(Login.id.in_(old)), execution_options={"synchronize_session": False}
        )
        return int(result.rowcount)  # type: ignore[attr-defined]

    while deleted := await database.units.run(delete_some, alone=True):
        rows += deleted
    pruned = Pruned(partitions, rows)

    async def tell(session: AsyncSession) -> None:
        changes = {"before": (None, before), "partitions": (None, partitions), "rows": (None, rows)}
        record(session, action="login.pruned", resource="logins", changes=changes)

    if partitions or rows:
        await database.units.run(tell, audit=audit)
    return pruned
