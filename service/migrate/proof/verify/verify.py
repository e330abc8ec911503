"""Verification of revisions: up, down and up again through every phase, with rows in every table."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from alembic.script import Script, ScriptDirectory
from alembic.util import to_tuple
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from service.migrate import naming
from service.migrate.dialects.kept import kept
from service.migrate.entrypoints import commands
from service.migrate.errors import Refused, reason
from service.migrate.plan import graph
from service.migrate.plan.config import Source, scripts
from service.migrate.plan.plan import is_plain, plan
from service.migrate.proof import scratch
from service.migrate.proof.finding import Finding
from service.migrate.proof.revisions import call_own, tables_with_kept_rows
from service.migrate.proof.verify import probe, sequences
from service.migrate.proof.verify.findings import Findings, Rule
from service.migrate.proof.verify.probe import Probes
from service.migrate.proof.verify.rows import Rows
from service.migrate.proof.verify.values import Snapshot, Values, taken

T = TypeVar("T")
Report = Callable[[str], None]


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
    _findings: Findings = field(init=False)
    _url: str = field(default="", init=False)
    _probes: Probes = field(default_factory=Probes, init=False)
    _brought: set[str] = field(default_factory=set, init=False)
    _was_cleared: bool = field(default=False, init=False)

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
        self._findings = Findings(revision=script.revision, database=self.database, file=Path(script.path))
        self._probes, self._was_cleared = Probes(), False
        count = 0
        try:
            self._declare(script)
            for parent in to_tuple(script.down_revision, default=()):
                self._bring(parent)
            count = self._round(script)
        except _Stopped:
            self._brought = {_BROKEN}
            if self._findings.all[-1].phase == "upgrade":
                # Plain rows were refused as well, so that the finding says all.
                self._findings.notes.clear()
        except SQLAlchemyError as failure:
            # What the revision made ends the connection, or cannot be read.
            self._findings.add(Rule.FAILS, "rows", reason(failure))
            self._brought = {_BROKEN}
        return Verified(
            revision=script.revision,
            database=self.database,
            rows=count,
            seconds=round(time.monotonic() - began, 3),
            findings=tuple(self._findings.all),
            notes=tuple(self._findings.notes),
        )

    def _declare(self, script: Script) -> None:
        try:
            self._findings.filled, self._findings.versions = declared(script, self.database)
            self._findings.kept = tables_with_kept_rows(script)
        except Refused as refused:
            self._findings.add(Rule.FAILS, "recording", str(refused))
            raise _Stopped from refused

    def _round(self, script: Script) -> int:
        """Up and down again from each phase, then up for good; return the number of rows."""
        parents = to_tuple(script.down_revision, default=())
        below = parents[0] if len(parents) == 1 else "base" if not parents else None
        self._call_own(script, "seed_before")
        before = self._upgraded(script, is_first=not parents)
        self._kept(before, "upgrade")
        if below is not None:
            self._down("downgrade", below, before)
            self._do("upgrade again", commands.upgrade, script.revision)
        is_safe = not is_plain(script.module)
        if is_safe:
            self._do("backfill", commands.backfill)
            self._do("contract", commands.contract)
            filled = self._look("contract", is_new=True)
            self._findings.compare_positions(before, filled, "contract")
            if below is not None:
                self._down("downgrade after the contract", below, before)
                self._do("upgrade after the downgrade", commands.upgrade, script.revision)
                self._do("backfill after the downgrade", commands.backfill)
                self._do("contract after the downgrade", commands.contract)
                self._again(before, filled, self._read(taken), "contract after the downgrade")
        self._call_own(script, "assert_after")
        if is_safe:
            # Alembic's plain operations move nothing to the trash.
            self._do("purge", commands.purge)
        self._brought |= graph.with_ancestors(self._directory, [script.revision])
        # Later revisions get odd rows again, and those that revisions insert.
        self._brought |= {_BROKEN} if self._was_cleared else set()
        return sum(len(ids) for (_, _), ids in _first_columns(before.values).items())

    def _upgraded(self, script: Script, *, is_first: bool) -> Snapshot:
        """Fill the database with rows that the upgrade accepts, and upgrade; return what was there before.

        Plain rows are used if the upgrade refuses odd ones and changes nothing. A first revision finds no table.
        """
        if is_first:
            before = self._read(taken)
        elif (accepted := self._with_odd_rows(script)) is not None:
            return accepted
        else:
            before = self._fill(replace(self.rows, is_plain=True))
        self._do("upgrade", commands.upgrade, script.revision)
        return before

    def _with_odd_rows(self, script: Script) -> Snapshot | None:
        """What was there before the upgrade; `None` if it refused odd rows, and the database is empty again."""
        before = self._fill(self.rows)
        try:
            commands.upgrade(self._url, script.revision, config=self.config, report=unsaid)
        except Refused as refused:
            why = " ".join(str(refused).split()).rstrip(".")
            where = f"{script.revision} on {_NAMES[self.database]}"
            self._findings.notes.append(f"{where}: rows refused: {why}; plain rows were used")
            self._findings.compare(before, self._read(taken), "a refused upgrade")
            self._read(self.rows.clear, writes=True)
            self._call_own(script, "seed_before")
            self._was_cleared = True
            return None
        return before

    def _down(self, phase: str, below: str, before: Snapshot) -> None:
        self._do(phase, commands.downgrade, below)
        self._findings.compare(before, self._look(phase), phase)

    def _kept(self, before: Snapshot, phase: str) -> None:
        """The upgrade keeps the values of the columns that it leaves, and the positions of sequences."""
        after = self._look(phase)
        self._findings.compare_values(before.values, after.values, phase, of_both=True)
        self._findings.compare_positions(before, after, phase)

    def _again(self, before: Snapshot, filled: Snapshot, after: Snapshot, phase: str) -> None:
        """The second way up leads where the first did; rows that the revision itself inserts may have other times."""
        there = {table for table, _ in before.values}
        values = {each: ids for each, ids in filled.values.items() if each[0] in there}
        # Rows that were tried in between took values of new sequences.
        self._findings.compare(replace(filled, values=values, positions=before.positions), after, phase)

    def _fill(self, rows: Rows) -> Snapshot:
        empty, before, self._probes = self._read(partial(_filled, rows=rows, probed=self.rows))
        for table, error in empty.items():
            self._findings.add(Rule.ROWS, "seed", f"no row could be generated for {table}: {error}")
        return before

    def _look(self, phase: str, *, is_new: bool = False) -> Snapshot:
        """A snapshot, after which each table must take a row: with its old columns, or `is_new` with its new ones."""

        def look(connection: Connection) -> tuple[Snapshot, list[str]]:
            name = phase.partition(" ")[0]
            with kept(connection):
                found = taken(connection)
                return found, probe.failures(connection, self._probes, self.rows, name, is_new=is_new)

        snapshot, failures = self._read(look)
        for each in failures:
            self._findings.add(Rule.CALLERS, phase, each)
        return snapshot

    def _call_own(self, script: Script, name: str) -> None:
        if not hasattr(script.module, name):
            return
        try:
            self._read(partial(call_own, script=script, name=name), writes=True)
        except Refused as refused:
            self._findings.add(Rule.OWN, name, str(refused))
            if name == "seed_before":
                raise _Stopped from refused

    def _do(self, phase: str, command: Callable[..., Any], *arguments: str) -> None:
        try:
            command(self._url, *arguments, config=self.config, report=unsaid)
        except Refused as refused:
            self._findings.add(Rule.FAILS, phase, str(refused))
            raise _Stopped from refused

    def _bring(self, revision: str) -> None:
        """All phases of a revision and of those below it, unless they ran."""
        if revision in self._brought:
            return
        # In an empty database an upgrade runs all phases.
        is_whole = not self._brought
        self._brought |= graph.with_ancestors(self._directory, [revision])
        self._do(f"upgrade to {revision}", commands.upgrade, revision)
        for command in () if is_whole else (commands.backfill, commands.contract, commands.purge):
            self._do(f"upgrade to {revision}", command)

    def _read(self, function: Callable[[Connection], T], *, writes: bool = False) -> T:
        return scratch.in_database(self._url, function, config=self.config, writes=writes)


def _filled(connection: Connection, rows: Rows, probed: Rows) -> tuple[dict[str, str], Snapshot, Probes]:
    """Fill the tables; return those that stay empty, the snapshot, and rows that each table takes."""
    with kept(connection):
        empty = rows.fill(connection)
        sequences.advance(connection)
        connection.commit()
        return empty, taken(connection), probe.made(connection, probed)


def declared(script: Script, dialect: str) -> tuple[set[tuple[str, str]], set[tuple[str, str]]]:
    """The columns whose NULLs the revision replaces for callers to see, and the version columns that this raises."""
    made = None if is_plain(script.module) else plan(script, dialect)
    fills = [each for each in made.backfills if each.is_change] if made is not None else []
    version = naming.current().version_column
    return (
        {(each.table, column) for each in fills for column in each.assign or {}},
        {(each.table, version) for each in fills} if version else set(),
    )


def _first_columns(values: Values) -> dict[tuple[str, str], dict[str, str]]:
    """One column of each table."""
    found: dict[str, tuple[str, str]] = {}
    for table, column in values:
        found.setdefault(table, (table, column))
    return {name: values[name] for name in found.values()}


def unsaid(_sentence: str) -> None:
    """A verification reports findings, not the steps of its databases."""
