"""The forecast of a database: actions with locks, rows and durations, and what is in the way."""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from alembic.runtime.migration import MigrationContext
from alembic.script import Script, ScriptDirectory
from sqlalchemy import URL, Connection, select
from sqlalchemy.exc import DBAPIError

from service.db.engine import Limits, Purpose, create_engine
from service.db.urls import place, sqlite_file
from service.migrate.errors import Refused, Unusable, refusing
from service.migrate.operations.step import Action, Backfill, Lock, Step
from service.migrate.plan import graph
from service.migrate.plan.config import Source, scripts
from service.migrate.proof.drift.copies import Surroundings, surroundings
from service.migrate.proof.forecast import actions, durations, plain
from service.migrate.proof.forecast.actions import Pending, Stretch, tables_of
from service.migrate.proof.forecast.durations import Speed
from service.migrate.proof.forecast.obstacles import Finder, Obstacle
from service.migrate.proof.forecast.planned import Planned
from service.migrate.proof.forecast.tables import Sizes, Table
from service.migrate.proof.forecast.trials import Trial, tried
from service.migrate.proof.trace.modes import BLOCKED
from service.migrate.run.locking import blockers, lock
from service.migrate.run.locking.waiting import disposed
from service.migrate.state import ledger
from service.migrate.state.compatibility import refuse_unknown

T = TypeVar("T")
_LIMITS = Limits(statement_seconds=None, idle_in_transaction_seconds=None, pool_size=1)
_ENOUGH_ROWS = 20_000
_ON_ROWS = "ROW EXCLUSIVE"
_LAG_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What is to be done, on which tables, and what is in the way now.

    `is_unused` is true for a database without a revision, on which all phases run at once. Each command takes
    `command_seconds` beside its actions.
    """

    current: tuple[str, ...]
    is_unused: bool
    command_seconds: float
    planned: tuple[Planned, ...]
    tables: tuple[Table, ...]
    obstacles: tuple[Obstacle, ...]
    blockers: tuple[str, ...]

    @property
    def fails(self) -> bool:
        return any(each.is_certain for each in self.obstacles)


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecaster:
    """Reads a database; `count_seconds` is the time limit of each count of rows.

    `measured_seconds` is how long its speed is measured: long enough that what other programs take from the measurement
    is what they take from the run.
    """

    config: Source | None
    count_seconds: float = 10.0
    measured_seconds: float = 0.4
    # Where scratch databases are made for revisions in Alembic's plain style, else an ephemeral server.
    server: str | None = None

    def run(self, url: URL, *, stretches: Sequence[Stretch] = (), downgrade: str | None = None) -> Forecast:
        """The forecast of the pending phases, or of a downgrade.

        Raises:
            Unknown: there is no such revision.
            Unusable: the database cannot be read, or is at a revision that has no script.
        """
        try:
            read = partial(self._pending_of, stretches=tuple(stretches), downgrade=downgrade)
            in_plain_style, like = asyncio.run(self._in_connection(url, read))
            trials = tried(in_plain_style, like, self.config, self.server, is_down=downgrade is not None)
            return asyncio.run(self._in_connection(url, partial(self._read, url, tuple(stretches), downgrade, trials)))
        except Unusable:
            raise
        except Refused as refused:
            raise type(refused if downgrade else Unusable(""))(str(refused)) from refused

    async def _in_connection(self, url: URL, function: Callable[[Connection], T]) -> T:
        with refusing(url):
            if url.get_backend_name() == "sqlite" and not sqlite_file(url).exists():
                raise Unusable(f"{place(url)} does not exist.")
            engine = create_engine(url, Purpose.READ, limits=_LIMITS)
            async with disposed(engine), engine.connect() as connection:
                return await connection.run_sync(function)

    def _pending_of(
        self, connection: Connection, stretches: tuple[Stretch, ...], downgrade: str | None
    ) -> tuple[list[Script], Surroundings]:
        """The revisions in Alembic's plain style that would run, and what a database like this one has."""
        _, pending = self._to_run(connection, stretches, downgrade)
        return [each.script for each in pending if each.action is None], surroundings(connection)

    def _to_run(
        self, connection: Connection, stretches: tuple[Stretch, ...], downgrade: str | None
    ) -> tuple[tuple[str, ...], list[Pending]]:
        directory = scripts(self.config)
        heads = tuple(sorted(MigrationContext.configure(connection).get_current_heads()))
        refuse_unknown(connection, heads, directory)
        applied = graph.with_ancestors(directory, heads)
        pending = self._pending(connection, directory, applied, downgrade)
        return heads, [each for each in pending if not stretches or each.stretch in stretches]

    def _read(
        self,
        url: URL,
        stretches: tuple[Stretch, ...],
        downgrade: str | None,
        trials: Mapping[str, Trial],
        connection: Connection,
    ) -> Forecast:
        heads, pending = self._to_run(connection, stretches, downgrade)
        sizes = Sizes(connection=connection, seconds=self.count_seconds)
        speed = durations.measured(connection, _filled_per_second(connection), self.measured_seconds)
        planned = [
            each
            for one in pending
            for each in (
                plain.planned(one, trials[one.script.revision], sizes, speed)
                if one.action is None and one.script.revision in trials
                else [_planned(connection, one, sizes, speed)]
            )
        ]
        sizes.add_partitions()
        finder = Finder(connection=connection, trials=trials)
        return Forecast(
            current=heads,
            is_unused=not heads and not ledger.exists(connection),
            command_seconds=round(speed.command_seconds, 3),
            planned=tuple(planned),
            tables=tuple(sizes.known()),
            obstacles=tuple(dict.fromkeys(finder.find(pending))),
            blockers=tuple(_in_the_way(connection, url, pending, planned)),
        )

    def _pending(
        self, connection: Connection, directory: ScriptDirectory, applied: set[str], downgrade: str | None
    ) -> list[Pending]:
        if downgrade is None:
            return actions.to_do(connection, directory, applied)
        with refusing(connection.engine.url):
            target = [] if downgrade == "base" else [each.revision for each in directory.get_revisions(downgrade)]
        return actions.to_undo(connection, directory, applied, target)


