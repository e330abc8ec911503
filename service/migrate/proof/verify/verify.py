"""Verification of revisions: up, down and up again through every phase, with rows in every table."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, TypeVar

from alembic.script import Script, ScriptDirectory
from alembic.util import to_tuple
from sqlalchemy import Connection

from service.migrate.entrypoints import commands
from service.migrate.errors import Refused
from service.migrate.plan import graph
from service.migrate.plan.config import Source, scripts
from service.migrate.plan.plan import is_plain
from service.migrate.proof import scratch
from service.migrate.proof.verify import probe, sequences
from service.migrate.proof.verify.probe import Probe
from service.migrate.proof.verify.rows import Rows
from service.migrate.proof.verify.values import Snapshot, Values, lost, taken

T = TypeVar("T")
Report = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a revision broke: on which database, in which phase."""

    revision: str
    database: str
    phase: str
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """The result of one revision on one database."""

    revision: str
    database: str
    rows: int
    seconds: float
    findings: tuple[Finding, ...]
    notes: tuple[str, ...] = ()


_NAMES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
# No revision's id: the database must not be used again.
_BROKEN = "?"


class _Stopped(Exception):
    """A command failed, so that nothing can follow it."""


@dataclass(kw_only=True)
class Verifier:
    """Verifies revisions one after another; `empty` gives the URL of an empty database until its context ends."""

    database: str
    empty: Callable[[], AbstractContextManager[str]]
    rows: Rows
    config: Source | None = None
    _findings: list[Finding] = field(default_factory=list, init=False)
    _notes: list[str] = field(default_factory=list, init=False)
    _url: str = field(default="", init=False)
    _revision: str = field(default="", init=False)
    _probes: list[Probe] = field(default_factory=list, init=False)
    _brought: set[str] = field(default_factory=set, init=False)

    @property
    def _directory(self) -> ScriptDirectory:
        return scripts(self.config)

    def run(self, revisions: Sequence[str]) -> Iterator[Verified]:
        """Yield the result of each revision, in the order of the history."""
        chosen = set(revisions)
        with ExitStack() as stack:
            self._url = stack.enter_context(self.empty())
            for script in reversed(list(self._directory.walk_revisions())):
                if script.revision not in chosen:
                    continue
                if self._brought - graph.with_ancestors(self._directory, [script.revision]):
                    # A downgrade to the parent would undo the other branch too; or a failure left half of something.
                    self._url, self._brought = stack.enter_context(self.empty()), set()
                yield self._verify(script)

    def _verify(self, script: Script) -> Verified:
        began = time.monotonic()
        self._revision, self._findings, self._notes, self._probes = script.revision, [], [], []
        count = 0
        try:
            for parent in to_tuple(script.down_revision, default=()):
                self._bring(parent)
            count = self._round(script)
        except _Stopped:
            self._brought = {_BROKEN}
            if self._findings[-1].phase == "upgrade":
                # Plain rows were refused as well, so that the finding says all.
                self._notes.clear()
        return Verified(
            revision=script.revision,
            database=self.database,
            rows=count,
            seconds=round(time.monotonic() - began, 3),
            findings=tuple(self._findings),
            notes=tuple(self._notes),
        )

    def _round(self, script: Script) -> int:
        """Up and down again from each phase, then up for good; return the number of rows."""
        parents = to_tuple(script.down_revision, default=())
        below = parents[0] if len(parents) == 1 else "base" if not parents else None
        self._call_own(script, "seed_before")
        before = self._filled(script.revision) if parents else self._read(taken)
        self._do("upgrade", commands.upgrade, script.revision)
        self._kept(before, "upgrade")
        if below is not None:
            self._down("downgrade", below, before)
            self._do("upgrade again", commands.upgrade, script.revision)
        if not is_plain(script.module):
            self._do("backfill", commands.backfill)
            self._do("contract", commands.contract)
            filled = self._look("contract", is_new=True)
            self._advanced(before, filled, "contract")
            if below is not None:
                self._down("downgrade after the contract", below, before)
                self._do("upgrade after the downgrade", commands.upgrade, script.revision)
                self._do("backfill after the downgrade", commands.backfill)
                self._do("contract after the downgrade", commands.contract)
                self._again(before, filled, self._read(taken), "contract after the downgrade")
        self._call_own(script, "assert_after")
        self._do("purge", commands.purge)
        self._brought |= graph.with_ancestors(self._directory, [script.revision])
        return sum(len(ids) for (_, _), ids in _first_columns(before.values).items())

    def _filled(self, revision: str) -> Snapshot:
        """The database with rows that the upgrade accepts: plain ones, if it refuses odd ones and changes nothing."""
        before = self._fill(self.rows)
        try:
            commands.upgrade(self._url, revision, config=self.config, report=unsaid)
        except Refused as refused:
            why = " ".join(str(refused).split()).rstrip(".")
            self._notes.append(f"{revision} on {_NAMES[self.database]}: rows refused: {why}; plain rows were used")
            self._same(before, self._read(taken), "a refused upgrade")
            self._read(self.rows.clear, writes=True)
            return self._fill(replace(self.rows, is_plain=True))
        return before

    def _down(self, phase: str, below: str, before: Snapshot) -> None:
        self._do(phase, commands.downgrade, below)
        self._same(before, self._look(phase), phase)

    def _kept(self, before: Snapshot, phase: str) -> None:
        """The upgrade keeps the values of the columns that it leaves, and the positions of sequences."""
        after = self._look(phase)
        self._expect(before.values, after.values, phase, of_both=True)
        self._advanced(before, after, phase)

    def _advanced(self, before: Snapshot, after: Snapshot, phase: str) -> None:
        for each in sequences.behind(before.positions, after.positions):
            self._found(phase, each)

    def _same(self, before: Snapshot, after: Snapshot, phase: str) -> None:
        self._expect(before.values, after.values, phase)
        self._advanced(before, after, phase)
        for line in sorted(set(before.catalog) - set(after.catalog)):
            self._found(phase, f"the catalog lacks: {line}")
        for line in sorted(set(after.catalog) - set(before.catalog)):
            self._found(phase, f"the catalog has in addition: {line}")

    def _again(self, before: Snapshot, filled: Snapshot, after: Snapshot, phase: str) -> None:
        """The second way up leads where the first did; rows that the revision itself inserts may have other times."""
        there = {table for table, _ in before.values}
        values = {each: ids for each, ids in filled.values.items() if each[0] in there}
        # Rows that were tried in between took values of new sequences.
        self._same(replace(filled, values=values, positions=before.positions), after, phase)

    def _expect(self, before: Values, after: Values, phase: str, *, of_both: bool = False) -> None:
        for each in lost(before, after, of_both=of_both):
            self._found(phase, each)

    def _fill(self, rows: Rows) -> Snapshot:
        for table, error in self._read(partial(_filled, rows=rows), writes=True).items():
            why = (
                f"no row could be generated for {table} ({error}): give the revision a function seed_before(connection)"
            )
            self._found("seed", why)
        before, self._probes = self._read(partial(_before, rows=self.rows))
        return before

    def _look(self, phase: str, *, is_new: bool = False) -> Snapshot:
        """A snapshot, after which each table must take a row: with its old columns, or `is_new` with its new ones."""

        def look(connection: Connection) -> tuple[Snapshot, list[str]]:
            found = taken(connection)
            name = phase.partition(" ")[0]
            return found, probe.failures(connection, self._probes, self.rows, name, is_new=is_new)

        snapshot, failures = self._read(look)
        for each in failures:
            self._found(phase, each)
        return snapshot

    def _call_own(self, script: Script, name: str) -> None:
        """The revision's own `seed_before(connection)` or `assert_after(connection)`."""
        function = getattr(script.module, name, None)
        if function is None:
            return
        try:
            self._read(function, writes=True)
        except Exception as failure:
            self._found(name, f"{type(failure).__name__}: {failure}")
            if name == "seed_before":
                raise _Stopped from failure

    def _do(self, phase: str, command: Callable[..., Any], *arguments: str) -> None:
        try:
            command(self._url, *arguments, config=self.config, report=unsaid)
        except Refused as refused:
            self._found(phase, str(refused))
            raise _Stopped from refused

    def _bring(self, revision: str) -> None:
        """All phases of a revision and of those below it, unless they ran."""
        if revision in self._brought:
            return
        self._brought |= graph.with_ancestors(self._directory, [revision])
        self._do(f"upgrade to {revision}", commands.upgrade, revision)
        for command in (commands.backfill, commands.contract, commands.purge):
            self._do(f"upgrade to {revision}", command)

    def _found(self, phase: str, what: str) -> None:
        finding = Finding(revision=self._revision, database=self.database, phase=phase, what=what)
        if finding not in self._findings:
            self._findings.append(finding)

    def _read(self, function: Callable[[Connection], T], *, writes: bool = False) -> T:
        return scratch.in_database(self._url, function, config=self.config, writes=writes)


def _filled(connection: Connection, rows: Rows) -> dict[str, str]:
    empty = rows.fill(connection)
    sequences.advance(connection)
    return empty


def _before(connection: Connection, rows: Rows) -> tuple[Snapshot, list[Probe]]:
    return taken(connection), probe.made(connection, rows)


def _first_columns(values: Values) -> dict[tuple[str, str], dict[str, str]]:
    """One column of each table."""
    found: dict[str, tuple[str, str]] = {}
    for table, column in values:
        found.setdefault(table, (table, column))
    return {name: values[name] for name in found.values()}


def unsaid(_sentence: str) -> None:
    """A verification reports findings, not the steps of its databases."""
