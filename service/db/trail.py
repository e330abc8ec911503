"""How recorded events are stored: by one statement before COMMIT, or in bulk after a batch of an import."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Table
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session
from sqlalchemy.util import await_only

from service.db import audit, bulk
from service.db.audit import Audit, Recorded
from service.db.clock import now
from service.db.commits import RECOVERED_AT, Mark
from service.db.session import UnitSession, note_stored_events
from service.db.transaction import Transaction
from service.db.types import UtcDateTime

SHARED = ("created_at", "actor_id", "token_id", "via", "request_id")
_COLUMNS = (*SHARED, *Recorded._fields)

_INSERT_ALL = f"""
    INSERT INTO {audit.TABLE} ({", ".join(_COLUMNS)})
    SELECT $1::timestamptz, $2::bigint, $3::bigint, $4::text, $5::text, each.*
    FROM unnest($6::text[], $7::text[], $8::bigint[], $9::text[], $10::text[]) AS each
"""
# It returns the transaction's mark, which would be a statement of its own otherwise (docs/decisions/0065).
_STORE_AND_MARK = f"WITH stored AS ({_INSERT_ALL}) SELECT pg_current_xact_id()::text, {RECOVERED_AT}"
_STORE_AND_ID = f"WITH stored AS ({_INSERT_ALL}) SELECT pg_current_xact_id()::text"
_STORE = f"INSERT INTO {audit.TABLE} ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))})"

_moment = UtcDateTime()


async def store_many(session: AsyncSession, table: Table) -> None:
    """Store what is recorded by now in bulk; for work that records too much to wait for its COMMIT."""
    if events := audit.recorded(session):
        shared = _shared(audit.audit_of(session), session.get_bind().dialect)
        await bulk.insert_many(session, table, _COLUMNS, [(*shared, *each) for each in events])
        events.clear()
        note_stored_events(session)


def store_and_mark(session: Session, events: Sequence[Recorded]) -> Mark:
    """Store events on PostgreSQL and return the mark of the transaction."""
    driver: Any = session.connection().connection.driver_connection
    if not driver.is_in_transaction():
        # SQLAlchemy begins with its first statement; without one, what the driver runs would commit by itself.
        session.connection().exec_driver_sql("SELECT 1")
    shared = _shared(audit.audit_of(session), session.get_bind().dialect)
    return Mark(*await_only(driver.fetchrow(_STORE_AND_MARK, *shared, *zip(*events, strict=True))))


async def store_directly(session: UnitSession, transaction: Transaction, events: Sequence[Recorded]) -> Mark | None:
    """Store events on PostgreSQL and return the mark of the transaction."""
    [[transaction.xid]] = await transaction.fetch(_STORE_AND_ID, [*shared_values(session), *zip(*events, strict=True)])
    return await transaction.mark()


def shared_values(session: UnitSession) -> tuple[Any, ...]:
    """Return what all events of a unit share, on PostgreSQL, in the order of `SHARED`."""
    by = audit.audit_of(session)
    return (now(), by.actor_id, by.token_id, by.via, by.request_id)


def insertion(session: UnitSession, events: Sequence[Recorded]) -> tuple[str, list[tuple[Any, ...]]]:
    """Return the INSERT of SQLite's driver that stores events, and its rows."""
    shared = _shared(audit.audit_of(session), session.dialect)
    return _STORE, [(*shared, *each) for each in events]


def store(session: Session, events: Sequence[Recorded]) -> None:
    """Store events on SQLite."""
    shared = _shared(audit.audit_of(session), session.get_bind().dialect)
    session.connection().exec_driver_sql(_STORE, [(*shared, *each) for each in events])


def _shared(by: Audit, dialect: Any) -> tuple[Any, ...]:
    make = _moment.dialect_impl(dialect).bind_processor(dialect)
    moment = now()
    return (make(moment) if make else moment, by.actor_id, by.token_id, by.via, by.request_id)