def _planned(connection: Connection, pending: Pending, sizes: Sizes, speed: Speed) -> Planned:
    action = pending.action
    found = [size for each in tables_of(action) if (size := sizes.of(each)) is not None]
    rows, is_exact = sizes.to_fill(action) if isinstance(action, Backfill) else (None, True)
    total = max((each.rows for each in found), default=0)
    is_known = action is not None and not (isinstance(action, Backfill) and rows is None)
    seconds = round(speed.seconds(action, total, rows or 0), 3) if action is not None and is_known else None
    mode = _mode(action)
    is_sqlite = connection.dialect.name == "sqlite"
    return Planned(
        revision=pending.script.revision,
        phase=pending.stretch,
        title=action.title if action else f"{pending.script.doc} (Alembic's plain style, in one transaction)",
        statements=tuple(_statements(connection, action)) if action else (),
        mode="" if is_sqlite else mode,
        tables=tables_of(action),
        blocks="writes wait" if is_sqlite and action else BLOCKED[mode].effect if mode in BLOCKED else "",
        rows=rows,
        is_exact=is_exact,
        seconds=seconds,
        # A backfill's batches are short.
        stall_seconds=seconds if is_sqlite and isinstance(action, Step) and seconds is not None else 0.0,
    )


def _mode(action: Action | None) -> str:
    if isinstance(action, Backfill):
        return _ON_ROWS
    return "" if action is None or action.lock is Lock.NONE else str(action.lock)


def _statements(connection: Connection, action: Action) -> Iterator[str]:
    if isinstance(action, Backfill):
        statement = action.statement
        if action.by is not None:
            yield f"UPDATE {action.table}, in batches, with values of a Python function"
        elif statement is not None:
            yield statement if isinstance(statement, str) else statement[connection.dialect.name]
        else:
            settings = ", ".join(f"{name} = {value}" for name, value in (action.assign or {}).items())
            yield f"UPDATE {action.table} SET {settings} WHERE {action.left}, in batches"
        return
    if action.edit is not None:
        yield f"rebuild of {action.edit.table} with the changed definition"
    if action.generate is not None:
        try:
            with connection.begin_nested():
                yield from action.generate(connection)
        except (DBAPIError, Refused, LookupError):
            yield "(statements that depend on what the steps before make)"
    yield from action.statements


def _filled_per_second(connection: Connection) -> float | None:
    """The rows a second of the largest backfill that this database has seen."""
    if not ledger.exists(connection):
        return None
    fills = ledger.BACKFILLS.c
    asked = select(fills.seen, fills.seconds).where(fills.seen >= _ENOUGH_ROWS, fills.seconds > 0)
    found = connection.execute(asked.order_by(fills.seen.desc()).limit(1)).one_or_none()
    return None if found is None else float(found.seen) / float(found.seconds)


def _in_the_way(
    connection: Connection, url: URL, pending: Sequence[Pending], planned: Sequence[Planned]
) -> Iterator[str]:
    """Long transactions that a step would wait for, lagging replicas, and a migrator that runs already."""
    if connection.dialect.name == "sqlite":
        if running := lock.file_holder(url):
            yield f"A migrator is running: {running}."
        return
    if running := lock.session_holder(connection):
        yield f"A migrator is running: {running}."
    steps = [each.action for each in pending if isinstance(each.action, Step)]
    steps += [plain.as_step(each) for each in planned if each.locks]
    found = {
        each: None
        for step in steps
        if step.alone or step.tables
        for each in blockers.long_transactions(connection, step)
    }
    yield from (f"Long transaction: {each.described}." for each in found)
    for replica in blockers.lagging_replicas(connection, _LAG_SECONDS):
        yield f"The replica {replica.name} is {replica.lag:.1f} s behind."
