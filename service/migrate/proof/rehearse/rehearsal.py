"""A rehearsal on one database: both versions serve, the load runs, the migrator works, everything is measured."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from service.migrate import naming
from service.migrate.dialects import ddl
from service.migrate.errors import Unusable
from service.migrate.proof.rehearse.child import Child
from service.migrate.proof.rehearse.database import Database
from service.migrate.proof.rehearse.judge import Measured
from service.migrate.proof.rehearse.messages import (
    Begin,
    Begun,
    End,
    Learn,
    Learned,
    Locks,
    Seen,
    Settings,
    Stop,
    Watch,
)
from service.migrate.proof.rehearse.migrators import Faults, Migrators
from service.migrate.proof.rehearse.phases import CONTROL, Phase
from service.migrate.proof.rehearse.serving import served
from service.migrate.proof.rehearse.versions import Version

_PACKAGE = "service.migrate.proof.rehearse"
# Of a phase's seconds, the share before the migrator starts and the least share after it has ended.
_CALM_SHARE = 0.25
# Called before each phase.
Report = Callable[[Phase], None]


@dataclass(kw_only=True)
class Rehearsal:
    """Runs the phases on a prepared database."""

    database: Database
    config: Path
    versions: Mapping[str, Version]
    serve: str
    variables: Mapping[str, str]
    settings: Settings
    faults: Faults
    rows: int
    seconds: float
    folder: Path
    learned: dict[str, Learned] = field(default_factory=dict, init=False)
    _sampler: Child | None = field(default=None, init=False)
    _ports: dict[str, int] = field(default_factory=dict, init=False)
    _stacks: dict[str, ExitStack] = field(default_factory=dict, init=False)

    def run(self, phases: list[Phase], base: list[str], report: Report) -> Iterator[Measured]:
        """Yield the figures of each phase; `base` are the revisions that the database has.

        With faults, the catalog after each phase is compared with that of a run without faults.

        Raises:
            Unusable: a version does not start, or nothing can be sent to it.
        """
        with ExitStack() as stack:
            for name in self.versions:
                self._stacks[name] = stack.enter_context(ExitStack())
            self._traffic = self._child(stack, "traffic", msgspec.json.encode(self.settings).decode())
            if self.database.backend == "postgresql":
                self._sampler = self._child(stack, "locks", self.database.url)
            processes = [self._child(stack, "migrator", str(self.config)) for _ in range(self.faults.migrators)]
            self._migrators = Migrators(
                url=self.database.url, children=processes, faults=self.faults, server=self.database.server
            )
            expected = self._undisturbed(phases, base, processes) if self.faults.is_any else {}
            for number, phase in enumerate(phases):
                report(phase)
                measured = self._measure(phase, is_last=number == len(phases) - 1)
                if number in expected and not measured.error:
                    found, wanted = self.database.catalog(), expected[number]
                    lines = [*(f"+ {each}" for each in found - wanted), *(f"- {each}" for each in wanted - found)]
                    measured = msgspec.structs.replace(measured, differences=tuple(sorted(lines)))
                yield measured
                if measured.error:
                    # What follows would measure the failure again.
                    return

    def _undisturbed(
        self, phases: list[Phase], base: list[str], processes: Sequence[Child]
    ) -> dict[int, frozenset[str]]:
        """The catalog after each phase with a migrator, in another database without rows, requests and faults."""
        with self.database.empty_one() as empty:
            empty.upgrade(base)
            migrators = Migrators(url=empty.url, children=processes, faults=Faults(), server=None)
            found = {}
            for number, phase in enumerate(phases):
                if phase.runs:
                    # What fails here fails in the phase itself too, which reports it.
                    migrators.run(phase.runs)
                    found[number] = empty.catalog()
            return found

    def _measure(self, phase: Phase, *, is_last: bool) -> Measured:
        try:
            self._serve(phase.serving)
        except Unusable as failure:
            if phase.name == CONTROL:
                raise
            # It serves without the migration.
            return self._measured(phase, error=str(failure))
        began, wal, attempts = time.monotonic(), self.database.wal_bytes(), self.database.attempts()
        self._traffic.ask(Begin(ports={name: self._ports[name] for name in phase.serving}), Begun)
        self._watch()
        if phase.runs:
            time.sleep(_CALM_SHARE * self.seconds)
        with self._reader(phase):
            outcome = self._migrators.run(phase.runs)
        least = _CALM_SHARE * self.seconds if phase.runs else 0.0
        time.sleep(max(began + self.seconds - time.monotonic(), least))
        locks = self._sampler.ask(Stop(), Locks) if self._sampler is not None else Locks()
        seconds = time.monotonic() - began
        seen = self._traffic.ask(End(everything=is_last), Seen)
        return self._measured(
            phase,
            seen=seen,
            locks=locks,
            seconds=round(seconds, 3),
            migrator_seconds=round(outcome.seconds, 3),
            migrator_retries=self.database.attempts() - attempts,
            migrator_kills=len(outcome.killed_at),
            wal_bytes=max(self.database.wal_bytes() - wal, 0),
            error=f"the migrator failed: {outcome.error}" if outcome.error else "",
        )

    def _measured(
        self, phase: Phase, *, seen: Seen | None = None, locks: Locks | None = None, seconds: float = 0.0, **more: Any
    ) -> Measured:
        return Measured(
            database=self.database.backend,
            rows=self.rows,
            phase=phase.name,
            direction=phase.direction,
            revision=phase.revision,
            serving=phase.serving,
            style=phase.style,
            seen=seen or Seen(),
            locks=locks or Locks(),
            seconds=seconds,
            **more,
        )

    def _reader(self, phase: Phase) -> AbstractContextManager[object]:
        """A foreign transaction during the runs of a phase, if the faults have one."""
        seconds = self.faults.long_transaction_seconds
        if seconds is None or not phase.runs or self.database.backend == "sqlite":
            return nullcontext()
        stack = ExitStack()
        reader = self._child(stack, "reader", self.database.url, str(seconds), *map(ddl.quoted, self.database.tables()))
        reader.answer(Begun)
        return stack

    def _watch(self) -> None:
        if self._sampler is None:
            return
        name = naming.current().application
        migrators = (f"{name} migrate", f"{name} backfill")
        self._sampler.ask(Watch(migrators=migrators, tables=tuple(self.database.tables())), Begun)

    def _serve(self, wanted: tuple[str, ...]) -> None:
        """Stop the versions that are not wanted any more, and start those that are."""
        for name in [each for each in self._ports if each not in wanted]:
            self._stacks[name].close()
            del self._ports[name]
        for name in wanted:
            if name not in self._ports:
                version = self.versions[name]
                self._ports[name] = self._stacks[name].enter_context(
                    served(version, self.serve, self.database.url, self.variables, self.folder)
                )
                self._learn(version)

    def _learn(self, version: Version) -> None:
        """Ask a version once what can be sent to it."""
        if version.name in self.learned:
            return
        learned = self._traffic.ask(Learn(version=version.name, port=self._ports[version.name]), Learned)
        if learned.problem:
            raise Unusable(f"Nothing can be sent to {version.described}: {learned.problem}. Correct the traffic file.")
        self.learned[version.name] = learned

    def _child(self, stack: ExitStack, module: str, *arguments: str) -> Child:
        return stack.enter_context(Child(f"{_PACKAGE}.{module}", *arguments, cwd=self.config.parent))
