"""The ledger: tables that record revisions, steps, backfills and runs, so that a killed run can be continued."""

from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass, field
from datetime import datetime
from types import SimpleNamespace
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    ColumnElement,
    Connection,
    Float,
    Integer,
    MetaData,
    RowMapping,
    String,
    Table,
    Text,
    delete,
    func,
    insert,
    select,
    union,
)

from service.db.clock import now
from service.db.types import Key, UtcDateTime
from service.migrate import naming
from service.migrate.dialects.kept import once
from service.migrate.operations.step import Step
from service.migrate.plan.plan import Phase
from service.migrate.state.author import who
from service.migrate.state.there import tables_there
from service.migrate.state.titles import current
from service.migrate.state.upsert import upsert

METADATA = MetaData()

LEASE = Table(
    "migration_lease",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("token", String(40), nullable=False),
    Column("holder", Text, nullable=False),
    Column("taken_at", UtcDateTime, nullable=False),
    Column("seen_at", UtcDateTime, nullable=False),
)
REVISIONS = Table(
    "migration_revisions",
    METADATA,
    Column("revision", String(32), primary_key=True),
    Column("content", String(64), nullable=False),
    Column("changed_at", UtcDateTime, nullable=False),
    Column("code_version", String(50), nullable=False),
)
STEPS = Table(
    "migration_steps",
    METADATA,
    Column("revision", String(32), primary_key=True),
    Column("phase", String(20), primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("title", Text, nullable=False),
    # Incomplete, neither done nor undone: the next run queries the catalog.
    Column("half", Boolean, nullable=False),
    Column("done_at", UtcDateTime, nullable=False),
)
BACKFILLS = Table(
    "migration_fills",
    METADATA,
    Column("revision", String(32), primary_key=True),
    Column("name", String(200), primary_key=True),
    Column("state", String(20), nullable=False),
    Column("cursor", Text),
    Column("passes", Integer, nullable=False),
    Column("seen", Key, nullable=False),
    Column("total", Key, nullable=False),
    Column("filled", Key, nullable=False),
    Column("batch", Integer, nullable=False),
    Column("seconds", Float, nullable=False),
    Column("problem", Text),
    Column("started_at", UtcDateTime, nullable=False),
    Column("changed_at", UtcDateTime, nullable=False),
)
AUDIT = Table(
    "migration_audit",
    METADATA,
    Column("id", Key, primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    Column("who", String(200), nullable=False),
    Column("revision", String(32), nullable=False),
    Column("phase", String(20), nullable=False),
    Column("step", Text, nullable=False),
    Column("outcome", String(20), nullable=False),
    Column("seconds", Float, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("longest_wait_ms", Float, nullable=False),
    Column("affected", Key, nullable=False),
    Column("code_version", String(50), nullable=False),
)
PURGED = Table(
    "migration_purged",
    METADATA,
    Column("revision", String(32), primary_key=True),
    Column("name", String(200), primary_key=True),
    Column("lost", Key, nullable=False),
    Column("purged_at", UtcDateTime, nullable=False),
)
CONTRACTS = Table(
    "migration_contracts",
    METADATA,
    Column("revision", String(32), primary_key=True),
    # The token of the session's lease: contracts with the same token are of one run.
    Column("run", String(40), nullable=False),
    Column("began_at", UtcDateTime, nullable=False),
)
CATALOG = Table(
    "migration_catalog",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("lines", Text, nullable=False),
    Column("taken_at", UtcDateTime, nullable=False),
)
TABLES = frozenset(METADATA.tables)
STAMP = "stamp"
_WHOLE = "whole"
_TAKEN_BACK = ""
_MARK, _REMEMBER, _PURGE = map(upsert, (STEPS, REVISIONS, PURGED))


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One audit row: the step, its outcome, its duration, its attempts and the longest wait."""

    revision: str
    phase: str
    step: str
    outcome: str = "done"
    seconds: float = 0.0
    attempts: int = 1
    longest_wait_ms: float = 0.0
    affected: int = 0
    at: datetime = field(default_factory=now)


def ensure(connection: Connection) -> None:
    """Create the missing tables of the ledger."""
    there = tables_there(connection, TABLES)
    if missing := [table for table in METADATA.sorted_tables if table.name not in there]:
        METADATA.create_all(connection, tables=missing, checkfirst=False)


def exists(connection: Connection) -> bool:
    """Whether the database has a ledger, for readers, which do not create one."""
    return AUDIT.name in once(connection, "ledger", lambda: tables_there(connection, TABLES))


def has_catalog(connection: Connection) -> bool:
    """Whether the ledger has the table of the catalog, which ledgers of early versions lack."""
    return CATALOG.name in once(connection, "ledger", lambda: tables_there(connection, TABLES))


def active_run(connection: Connection) -> str | None:
    """The holder of the lease and the time it was taken: a running migrator, or one that was killed."""
    found = once(connection, "run", lambda: connection.execute(select(LEASE.c.holder, LEASE.c.taken_at)).one_or_none())
    return None if found is None else f"{found.holder}, since {found.taken_at:%Y-%m-%d %H:%M:%S} UTC"


def done(connection: Connection, revision: str, phase: Phase) -> set[int]:
    """The positions of the steps that are done."""
    return set(connection.execute(select(STEPS.c.position).where(*_of(revision, phase), ~STEPS.c.half)).scalars())


def begun(connection: Connection, revision: str, phase: Phase) -> dict[int, str]:
    """The titles of the steps that are done or incomplete, by position."""
    asked = select(STEPS.c.position, STEPS.c.title).where(*_of(revision, phase))
    return {row.position: row.title for row in connection.execute(asked)}


def all_done(connection: Connection) -> dict[tuple[str, str], int]:
    """The number of completed steps of each revision and phase."""
    counted = select(STEPS.c.revision, STEPS.c.phase, func.count()).where(~STEPS.c.half)
    found = once(connection, "all", lambda: connection.execute(counted.group_by(STEPS.c.revision, STEPS.c.phase)).all())
    return {(revision, phase): count for revision, phase, count in found}


def mark(
    connection: Connection, revision: str, phase: Phase, steps: Collection[tuple[Step, int]], *, half: bool = False
) -> None:
    """Record steps, each with its position, as done, or with `half` as incomplete."""
    of = {"revision": revision, "phase": phase, "half": half, "done_at": now()}
    if rows := [of | {"position": position, "title": step.title} for step, position in steps]:
        connection.execute(_MARK, rows)


def unmark(connection: Connection, revision: str, phase: Phase, positions: Collection[int]) -> None:
    if positions:
        connection.execute(delete(STEPS).where(*_of(revision, phase), STEPS.c.position.in_(positions)))


def _of(revision: str, phase: Phase) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return STEPS.c.revision == revision, STEPS.c.phase == phase


def known(connection: Connection) -> set[str]:
    """The revisions with a record in the ledger."""
    asked = union(*(select(table.c.revision) for table in (STEPS, BACKFILLS, REVISIONS)))
    return once(connection, "known", lambda: set(connection.execute(asked).scalars()) - {_WHOLE})


def known_if_any(connection: Connection) -> set[str]:
    """As `known`; none without a ledger."""
    return known(connection) if exists(connection) else set()


def recorded(connection: Connection, heads: Collection[str]) -> set[str]:
    """The revisions that this project's migrator applied, and those of the heads that it stamped."""
    if not exists(connection):
        return set()
    applied = select(REVISIONS.c.revision)
    # Audit rows outlive a downgrade, so that stamps count for current heads of alembic_version alone.
    stamped = select(AUDIT.c.revision).where(AUDIT.c.revision.in_(heads), AUDIT.c.phase == STAMP)
    return set(connection.execute(applied.union(stamped)).scalars())


def make_whole(connection: Connection) -> None:
    """Record that this run creates a new database, so that it is continued in this mode after a kill."""
    mark(connection, _WHOLE, Phase.EXPAND, [(Step(title="CREATE SCHEMA IN AN EMPTY DATABASE"), 0)])


def is_made_whole(connection: Connection) -> bool:
    return bool(done(connection, _WHOLE, Phase.EXPAND))


def end_whole(connection: Connection) -> None:
    unmark(connection, _WHOLE, Phase.EXPAND, [0])


def begin_downgrade(connection: Connection, revision: str) -> None:
    """Record that the downgrade of a revision has begun: its backfills and its checksum are no longer valid."""
    connection.execute(delete(BACKFILLS).where(BACKFILLS.c.revision == revision))
    remember(connection, revision, _TAKEN_BACK)


def taken_back(connection: Connection, applied: Collection[str]) -> set[str]:
    """The applied revisions whose downgrade is incomplete."""
    return {each for each, content in _contents(connection).items() if content == _TAKEN_BACK} & set(applied)


def forget(connection: Connection, revision: str) -> None:
    """Delete the records of a downgraded revision; its audit rows stay."""
    for table in (STEPS, BACKFILLS, REVISIONS, CONTRACTS):
        connection.execute(delete(table).where(table.c.revision == revision))


def remember(connection: Connection, revision: str, checksum: str) -> None:
    """Record a revision as applied, with the checksum of its file."""
    values = {"revision": revision, "content": checksum, "changed_at": now(), "code_version": naming.current().version}
    connection.execute(_REMEMBER, values)


def checksums(connection: Connection) -> dict[str, str]:
    """The checksum of each applied revision's file; without those whose downgrade has begun."""
    return {each: content for each, content in _contents(connection).items() if content != _TAKEN_BACK}


def _contents(connection: Connection) -> dict[str, str]:
    return once(connection, "files", lambda: {key: value for key, value, *_ in connection.execute(select(REVISIONS))})


def purge(connection: Connection, revision: str, name: str, lost: int) -> None:
    """Record a purged table or column and how many rows or values it held; nothing for an empty one."""
    if lost:
        connection.execute(_PURGE, {"revision": revision, "name": name, "lost": lost, "purged_at": now()})


def purged(connection: Connection, revision: str) -> list[Any]:
    """The purged trash of a revision."""
    return list(connection.execute(select(PURGED).where(PURGED.c.revision == revision).order_by(PURGED.c.name)))


def audit(connection: Connection, entries: Iterable[Entry]) -> None:
    if rows := [asdict(each) | {"who": who(), "code_version": naming.current().version} for each in entries]:
        connection.execute(insert(AUDIT), rows)


def entries(connection: Connection) -> list[Any]:
    """The audit rows in order, with the step titles of this version; none without a ledger."""
    if not exists(connection):
        return []
    rows = connection.execute(select(AUDIT).order_by(AUDIT.c.id)).mappings()
    return [SimpleNamespace(**{**row, "step": _current(row, connection.dialect.name)}) for row in rows]


def _current(row: RowMapping, dialect: str) -> str:
    step: str = row["step"]
    # A row of phase `all` has the revision's docstring; steps of one transaction share a row.
    return step if row["phase"] == "all" else "; ".join(current(each, dialect) for each in step.split("; "))
