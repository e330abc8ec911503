"""What is read of events."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, bindparam, literal, select, tuple_, type_coerce

from service.db.listing import Filter, Listing
from service.db.reader import Query
from service.db.types import JsonText, first_open_transaction, next_transaction
from service.events import schemas
from service.models import Event

_COLUMNS = (
    Event.id,
    Event.created_at,
    Event.action,
    Event.resource,
    Event.resource_id,
    Event.resource_key,
    type_coerce(Event.changes, JsonText()).label("changes"),
    Event.via,
    Event.actor_id,
    Event.token_id,
    Event.request_id,
)

EVENTS = Listing(
    schemas.Event,
    select(*_COLUMNS),
    key=Event.id,
    sorts={"id": Event.id, "created_at": Event.created_at},
    filters={
        "resource": Filter(lambda value: Event.resource == value),
        "resource_id": Filter(lambda value: Event.resource_id == value),
        "resource_key": Filter(lambda value: Event.resource_key == value),
        "actor_id": Filter(lambda value: Event.actor_id == value),
        "action": Filter(lambda value: Event.action == value),
        "via": Filter(lambda value: Event.via == value),
        "since": Filter(lambda value: Event.created_at >= value),
        "until": Filter(lambda value: Event.created_at < value),
    },
)


class Position(NamedTuple):
    """A place in the feed: after this event of this transaction."""

    transaction_id: int
    id: int


class Standing(NamedTuple):
    """The newest event of the feed, the oldest that it holds back, and whether ids of transactions begin anew."""

    transaction_id: int | None
    id: int | None
    created_at: datetime | None
    held_since: datetime | None
    is_restored: bool


_event: Callable[..., schemas.Event] = schemas.Event
_IN_ORDER = (Event.transaction_id, Event.id)
_BACKWARDS = (Event.transaction_id.desc(), Event.id.desc())
# What a transaction that is still open stores comes after all that is before this; xmin of the statement's snapshot.
_IS_SETTLED = Event.transaction_id < first_open_transaction()

PLACE = Query(
    lambda *row: row,
    select(Event.transaction_id, Event.created_at).where(Event.id == bindparam("id", type_=Event.id.type)),
)
FEED = Query(
    lambda *row: (row[-1], _event(*row[:-1])),
    select(*_COLUMNS, Event.transaction_id)
    .where(
        tuple_(*_IN_ORDER)
        > tuple_(bindparam("after_transaction", type_=BigInteger()), bindparam("after_id", type_=Event.id.type)),
        _IS_SETTLED,
    )
    .order_by(*_IN_ORDER)
    .limit(bindparam("most")),
)


def _newest(column: Any) -> Any:
    return select(column).where(_IS_SETTLED).order_by(*_BACKWARDS).limit(1).scalar_subquery()


STANDING = Query(
    Standing,
    select(
        _newest(Event.transaction_id).label("transaction_id"),
        _newest(Event.id).label("id"),
        _newest(Event.created_at).label("created_at"),
        select(Event.created_at)
        .where(~_IS_SETTLED)
        .order_by(*_IN_ORDER)
        .limit(1)
        .scalar_subquery()
        .label("held_since"),
        (select(Event.transaction_id).order_by(*_BACKWARDS).limit(1).scalar_subquery() >= next_transaction()).label(
            "is_restored"
        ),
    ).select_from(select(literal(1)).subquery()),
)
