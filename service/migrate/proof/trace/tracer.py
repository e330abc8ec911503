"""Observes the statements that SQLAlchemy sends, by its events: what runs, and how, stays the same."""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from traceback import walk_stack
from typing import Any

from sqlalchemy import URL, Connection, Engine, ExceptionContext, event

from service.migrate.proof.trace import snapshot
from service.migrate.proof.trace.gate import Gate, Seen
from service.migrate.proof.trace.observed import Observed, RelationLock
from service.migrate.proof.trace.snapshot import Baseline, Difference, Snapshot
from service.migrate.state import ledger

_KEY = "trace"
# Statements that set the session take no lock.
_SETTING = re.compile(r"\s*(SHOW|SET|RESET|BEGIN|COMMIT|ROLLBACK|SAVEPOINT|RELEASE|EXPLAIN)\b", re.IGNORECASE)
# The migrator asks the catalog all the time; a query of a revision may call a function that changes something.
_QUERY = re.compile(
    r"\s*(SELECT\b(?!.*\bINTO\b)|WITH\b(?!.*\b(INSERT|UPDATE|DELETE|MERGE)\b))", re.IGNORECASE | re.DOTALL
)
# The migrator's records of what it does.
_RECORDING = re.compile(
    rf"(INSERT INTO|UPDATE|DELETE FROM) ({'|'.join(('alembic_version', *sorted(ledger.TABLES)))})\b"
)
_ROW_LOCKS = re.compile(r"\bFOR\s+(NO\s+KEY\s+)?UPDATE\b", re.IGNORECASE)
# The package that runs the batches of a backfill.
_BACKFILL = "service.migrate.run.backfill"
_EVENTS = ("before_cursor_execute", "after_cursor_execute", "handle_error", "commit", "rollback")


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """What the statements belong to: the revision's file with its text, and the folder whose files send them."""

    revision: str = ""
    phase: str = ""
    direction: str = ""
    file: str = ""
    line: int | None = None
    folder: Path | None = None
    source: str = ""


@dataclass(slots=True, kw_only=True)
class _Running:
    """A statement that was sent; `timeouts` are the session's own, where the tracer took them off."""

    before: Snapshot
    alone: bool
    timeouts: tuple[str, str] | None = None
    began: float = 0.0


@dataclass(slots=True, kw_only=True)
class _Session:
    """The statement that runs in a session, and those of its transaction that ended, with their start."""

    began: Snapshot | None = None
    running: _Running | None = None
    ended: list[tuple[Observed, float]] = field(default_factory=list)


