"""The audit trail: what a unit of work changes, collected in its session and stored just before its COMMIT."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

import msgspec
from sqlalchemy import Table, event, inspect
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

TABLE = "events"
# Where `session.info` keeps who acts, and what is recorded so far.
_AUDIT, _TRAIL = "audit", "trail"
# No event shows them: a secret is none any more once it is written down twice.
_SECRET = frozenset({"password_hash", "digest"})
# The event itself says which row and when; the version is counted by the row.
_IMPLIED = frozenset({"id", "version", "created_at", "updated_at"})
_WORDS = re.compile(r"(?<=[a-z])(?=[A-Z])")

Via = Literal["api", "cli", "import", "system"]
Changes = Mapping[str, tuple[Any, Any]]

_NONE: Changes = MappingProxyType({})

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """Who makes the changes of a unit of work, and by which way."""

    actor_id: int | None = None
    token_id: int | None = None
    via: Via = "system"
    request_id: str | None = None


SYSTEM = Audit()


class Recorded(NamedTuple):
    """One event, but for what all events of its unit share; `changes` is JSON text."""

    action: str
    resource: str
    resource_id: int | None
    resource_key: str | None
    changes: str


class Subject(NamedTuple):
    """How events name the rows of a model: the noun of its URLs, one of them, and the columns that events show."""

    noun: str
    one: str
    shown: tuple[str, ...]
    # Of these, text columns that hold JSON.
    documents: frozenset[str]


def act_as(session: AsyncSession, audit: Audit) -> None:
    """Let the session's events say who acts."""
    session.info[_AUDIT] = audit


def audit_of(session: AsyncSession | Session) -> Audit:
    """Return who acts in a session; the service itself, if nobody else does."""
    found: Audit = session.info.get(_AUDIT, SYSTEM)
    return found


def recorded(session: AsyncSession | Session) -> list[Recorded]:
    """Return the session's events that are not stored yet; the list may be changed."""
    trail: list[Recorded] | None = session.info.get(_TRAIL)
    if trail is None:
        trail = session.info[_TRAIL] = []
    return trail


def record(
    session: AsyncSession | Session,
    *,
    action: str,
    resource: str,
    resource_id: int | None = None,
    resource_key: str | None = None,
    changes: Changes = _NONE,
) -> None:
    """Store an event in the transaction of the session, when it commits.

    `changes` are {field: (old, new)} in values that JSON knows, without secrets. What `service.db.rows` and the ORM
    write to tracked models is recorded by itself.
    """
    text = _encode(dict(changes)).decode()
    recorded(session).append(Recorded(action, resource, resource_id, resource_key, text))


def record_created(session: AsyncSession | Session, model: Any, values: Mapping[str, Any]) -> None:
    """Record that a row with these values, its primary key among them, was inserted."""
    record_row(session, model, "created", values, created_changes(values))


def record_updated(session: AsyncSession | Session, model: Any, key: Mapping[str, Any], changes: Changes) -> None:
    """Record that the row with this primary key was changed."""
    record_row(session, model, "updated", key, changes)


def created_changes(values: Mapping[str, Any]) -> Changes:
    """Return the changes that made a new row: its values that are not NULL."""
    return {name: (None, value) for name, value in values.items() if value is not None}


def record_deleted(session: AsyncSession | Session, model: Any, values: Mapping[str, Any]) -> None:
    """Record that a row with these values, its primary key among them, was deleted."""
    changes = {name: (value, None) for name, value in values.items() if value is not None}
    record_row(session, model, "deleted", values, changes)


@cache
def subject(model: Any) -> Subject:
    """Return how events name the rows of a model."""
    columns = model.__table__.columns.keys()
    # A folded copy changes with the column that it is made of.
    folded = {name for name in columns if name.endswith("_key") and name.removesuffix("_key") in columns}
    one = _WORDS.sub("-", model.__name__).lower()
    hidden = folded | _SECRET | _IMPLIED
    documents = frozenset(name for name in columns if model.__table__.c[name].info.get("json"))
    return Subject(noun_of(model.__table__), one, tuple(name for name in columns if name not in hidden), documents)


def noun_of(table: Table) -> str:
    """Return the noun by which URLs and events know a table."""
    return table.name.replace("_", "-")


def identity(table: Table, values: Mapping[str, Any]) -> tuple[int | None, str | None]:
    """Return the id of a row or, if its primary key is something else, that key as text."""
    names = _key_names(table)
    if len(names) == 1 and isinstance(values[names[0]], int):
        return values[names[0]], None
    return None, "/".join(str(values[name]) for name in names)


@cache
def _key_names(table: Table) -> Sequence[str]:
    return [column.name for column in table.primary_key]


def record_row(
    session: AsyncSession | Session, model: Any, verb: str, values: Mapping[str, Any], changes: Changes
) -> None:
    """Record what was done to the row with the primary key in `values`: it was `created`, `updated` or `deleted`."""
    noun, one, _, _ = subject(model)
    id, key = identity(model.__table__, values)
    recorded(session).append(Recorded(f"{one}.{verb}", noun, id, key, changes_text(model, changes)))


def changes_text(model: Any, changes: Changes) -> str:
    """Return the JSON text of the changes that events show of a model."""
    _, _, shown, documents = subject(model)
    told = {name: change for name, change in changes.items() if name in shown}
    for name in documents & told.keys():
        told[name] = (_raw(told[name][0]), _raw(told[name][1]))
    return _encode(told).decode()


def _raw(text: str | None) -> msgspec.Raw | None:
    return None if text is None else msgspec.Raw(text.encode())


class RecordingSession(Session):
    """A session that records what it flushes to models that count their changes."""


@event.listens_for(RecordingSession, "after_flush")
def _record_flushed(session: Session, _context: object) -> None:
    # Primary keys are known by now, and the rows still know what they were.
    for row in filter(_is_tracked, session.new):
        record_created(session, type(row), _values(row))
    for row in filter(_is_tracked, session.dirty):
        if changes := dict(_changes(row)):
            record_updated(session, type(row), _values(row), changes)
    for row in filter(_is_tracked, session.deleted):
        record_deleted(session, type(row), _values(row))


def _is_tracked(row: Any) -> bool:
    return inspect(row).mapper.version_id_col is not None


def _values(row: Any) -> dict[str, Any]:
    state = inspect(row)
    return {name: value for name, value in state.dict.items() if name in state.mapper.columns}


def _changes(row: Any) -> Iterator[tuple[str, tuple[Any, Any]]]:
    state = inspect(row)
    kind: Any = type(row)
    for name in subject(kind).shown:
        history = state.attrs[name].history
        if history.added or history.deleted:
            yield name, (*(history.deleted or [None]), *(history.added or [None]))
