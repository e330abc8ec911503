"""The feed of events: where a cursor stands, what comes after it, and what restores and retention do to it."""

import base64
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated

import msgspec
from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from service.db.audit import SYSTEM, Audit, record
from service.db.database import Database
from service.db.reader import Reader
from service.db.types import next_transaction
from service.db.words import LARGEST_KEY
from service.errors import Gone, Malformed, Unavailable
from service.events import queries, schemas
from service.events.queries import Position, Standing
from service.models import Event

NOW = "now"

_BATCH_ROWS = 5000
_RENUMBER_SECONDS = 30
# The key of an advisory lock: "feed" in ASCII.
_RENUMBERING = 0x66656564
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_BEGINNING = Position(-LARGEST_KEY, 0)

_encode = msgspec.json.Encoder().encode
# The id of an event, and its time in microseconds: another database may have another event of this id.
_decode = msgspec.json.Decoder(
    tuple[Annotated[int, msgspec.Meta(ge=1, le=LARGEST_KEY)], Annotated[int, msgspec.Meta(ge=0, le=LARGEST_KEY)]]
).decode


class Feed:
    """Reads on from a cursor; `cursor` is where it stands by now."""

    def __init__(self, reader: Reader, position: Position, cursor: str | None) -> None:
        self._reader = reader
        self._position = position
        self.cursor = cursor

    @classmethod
    async def after(cls, reader: Reader, cursor: str | None) -> "Feed":
        """Return a feed that begins after the cursor, at the oldest event without one, or now.

        Raises:
            Malformed: the cursor is none.
            Gone: its event is not in this database.
        """
        if cursor is None:
            return cls(reader, _BEGINNING, None)
        if cursor == NOW:
            standing = await look(reader)
            if standing.transaction_id is None or standing.id is None or standing.created_at is None:
                return cls(reader, _BEGINNING, None)
            return cls(
                reader, Position(standing.transaction_id, standing.id), _written(standing.id, standing.created_at)
            )
        id, micros = _read(cursor)
        found = await reader.first(queries.PLACE, id=id)
        if found is None or _micros(found[1]) != micros:
            raise Gone(
                "The event of this cursor is not in the database: it was removed by retention, or the database was "
                "replaced by an older copy. Begin again without `after`, or with after=now."
            )
        return cls(reader, Position(found[0], id), cursor)

    async def restart(self) -> "Feed":
        """Return a feed that begins at the cursor; events may have been renumbered meanwhile. Raises as `after`."""
        return self if self.cursor is None else await Feed.after(self._reader, self.cursor)

    async def read(self, limit: int) -> list[tuple[str, schemas.Event]]:
        """Return the events that come next, each with its cursor, and move behind them."""
        transaction_id, id = self._position
        rows = await self._reader.all(queries.FEED, after_transaction=transaction_id, after_id=id, most=limit)
        if not rows:
            return []
        last_transaction, last = rows[-1]
        self._position = Position(last_transaction, last.id)
        found = [(_written(event.id, event.created_at), event) for _, event in rows]
        self.cursor = found[-1][0]
        return found


async def look(reader: Reader) -> Standing:
    """Return what the feed can show by now.

    Raises:
        Unavailable: the events come from another server, and their order is being restored.
    """
    standing = await reader.first(queries.STANDING)
    assert standing is not None  # noqa: S101 - it selects from no table
    if standing.is_restored:
        raise Unavailable(
            "The events were restored from another server; the feed begins again when they are renumbered.",
            retry_after_seconds=_RENUMBER_SECONDS,
        )
    return standing


async def renumber_restored(database: Database) -> int:
    """Move events that another PostgreSQL server numbered before all that this one numbers; return how many moved.

    Ids of transactions begin anew on the server that a dump is restored on. The order of the events is kept, and
    cursors, which name events, stay valid.
    """
    if database.writing.dialect.name != "postgresql":
        return 0
    return await database.units.run(_renumber)


async def _renumber(session: AsyncSession) -> int:
    # A second process that waited for rows of the first would move them twice.
    if not await session.scalar(select(func.pg_try_advisory_xact_lock(_RENUMBERING))):
        return 0
    is_restored = Event.transaction_id >= next_transaction()
    highest, last = (
        await session.execute(select(func.max(Event.transaction_id), func.max(Event.id)).where(is_restored))
    ).one()
    if highest is None:
        return 0
    first = await session.scalar(select(func.min(Event.id)))
    moved = 0
    # Events of this server have larger ids than all that were restored. No statement takes longer than one may.
    for at in range(first or 0, last + 1, _BATCH_ROWS):
        some = Event.id.between(at, min(at + _BATCH_ROWS - 1, last))
        move = update(Event).where(some).values(transaction_id=Event.transaction_id - (highest + 1))
        result = await session.execute(move, execution_options={"synchronize_session": False})
        moved += result.rowcount  # type: ignore[attr-defined]
    return moved


async def prune(database: Database, before: datetime, audit: Audit = SYSTEM) -> int:
    """Delete events that are older, in batches, and return how many; the newest stays: cursors may stand on it."""
    rows = 0
    while deleted := await database.units.run(lambda session: _prune_some(session, before), alone=True):
        rows += deleted

    async def tell(session: AsyncSession) -> None:
        changes = {"before": (None, before), "rows": (None, rows)}
        record(session, action="event.pruned", resource="events", changes=changes)

    if rows:
        await database.units.run(tell, audit=audit)
    return rows


async def _prune_some(session: AsyncSession, before: datetime) -> int:
    newest = select(Event.id).order_by(Event.transaction_id.desc(), Event.id.desc()).limit(1).scalar_subquery()
    old = select(Event.id).where(Event.id < newest, Event.created_at < before).order_by(Event.id).limit(_BATCH_ROWS)
    result = await session.execute(delete(Event).where(Event.id.in_(old)))
    return int(result.rowcount)  # type: ignore[attr-defined]


def rendered(found: Sequence[tuple[str, schemas.Event]], cursor: str | None, standing: Standing) -> schemas.EventFeed:
    """Return the response of the feed."""
    return schemas.EventFeed([event for _, event in found], cursor, standing.held_since)


def _written(id: int, moment: datetime) -> str:
    return base64.urlsafe_b64encode(_encode([id, _micros(moment)])).rstrip(b"=").decode()


def _read(cursor: str) -> tuple[int, int]:
    try:
        return _decode(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
    except (ValueError, RecursionError):  # base64's and msgspec's errors are ValueErrors too
        raise Malformed("`after` is no cursor of the feed: send next_cursor of a response, or now.") from None


def _micros(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)
