"""A rehearsal on one database: both versions serve, the load runs, the migrator works, everything is measured."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from service.migrate import naming
from service.migrate.errors import Unusable
from service.migrate.proof.rehearse.child import Child, Ended
from service.migrate.proof.rehearse.database import Database
from service.migrate.proof.rehearse.judge import Measured
from service.migrate.proof.rehearse.messages import (
    Begin,
    Begun,
    Done,
    End,
    Learn,
    Learned,
    Locks,
    Run,
    Seen,
    Settings,
    Stop,
    Watch,
)
from service.migrate.proof.rehearse.phases import Phase
from service.migrate.proof.rehearse.serving import served
from service.migrate.proof.rehearse.versions import Version

_PACKAGE = "service.migrate.proof.rehearse"
# Of a phase's seconds, the share before the migrator starts and the least share after it has ended.
_CALM_SHARE = 0.25
# Called before each phase, with the number of phases done.
Report = Callable[[Phase, int], None]


@dataclass(kw_only=True)
class Rehearsal:
    """Runs the phases on a prepared database."""

    database: Database
    config: Path
    versions: Mapping[str, Version]
    serve: str
    variables: Mapping[str, str]
    settings: Settings
    rows: int
    seconds: float
    folder: Path
    learned: dict[str, Learned] = field(default_factory=dict, init=False)
    _sampler: Child | None = field(default=None, init=False)
    _ports: dict[str, int] = field(default_factory=dict, init=False)
    _stacks: dict[str, ExitStack] = field(default_factory=dict, init=False)

    def run(self, phases: list[Phase], report: Report) -> Iterator[Measured]:
        """Yield the figures of each phase.

        Raises:
            Unusable: a version does not start, or nothing can be sent to it.
        """
        with ExitStack() as stack:
            for name in self.versions:
                self._stacks[name] = stack.enter_context(ExitStack())
            self._traffic = self._child(stack, "traffic", msgspec.json.encode(self.settings).decode())
            if self.database.backend == "postgresql":
                self._sampler = self._child(stack, "locks", self.database.url)
            self._migrator_stack = stack.enter_context(ExitStack())
            self._migrator = self._start_migrator()
            for number, phase in enumerate(phases):
                report(phase, number)
                yield self._measure(phase, is_last=number == len(phases) - 1)

    def _measure(self, phase: Phase, *, is_last: bool) -> Measured:
        self._serve(phase.serving)
        began, wal, attempts = time.monotonic(), self.database.wal_bytes(), self.database.attempts()
        self._traffic.ask(Begin(ports={name: self._ports[name] for name in phase.serving}), Begun)
        self._watch()
        if phase.runs:
            time.sleep(_CALM_SHARE * self.seconds)
        error, migrator_seconds = self._migrate(phase.runs)
        least = _CALM_SHARE * self.seconds if phase.runs else 0.0
        time.sleep(max(began + self.seconds - time.monotonic(), least))
        locks = self._sampler.ask(Stop(), Locks) if self._sampler is not None else Locks()
        seconds = time.monotonic() - began
        seen = self._traffic.ask(End(everything=is_last), Seen)
        return Measured(
            database=self.database.backend,
            rows=self.rows,
            phase=phase.name,
            direction=phase.direction,
            revision=phase.revision,
            serving=phase.serving,
            seen=seen,
            locks=locks,
            seconds=round(seconds, 3),
            migrator_seconds=round(migrator_seconds, 3),
            migrator_retries=self.database.attempts() - attempts,
            wal_bytes=max(self.database.wal_bytes() - wal, 0),
            error=error,
        )

    def _watch(self) -> None:
        if self._sampler is None:
            return
        name = naming.current().application
        migrators = (f"{name} migrate", f"{name} backfill")
        self._sampler.ask(Watch(migrators=migrators, tables=tuple(self.database.tables())), Begun)

    def _migrate(self, runs: tuple[Run, ...]) -> tuple[str, float]:
        seconds = 0.0
        for run in runs:
            done = self._migrator.ask(run, Done)
            seconds += done.seconds
            if done.error:
                return done.error, seconds
        return "", seconds

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
        try:
            learned = self._traffic.ask(Learn(version=version.name, port=self._ports[version.name]), Learned)
        except Ended as ended:
            raise RuntimeError(str(ended)) from ended
        if learned.problem:
            raise Unusable(f"Nothing can be sent to {version.described}: {learned.problem}. Correct the traffic file.")
        self.learned[version.name] = learned

    def _start_migrator(self) -> Child:
        return self._child(self._migrator_stack, "migrator", self.database.url, str(self.config))

    def _child(self, stack: ExitStack, module: str, *arguments: str) -> Child:
        return stack.enter_context(Child(f"{_PACKAGE}.{module}", *arguments, cwd=self.config.parent))
