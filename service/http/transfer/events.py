"""Stores rows of an import in bulk, with an event for each created or changed row."""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from service.db import audit, bulk, bulk_events, trail
from service.db.audit import Recorded
from service.http.transfer.spec import Import
from service.models import Event

_encode = msgspec.json.Encoder().encode


async def insert_many(
    session: AsyncSession,
    declared: Import,
    rows: Sequence[Sequence[Any]],
    inserted: Callable[[], Coroutine[Any, Any, None]] | None = None,
) -> None:
    """Insert rows whose columns are those of `Import.inserted`, as `bulk_events.insert_many`."""
    columns = declared.inserted[session.get_bind().dialect.name]
    await bulk_events.insert_many(session, declared.table, declared.subject, columns, rows, inserted)


async def update_many(
    session: AsyncSession, declared: Import, rows: Sequence[Mapping[str, Any]], changes: Sequence[audit.Changes]
) -> None:
    """Update rows; `changes` hold the old and the new values; raises as `bulk.update_many`."""
    noun, one, *_ = declared.subject
    await bulk.update_many(session, declared.table, rows)
    audit.recorded(session).extend(
        [
            Recorded(f"{one}.updated", noun, *audit.identity(declared.table, row), _encode(change).decode())
            for row, change in zip(rows, changes, strict=True)
        ]
    )
    # An atomic import may change any number of rows before it commits.
    await trail.store_many(session, Event.__table__)  # type: ignore[arg-type]
