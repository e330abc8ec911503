"""The schema over HTTP: the revision of the database, the phases still to be run, and the history of steps."""

import asyncio
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any

import msgspec
from litestar import Request, Router
from litestar.types import ASGIApp

from service.db.database import Database
from service.errors import Unavailable
from service.http.answers import Answer
from service.http.binding import NoParameters
from service.http.parameters import Parameters
from service.http.unit import serves
from service.migrate.entrypoints import status
from service.migrate.errors import Refused
from service.migrate.plan import revisions
from service.migrate.plan.config import scripts
from service.migrate.state import ledger
from service.observability.readiness import migrated
from service.schema_range import NEWEST, OLDEST

_RETRY_SECONDS = 5

_NAME = r'(?:"(?:[^"]|"")+"|[^\s"(:])+'
# On PostgreSQL the kind is followed by the statement that makes the object, on SQLite by its name.
_STATEMENT = r"(?:CREATE (?:OR REPLACE |UNIQUE |CONSTRAINT )*(?:INDEX|TRIGGER|FUNCTION|PROCEDURE) )?"
_CHANGED = re.compile(
    rf"[+-] (?:constraint {_NAME} {_NAME}|in {_NAME}: (?:(?i:constraint) )?{_NAME}|\w+ {_STATEMENT}{_NAME})"
)

_nothing = Parameters(NoParameters)
_encode = msgspec.json.Encoder().encode


class SchemaRange(msgspec.Struct, frozen=True):
    """The revisions that this version works with; a newer revision keeps this version working until its contract."""

    oldest: str
    newest: str


class SchemaBackfill(msgspec.Struct, frozen=True):
    """A backfill that was started and has not finished; `roster db status` shows the error text behind a `problem`."""

    revision: str
    name: str
    state: str
    seen: int
    total: int
    filled: int
    rows_per_second: float
    seconds_left: float | None
    problem: str | None


class Schema(msgspec.Struct, frozen=True):
    """The revision of the database, whether this version works with it, and the phases still to be run.

    `drift` names each object that was changed without a migration; `roster db status` also shows definitions, which
    may hold the names of roles and hosts.
    """

    revisions: list[str]
    compatibility: str
    works: bool
    range: SchemaRange
    pending: list[str]
    incomplete: list[str]
    to_backfill: list[str]
    to_contract: list[str]
    trash: list[str]
    checksum_mismatch: list[str]
    backfills: list[SchemaBackfill]
    drift: list[str]


class SchemaStep(msgspec.Struct, frozen=True):
    """One step of a migration: time, duration, and the longest wait for a lock.

    The account and the host that ran the step are in the table migration_audit only.
    """

    at: datetime
    phase: str
    step: str
    outcome: str
    seconds: float
    attempts: int
    longest_wait_ms: float
    affected: int
    code_version: str


class SchemaRevision(msgspec.Struct, frozen=True):
    """One revision and the steps that were run."""

    id: str
    title: str
    date: str
    phases: list[str]
    applied: bool
    steps: list[SchemaStep]


class SchemaHistory(msgspec.Struct, frozen=True):
    """The revisions, the newest first."""

    items: list[SchemaRevision]
    next_cursor: None = None


@serves(
    "GET",
    "/",
    permission="schema.read",
    summary="Read the state of the schema",
    result=Schema,
    problems=(400, 422, 503),
)
async def get_schema(request: Request[Any, Any, Any]) -> ASGIApp:
    """The revision of the database, the phases still to be run, and the progress of a backfill."""
    _nothing.read(request.scope["query_string"])
    database: Database = request.app.state["database"]
    with _revisions_readable():
        # Reading the revisions' files takes a moment, once, that no other request should wait for.
        directory = await asyncio.to_thread(scripts)
        standing = await migrated(database.reading)
        async with database.reading.connect() as connection:
            phases = await connection.run_sync(status.read_phases, standing.heads, directory)
    document = Schema(
        revisions=list(standing.heads),
        compatibility=standing.compatibility,
        works=standing.compatibility.works,
        range=SchemaRange(OLDEST, NEWEST),
        pending=list(status.pending(standing, directory)),
        incomplete=list(phases.incomplete),
        to_backfill=list(phases.backfill),
        to_contract=list(phases.contract),
        trash=list(phases.trash),
        checksum_mismatch=list(phases.checksum_mismatch),
        backfills=[_backfill(each) for each in phases.backfills],
        drift=[name_of_change(each) for each in phases.drift],
    )
    return Answer(_encode(document))


@serves(
    "GET",
    "/history",
    permission="schema.read",
    summary="List the history of the schema",
    result=SchemaHistory,
    problems=(400, 422, 503),
)
async def get_schema_history(request: Request[Any, Any, Any]) -> ASGIApp:
    """Every revision, the newest first, with the steps that were run."""
    _nothing.read(request.scope["query_string"])
    database: Database = request.app.state["database"]
    with _revisions_readable():
        directory = await asyncio.to_thread(scripts)
        standing = await migrated(database.reading)
    async with database.reading.connect() as connection:
        entries = await connection.run_sync(ledger.entries)
    steps: dict[str, list[SchemaStep]] = {}
    for entry in entries:
        steps.setdefault(entry.revision, []).append(msgspec.convert(entry, SchemaStep, from_attributes=True))
    items = [
        SchemaRevision(each.id, each.title, each.date, list(each.phases), bool(each.applied), steps.get(each.id, []))
        for each in revisions.history(directory, standing.applied(directory))
    ]
    return Answer(_encode(SchemaHistory(items)))


def _backfill(found: status.BackfillProgress) -> SchemaBackfill:
    # The error text of a database may name hosts, files, roles and sessions.
    problem = None if found.problem is None else "It stopped with an error: run `roster db status` to read it."
    return msgspec.convert(replace(found, problem=problem), SchemaBackfill, from_attributes=True)


def name_of_change(line: str) -> str:
    """Return the sign, the kind and the name in a line of `fingerprint.drift`."""
    found = _CHANGED.match(line)
    return found.group().rstrip(" :(") if found else line[:2] + "an object"


@contextmanager
def _revisions_readable() -> Iterator[None]:
    """Raises Unavailable if a revision's file is broken: the migrator says which, and what is right."""
    try:
        yield
    except Refused as failure:
        raise Unavailable(str(failure), retry_after_seconds=_RETRY_SECONDS) from failure


router = Router("/v1/schema", route_handlers=[get_schema, get_schema_history])
