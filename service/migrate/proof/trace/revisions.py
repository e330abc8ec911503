"""Revisions traced: executed up and down through every phase on PostgreSQL, with rows in every table."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from alembic.script import Script, ScriptDirectory
from alembic.util import to_tuple
from sqlalchemy import Connection, make_url
from sqlalchemy.exc import SQLAlchemyError

from service.migrate.entrypoints import commands
from service.migrate.errors import Refused, reason
from service.migrate.plan import graph
from service.migrate.plan.config import Source, scripts
from service.migrate.plan.faults import shown
from service.migrate.plan.plan import is_plain
from service.migrate.proof import scratch
from service.migrate.proof.revisions import call_own, line_of
from service.migrate.proof.trace.gate import Gate
from service.migrate.proof.trace.observed import Observed
from service.migrate.proof.trace.tracer import Label, Tracer, first_line
from service.migrate.proof.verify.rows import Rows
from service.migrate.proof.verify.verify import unsaid

T = TypeVar("T")
_FEWEST = 10
# Shorter texts may stand anywhere in a file.
_TELLING = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Traced:
    """What the statements of a revision did, and, for a revision that cannot be executed, why."""

    revision: str
    file: str
    observed: tuple[Observed, ...]
    refused: str = ""


@dataclass(kw_only=True)
class RevisionTracer:
    """Traces revisions one after another on databases of its own, which `server` creates.

    Each table gets ten rows at least: fewer do not tell a scan from a look at one row.
    """

    server: str
    rows: Rows
    config: Source | None = None
    # What makes an empty database, instead of `server`.
    empty: Callable[[], AbstractContextManager[str]] | None = None
    _url: str = field(default="", init=False)
    _tracer: Tracer = field(init=False)
    _brought: set[str] = field(default_factory=set, init=False)

    def __post_init__(self) -> None:
        self.rows = replace(self.rows, count=max(self.rows.count, _FEWEST))

    def run(self, revisions: Sequence[str]) -> Iterator[Traced]:
        """Yield the result of each revision, in the order of the history."""
        chosen = set(revisions)
        with ExitStack() as stack:
            for script in reversed(list(self._directory.walk_revisions())):
                if script.revision not in chosen:
                    continue
                if not self._url or self._brought - graph.with_ancestors(self._directory, [script.revision]):
                    # What is there belongs to another branch, or to a revision that failed.
                    self._start(stack)
                yield self._traced(script)

    def run_one_way(self, revisions: Sequence[str], *, is_down: bool) -> Iterator[Traced]:
        """Yield the upgrade of each revision alone, or its downgrade, which a revision may also refuse for its rows."""
        chosen = set(revisions)
        with ExitStack() as stack:
            for script in reversed(list(self._directory.walk_revisions())):
                if script.revision in chosen:
                    self._start(stack)
                    yield self._one_way(script, is_down=is_down)

    @property
    def _directory(self) -> ScriptDirectory:
        return scripts(self.config)

    def _start(self, stack: ExitStack) -> None:
        stack.pop_all().close()
        made = self.empty() if self.empty is not None else scratch.postgresql_database(self.server)
        self._url, self._brought = stack.enter_context(made), set()
        gate = stack.enter_context(Gate(url=self._url))
        self._tracer = Tracer(url=make_url(self._url), gate=gate)
        listening: AbstractContextManager[None] = self._tracer.listening()
        stack.enter_context(listening)

    def _traced(self, script: Script) -> Traced:
        found: list[Observed] = []
        refused = ""
        try:
            for parent in to_tuple(script.down_revision, default=()):
                self._bring(parent)
            self._brought |= graph.with_ancestors(self._directory, [script.revision])
            self._round(script, found)
        except (Refused, SQLAlchemyError) as failure:
            found += self._tracer.observed()
            refused = str(failure) if isinstance(failure, Refused) else reason(failure)
            # No revision's id: the database must not be used again.
            self._brought.add("")
        return Traced(
            revision=script.revision, file=shown(script.path), observed=tuple(dict.fromkeys(found)), refused=refused
        )

    def _one_way(self, script: Script, *, is_down: bool) -> Traced:
        parents = to_tuple(script.down_revision, default=())
        below = parents[0] if len(parents) == 1 else "base"
        found: list[Observed] = []
        refused = ""
        try:
            for parent in parents:
                self._bring(parent)
            self._in_database(self.rows.fill, writes=True)
            try:
                found += self._upgraded(script)
            except Refused:
                # Without rows its statements are the same.
                self._in_database(self.rows.clear, writes=True)
                self._tracer.observed()
                found += self._observe(script, "upgrade", "up", commands.upgrade, script.revision)
            if is_down:
                found = self._observe(script, "upgrade", "down", commands.downgrade, below)
        except (Refused, SQLAlchemyError) as failure:
            found += self._tracer.observed()
            refused = str(failure) if isinstance(failure, Refused) else reason(failure)
        return Traced(revision=script.revision, file=shown(script.path), observed=tuple(found), refused=refused)

    def _round(self, script: Script, found: list[Observed]) -> None:
        """Up, down and up again, first without and then with the phases that follow the upgrade."""
        parents = to_tuple(script.down_revision, default=())
        below = parents[0] if len(parents) == 1 else "base" if not parents else None
        self._in_database(partial(call_own, script=script, name="seed_before"), writes=True)
        self._in_database(self.rows.fill, writes=True)
        found += self._upgraded(script)
        if below is not None:
            found += self._observe(script, "upgrade", "down", commands.downgrade, below)
            self._do(commands.upgrade, script.revision)
        if is_plain(script.module):
            return
        found += self._observe(script, "backfill", "up", commands.backfill)
        found += self._observe(script, "contract", "up", commands.contract)
        if below is not None:
            found += self._observe(script, "contract", "down", commands.downgrade, below)
            self._do(commands.upgrade, script.revision)
            self._do(commands.backfill)
            self._do(commands.contract)
        found += self._observe(script, "purge", "up", commands.purge)

    def _upgraded(self, script: Script) -> list[Observed]:
        """Upgrade; with plain rows, if the revision refuses odd ones."""
        try:
            return self._observe(script, "upgrade", "up", commands.upgrade, script.revision)
        except Refused:
            self._in_database(self.rows.clear, writes=True)
            self._in_database(replace(self.rows, is_plain=True).fill, writes=True)
            self._tracer.observed()
            return self._observe(script, "upgrade", "up", commands.upgrade, script.revision)

    def _bring(self, revision: str) -> None:
        """All phases of a revision and of those below it, unless they ran."""
        if revision in self._brought:
            return
        # In an empty database an upgrade runs all phases.
        is_whole = not self._brought
        self._brought |= graph.with_ancestors(self._directory, [revision])
        self._do(commands.upgrade, revision)
        for command in () if is_whole else (commands.backfill, commands.contract, commands.purge):
            self._do(command)

    def _observe(
        self, script: Script, phase: str, direction: str, command: Callable[..., Any], *arguments: str
    ) -> list[Observed]:
        file = Path(script.path)
        label = Label(
            revision=script.revision,
            phase=phase,
            direction=direction,
            file=shown(file),
            folder=file.parent,
            source=file.read_text(encoding="utf-8"),
            line=line_of(file, "downgrade" if direction == "down" else phase),
        )
        self._in_database(lambda connection: self._tracer.begin(label, connection))
        self._do(command, *arguments)
        found = self._tracer.observed()
        self._tracer.begin(Label())
        return [_located(each, label) for each in found]

    def _do(self, command: Callable[..., Any], *arguments: str) -> None:
        command(self._url, *arguments, config=self.config, report=unsaid)

    def _in_database(self, function: Callable[[Connection], T], *, writes: bool = False) -> T:
        return scratch.in_database(self._url, function, config=self.config, writes=writes)


def _located(observed: Observed, label: Label) -> Observed:
    """With the line that has the statement's text, for a step, which no frame of the revision sends."""
    if observed.line != label.line:
        return observed
    first = first_line(observed.statement)
    lines = label.source.splitlines()
    found = (at for at, text in enumerate(lines, start=1) if len(first) >= _TELLING and first in text)
    return replace(observed, line=next(found, observed.line))
