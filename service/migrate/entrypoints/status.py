"""The status of a database: revision, pending phases, trash, backfills, drift."""

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from alembic.script import ScriptDirectory
from sqlalchemy import URL, Connection, select, text

from service.db.engine import Purpose
from service.db.urls import shown, sqlite_file
from service.migrate import naming
from service.migrate.dialects.kept import kept
from service.migrate.entrypoints import engines
from service.migrate.entrypoints.project import locate
from service.migrate.errors import refusing
from service.migrate.plan import checksum, graph, revisions
from service.migrate.plan.config import Source, scripts
from service.migrate.plan.plan import Phase, Plan
from service.migrate.plan.revisions import plans
from service.migrate.run import contradictions
from service.migrate.run.locking import blockers, lock
from service.migrate.state import compatibility, drift, ledger, trash
from service.migrate.state.backfills import BackfillState
from service.migrate.state.compatibility import Compatibility, Range, Standing


@dataclass(frozen=True, slots=True, kw_only=True)
class BackfillProgress:
    """An unfinished backfill: rows read in this pass, rows in all, rows filled; seconds left at this rate."""

    revision: str
    name: str
    state: str
    seen: int
    total: int
    filled: int
    rows_per_second: float
    seconds_left: float | None
    problem: str | None
    changed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Remaining:
    """Pending phases of applied revisions, and the trash.

    `incomplete` are revisions that an upgrade or a downgrade began and did not end, `checksum_mismatch` those whose
    file was edited since it was applied. `active_run` names the holder of the lease: a migrator, running or killed.
    """

    active_run: str | None = None
    incomplete: tuple[str, ...] = ()
    backfill: tuple[str, ...] = ()
    contract: tuple[str, ...] = ()
    trash: tuple[str, ...] = ()
    checksum_mismatch: tuple[str, ...] = ()
    backfills: tuple[BackfillProgress, ...] = ()
    drift: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """`current` has one revision, none when nothing was ever applied, more only between two heads and their merge.

    `head` names more than one revision where branches were not joined.

    `drift` (in `phases`) is what someone changed by other means since the runner was here, one line for each thing.
    """

    database: str
    compatibility: Compatibility
    current: tuple[str, ...]
    head: str
    pending: tuple[str, ...]
    phases: Remaining
    migrator: str | None
    blocked_by: str | None
    # What a run would be refused for: contradictions between ledger and database, each with the way out.
    contradictions: tuple[str, ...] = ()

    @property
    def up_to_date(self) -> bool:
        return " and ".join(self.current) == self.head

    @property
    def has_branches(self) -> bool:
        """Whether the revisions have more than one head, so that `upgrade` is refused."""
        return " and " in self.head

    @property
    def why(self) -> str:
        """Why this code cannot work with the database, and the cure; empty if it can."""
        return Standing(heads=self.current, compatibility=self.compatibility).why

    @property
    def is_sound(self) -> bool:
        """Whether nothing is pending, incomplete, edited, drifted or contradictory, and there is one head.

        An unfinished backfill is sound.
        """
        if self.has_branches:
            return False
        troubles = (self.phases.incomplete, self.phases.checksum_mismatch, self.phases.drift, self.contradictions)
        return self.up_to_date and not any(troubles) and all(each.problem is None for each in self.phases.backfills)


async def status(url: str | None = None, supported: Range | None = None, *, config: Source | None = None) -> Status:
    """Read the status of the database; raises Refused if it cannot be reached.

    Without a URL, env.py or alembic.ini names the database; `config` is the project's alembic.ini, as in
    `plan.config.configuration_file`. Without a range, the newest revision is required.
    """
    parsed = await _located(url, config)
    directory = scripts(config)
    standing = Standing(heads=(), compatibility=Compatibility.EMPTY)
    phases = Remaining()
    migrator = lock.file_holder(parsed)
    blocked_by = None
    contradicting: tuple[str, ...] = ()
    if not is_missing_file(parsed):
        with refusing(parsed):
            async with engines.engine(parsed, Purpose.READ) as engine:
                standing = await compatibility.check(engine, supported, config)
                async with engine.connect() as connection:
                    phases, contradicting = await connection.run_sync(_read_once, standing.heads, directory)
                    if engine.dialect.name == "postgresql":
                        migrator = await connection.run_sync(lock.session_holder)
                        blocked_by = await connection.run_sync(_blockers_of_migrator)
    return Status(
        database=shown(url or parsed),
        compatibility=standing.compatibility,
        current=standing.heads,
        head=" and ".join(sorted(directory.get_heads())),
        pending=pending(standing, directory),
        phases=phases,
        migrator=migrator,
        blocked_by=blocked_by,
        contradictions=contradicting,
    )


async def standing(url: str | None = None, supported: Range | None = None, *, config: Source | None = None) -> Standing:
    """The revision and the compatibility alone; arguments and errors are those of `status`."""
    parsed = await _located(url, config)
    if is_missing_file(parsed):
        return Standing(heads=(), compatibility=Compatibility.EMPTY)
    with refusing(parsed):
        async with engines.engine(parsed, Purpose.READ) as engine:
            return await compatibility.check(engine, supported, config)