@dataclass(kw_only=True)
class Tracer:
    """Observes the statements that this process sends to one database, on relations that exist at `begin`."""

    url: URL
    gate: Gate
    _label: Label = field(default_factory=Label, init=False)
    _baseline: Baseline | None = field(default=None, init=False)
    _observed: list[Observed] = field(default_factory=list, init=False)

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Observe the statements of this process inside the block, once `begin` was called."""
        for name in _EVENTS:
            event.listen(Engine, name, getattr(self, f"_{name}"))
        try:
            yield
        finally:
            for name in _EVENTS:
                event.remove(Engine, name, getattr(self, f"_{name}"))

    def begin(self, label: Label, connection: Connection | None = None) -> None:
        """Count the relations of now as those that existed; without a connection, observe nothing."""
        self._label, self._observed, self._baseline = label, [], None
        if connection is not None:
            self._baseline = snapshot.baseline(lambda sql: _read(connection, sql))

    def observed(self) -> list[Observed]:
        """What was observed since the last call."""
        found, self._observed = self._observed, []
        return found

    def _before_cursor_execute(self, connection: Connection, _cursor: object, statement: str, *_rest: object) -> None:
        if not self._concerns(connection) or self._baseline is None or self._is_harmless(statement):
            return
        alone = connection.get_execution_options().get("isolation_level") == "AUTOCOMMIT"
        running = _Running(before=snapshot.taken(lambda sql: _read(connection, sql), alone=alone), alone=alone)
        if alone:
            self._shut(connection, running)
        else:
            # A table of few rows is scanned where an index would serve, which many rows would not be.
            _read(connection, "SELECT set_config('enable_seqscan', 'off', true)")
        session = _session(connection)
        session.running = running
        session.began = running.before if alone or session.began is None else session.began
        running.began = time.perf_counter()

    def _after_cursor_execute(self, connection: Connection, _cursor: object, statement: str, *_rest: object) -> None:
        session = _session(connection)
        running, session.running = session.running, None
        if running is None or self._baseline is None:
            return
        milliseconds = 1000 * (time.perf_counter() - running.began)
        seen = self._open(connection, running) if running.alone else set()
        after = snapshot.taken(lambda sql: _read(connection, sql), alone=running.alone)
        difference = Difference(
            began=session.began or running.before, before=running.before, after=after, baseline=self._baseline
        )
        found = Observed(
            statement=statement,
            **self._place(),
            locks=difference.seen(seen) if running.alone else difference.locks,
            held=difference.held,
            rewritten=difference.rewritten,
            scanned=difference.scanned or _sampled(statement, difference.locks),
            changed=difference.scanned if _locks_rows(statement) else difference.changed,
            dropped=difference.dropped,
            milliseconds=milliseconds,
        )
        if running.alone:
            self._observed.append(found)
        else:
            session.ended.append((found, running.began))

    def _handle_error(self, context: ExceptionContext) -> None:
        if context.connection is None or not self._concerns(context.connection):
            return
        session = _session(context.connection)
        running, session.running = session.running, None
        if running is not None and running.alone and not context.is_disconnect:
            self._open(context.connection, running)

    def _commit(self, connection: Connection) -> None:
        if self._concerns(connection):
            session = _session(connection)
            ended, session.ended, session.began = session.ended, [], None
            now = time.perf_counter()
            self._observed += [replace(each, milliseconds=1000 * (now - began)) for each, began in ended]

    # Locks are held until a rollback too.
    _rollback = _commit

    def _concerns(self, connection: Connection) -> bool:
        if connection.invalidated:
            return False
        url = connection.engine.url
        return (url.host, url.port, url.database) == (self.url.host, self.url.port, self.url.database)

    def _is_harmless(self, statement: str) -> bool:
        if _SETTING.match(statement) or _RECORDING.match(statement):
            return True
        return bool(_QUERY.match(statement)) and self._label.folder is not None and not self._is_of_revision(statement)

    def _is_of_revision(self, statement: str) -> bool:
        return first_line(statement) in self._label.source or self._sending_line() is not None

    def _sending_line(self) -> int | None:
        """The line of the revision whose frame is on the stack."""
        frames = ((Path(frame.f_code.co_filename).parent, line) for frame, line in walk_stack(None))
        return next((line for folder, line in frames if folder == self._label.folder), None)

    def _shut(self, connection: Connection, running: _Running) -> None:
        settings = "current_setting('lock_timeout'), current_setting('statement_timeout')"
        ((pid, *timeouts),) = _read(connection, f"SELECT pg_backend_pid(), {settings}")
        running.timeouts = (timeouts[0], timeouts[1])
        # The gate holds the statement up for longer than its own limits may allow.
        _set_timeouts(connection, ("0", "0"))
        known = self._baseline.relations if self._baseline is not None else frozenset[int]()
        there = running.before.relations.values()
        self.gate.shut(pid, [each.name for each in there if each.oid in known and each.kind in "rp"])

    def _open(self, connection: Connection, running: _Running) -> Seen:
        seen = self.gate.open()
        if running.timeouts is not None:
            _set_timeouts(connection, running.timeouts)
        return seen

    def _place(self) -> dict[str, Any]:
        """The label, with the line of the revision that sent the statement, and with the phase of a batch."""
        label = self._label
        place = {name: getattr(label, name) for name in ("revision", "phase", "direction", "file", "line")}
        if line := self._sending_line():
            return place | {"line": line}
        names = (frame.f_globals.get("__name__", "") for frame, _ in walk_stack(None))
        # A downgrade has backfills too.
        return place | {"phase": "backfill"} if any(name.startswith(_BACKFILL) for name in names) else place


def _sampled(statement: str, locks: tuple[RelationLock, ...]) -> tuple[str, ...]:
    """The tables that ANALYZE reads: up to 30,000 rows of each, which no counter of the server tells of."""
    is_analyze = re.match(r"\s*ANALY[ZS]E\b", statement, re.IGNORECASE)
    return tuple(each.relation for each in locks if is_analyze and each.mode == "SHARE UPDATE EXCLUSIVE")


def _locks_rows(statement: str) -> bool:
    return bool(_QUERY.match(statement) and _ROW_LOCKS.search(statement))


def first_line(statement: str) -> str:
    """The first line that has text."""
    return next((line.strip() for line in statement.splitlines() if line.strip()), "")


def _session(connection: Connection) -> _Session:
    found: _Session = connection.info.setdefault(_KEY, _Session())
    return found


def _read(connection: Connection, sql: str) -> list[Any]:
    """The rows of a query, sent without SQLAlchemy's events."""
    cursor = connection.connection.cursor()
    try:
        cursor.execute(sql)
        return list(cursor.fetchall())
    finally:
        cursor.close()


def _set_timeouts(connection: Connection, timeouts: tuple[str, str]) -> None:
    for name, value in zip(("lock_timeout", "statement_timeout"), timeouts, strict=True):
        _read(connection, f"SELECT set_config('{name}', '{value}', false)")