async def current(url: str | None = None, *, config: Source | None = None) -> tuple[str, ...]:
    """The rows of alembic_version: none before the first upgrade, more than one only where branches are unmerged."""
    parsed = await _located(url, config)
    if is_missing_file(parsed):
        return ()
    with refusing(parsed):
        async with engines.engine(parsed, Purpose.READ) as engine:
            return await compatibility.heads(engine)


async def _located(url: str | None, config: Source | None) -> URL:
    # In a thread: reading a project runs env.py, which imports the models.
    locate_url = await asyncio.to_thread(locate, url, config)
    return locate_url()


def pending(standing: Standing, directory: ScriptDirectory) -> tuple[str, ...]:
    """The revisions that `upgrade` would apply, the oldest first; none where `upgrade` would be refused."""
    if standing.compatibility in (Compatibility.FOREIGN, Compatibility.DIVERGED):
        return ()
    return tuple(
        each.id for each in reversed(revisions.history(directory, standing.applied(directory))) if not each.applied
    )


def read_phases(connection: Connection, heads: tuple[str, ...], directory: ScriptDirectory) -> Remaining:
    """The pending phases of the revisions up to these heads; none in a database without a ledger."""
    removed = tuple(each.described for each in trash.items(connection))
    if not ledger.exists(connection):
        return Remaining(trash=removed)
    applied = graph.with_ancestors(directory, heads)
    known = ledger.known(connection)
    if graph.unknown(directory, heads):
        # The newer version's revisions have no script here, so their ledger rows are taken as applied.
        applied |= known
    done = ledger.all_done(connection)
    fills = {(row.revision, row.name): row for row in connection.execute(select(ledger.BACKFILLS))}
    found = plans(graph.oldest_first(directory, applied & known), connection.dialect.name)
    return Remaining(
        active_run=ledger.active_run(connection),
        incomplete=_in_order(directory, (known - applied) | ledger.taken_back(connection, applied)),
        backfill=tuple(each.revision for each in found if not _is_filled(each, fills, done)),
        contract=tuple(
            each.revision for each in found if done.get((each.revision, Phase.CONTRACT), 0) < len(each.contract)
        ),
        trash=removed,
        checksum_mismatch=tuple(checksum.mismatches(ledger.checksums(connection), list(directory.walk_revisions()))),
        backfills=tuple(_backfill(row) for row in fills.values() if row.state != BackfillState.DONE),
        drift=tuple(drift.drift(connection)),
    )


def _read_once(
    connection: Connection, heads: tuple[str, ...], directory: ScriptDirectory
) -> tuple[Remaining, tuple[str, ...]]:
    """The pending phases and the contradictions, which ask the same questions."""
    with kept(connection):
        return read_phases(connection, heads, directory), _contradictions(connection, heads, directory)


def _contradictions(connection: Connection, heads: tuple[str, ...], directory: ScriptDirectory) -> tuple[str, ...]:
    """Those that a run would be refused for; none while a run is active, or where newer code upgraded the database."""
    is_active = ledger.exists(connection) and ledger.active_run(connection) is not None
    if is_active or graph.unknown(directory, heads):
        return ()
    applied = graph.oldest_first(directory, graph.with_ancestors(directory, heads))
    found = contradictions.contradictions(connection, applied, directory, has_drift=ledger.exists(connection))
    return tuple(f"{each.problem} {each.cure}" for each in found)


def _in_order(directory: ScriptDirectory, ids: set[str]) -> tuple[str, ...]:
    """These ids, the oldest first, and ids without a script last."""
    return (*(each.revision for each in graph.oldest_first(directory, ids)), *graph.unknown(directory, ids))


def is_missing_file(url: URL) -> bool:
    """Whether the SQLite file is missing and its folder is not."""
    if url.get_backend_name() != "sqlite":
        return False
    file = sqlite_file(url)
    return not file.exists() and file.absolute().parent.is_dir()


def _is_filled(plan: Plan, fills: dict[tuple[str, str], Any], done: dict[tuple[str, str], int]) -> bool:
    rows = [fills.get((plan.revision, backfill.name)) for backfill in plan.backfills]
    if any(row is None or row.state != BackfillState.DONE for row in rows):
        return False
    return done.get((plan.revision, Phase.SETTLE), 0) >= len(plan.settle)


def _backfill(row: Any) -> BackfillProgress:
    per_second = row.seen / row.seconds if row.seconds else 0.0
    left = max(row.total - row.seen, 0) / per_second if per_second else None
    return BackfillProgress(
        revision=row.revision,
        name=row.name,
        state=row.state,
        seen=row.seen,
        total=row.total,
        filled=row.filled,
        rows_per_second=round(per_second, 1),
        seconds_left=None if left is None else round(left, 1),
        problem=row.problem,
        changed_at=row.changed_at,
    )


def _blockers_of_migrator(connection: Connection) -> str | None:
    """The sessions that block the migrator now, in words."""
    waiting = connection.execute(
        text(
            "SELECT unnest(pg_blocking_pids(pid)) AS pid FROM pg_stat_activity "
            "WHERE datname = current_database() AND application_name = :migrator AND wait_event_type = 'Lock'"
        ),
        {"migrator": f"{naming.current().application} {Purpose.MIGRATE}"},
    ).scalars()
    return blockers.listed(blockers.sessions(connection, list(waiting))) or None
