"""A rehearsal as the command asks for it: revisions, previous version, databases and sizes."""

import os
import re
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

from alembic.config import Config

from service.migrate import naming
from service.migrate.entrypoints import project
from service.migrate.errors import Refused, Unusable
from service.migrate.plan.config import Source, configuration_file, scripts
from service.migrate.proof.rehearse import overrides, versions
from service.migrate.proof.rehearse.choosing import choose
from service.migrate.proof.rehearse.clock import Clock
from service.migrate.proof.rehearse.database import Database, made
from service.migrate.proof.rehearse.judge import Measured
from service.migrate.proof.rehearse.messages import Settings
from service.migrate.proof.rehearse.migrators import Faults
from service.migrate.proof.rehearse.overrides import Overrides
from service.migrate.proof.rehearse.phases import (
    NEW,
    OLD,
    PLAIN,
    SAFE,
    Deployment,
    Phase,
    deployment,
    steps_of,
)
from service.migrate.proof.rehearse.rehearsal import Rehearsal
from service.migrate.proof.rehearse.versions import Version
from service.migrate.proof.stopping import stoppable
from service.migrate.proof.verify.rows import Rows
from service.terminal.progress import Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The options of a rehearsal, as `rehearse --help` explains them."""

    since: str | None
    previous: str | None
    databases: tuple[str, ...]
    server: str | None
    sizes: tuple[int, ...]
    serve: str | None
    traffic: Path | None
    seconds: float
    connections: int
    rate: float
    writes: float
    timeout: float
    seed: int
    faults: Faults
    baseline: bool


@dataclass(kw_only=True)
class Result:
    """What was rehearsed, and the figures of each phase."""

    revisions: list[str]
    previous: str
    # Why nothing was rehearsed.
    note: str = ""
    measured: list[Measured] = field(default_factory=list)
    unused: dict[str, dict[str, str]] = field(default_factory=dict)
    requests: dict[str, str] = field(default_factory=dict)


def rehearsed(plan: Plan, config: Source | None, show: Progress) -> Result:
    """Rehearse on each database with each number of rows; nothing if no revision is new since a commit.

    Raises:
        Unknown: there is no such revision or commit.
        Unusable: a file, a command, a version or a server cannot be used.
    """
    with _as_misuse():
        file = _file(config)
        project.read(config)
        said = overrides.read(plan.traffic, file.parent)
        command = _command(plan, said)
        chosen, commit = choose(scripts(config), plan.since, plan.previous, file.parent)
        if not chosen:
            note = f"No revision is new since {plan.since or plan.previous}: there is nothing to rehearse."
            return Result(revisions=[], previous=commit, note=note)
        found = deployment(scripts(config), chosen)
        if not found.base:
            first = f"{chosen[0]} is the first revision, and no version serves an empty database"
            if plan.since is None:
                raise Unusable(f"{first}: name one with --since.")
            return Result(revisions=[], previous=commit, note=f"{first}: there is nothing to rehearse.")
    result = Result(revisions=[each.revision for each in found.revisions], previous=commit)
    with stoppable(), ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="rehearse-")))
        old = stack.enter_context(versions.previous(file.parent, commit, said.install))
        both = {OLD: old, NEW: versions.current(file.parent)}
        styles = (SAFE, PLAIN) if plan.baseline else (SAFE,)
        steps = {(each, style): steps_of(found, each, style) for each in plan.databases for style in styles}
        clock = Clock(
            show,
            fills=len(plan.databases) * len(plan.sizes),
            phases=sum(map(len, steps.values())) * len(plan.sizes),
            seconds=plan.seconds,
        )
        one = _One(
            plan=plan,
            config=config,
            file=file,
            said=said,
            versions=both,
            found=found,
            folder=folder,
            command=command,
            clock=clock,
            result=result,
        )
        for backend in plan.databases:
            for rows in plan.sizes:
                one.run(backend, rows, {style: steps[backend, style] for style in styles})
    return result


@contextmanager
def _as_misuse() -> Iterator[None]:
    """What stops a rehearsal before it begins is no finding, a revision that cannot be loaded included."""
    try:
        yield
    except Refused as refused:
        raise Unusable(str(refused)) from refused


@dataclass(kw_only=True)
class _One:
    """Rehearsals of one deployment."""

    plan: Plan
    config: Source | None
    file: Path
    said: Overrides
    versions: dict[str, Version]
    found: Deployment
    folder: Path
    command: str
    clock: Clock
    result: Result

    def run(self, backend: str, count: int, steps: Mapping[str, list[Phase]]) -> None:
        """Fill a database once, and rehearse each style on it, or on copies where there are several."""
        rows = Rows(
            seed=self.plan.seed,
            count=count,
            is_plain=True,
            counts=self.said.rows,
            fixed=self.said.columns,
            watch=self.clock.filling,
        )
        with made(backend, self.plan.server, self.config) as filled:
            self.clock.fill()
            filled.prepare(list(self.found.base), rows)
            self.clock.filled()
            for style, phases in steps.items():
                with nullcontext(filled) if len(steps) == 1 else filled.copy() as database:
                    self._rehearse(database, count, style, phases)

    def _rehearse(self, database: Database, count: int, style: str, phases: list[Phase]) -> None:
        variables = {**self.said.environment, **self._url_variable(database.url)}
        rehearsal = Rehearsal(
            database=database,
            config=self.file,
            versions=self.versions,
            serve=self.command,
            variables=variables,
            settings=self._settings(self._token(database.url, variables)),
            faults=self.plan.faults if style == SAFE else Faults(),
            rows=count,
            seconds=self.plan.seconds,
            folder=self.folder,
        )
        began = monotonic()
        base = list(self.found.base)
        for each in rehearsal.run(
            phases, base, lambda phase: self.clock.phase(f"{phase.described} on {database.backend}")
        ):
            self.result.measured.append(each)
            self.clock.ended(monotonic() - began)
            began = monotonic()
        self.result.unused |= {name: each.unused for name, each in rehearsal.learned.items()}

    def _url_variable(self, url: str) -> dict[str, str]:
        setting = naming.current().database_setting
        return {setting: url} if _is_variable(setting) else {}

    def _token(self, url: str, variables: dict[str, str]) -> str:
        """What the traffic file's command for a token prints last, run by the previous version."""
        if not self.said.token:
            return ""
        old = self.versions[OLD]
        words = versions.split(self.said.token, python=old.python, url=url)
        environment = {**old.environment, **variables}
        done = subprocess.run(
            words, cwd=old.folder, env={**os.environ, **environment}, capture_output=True, text=True, check=False
        )
        if done.returncode or not done.stdout.strip():
            raise Unusable(f"The command for a token failed: {self.said.token}:{versions.last_lines(done.stderr)}")
        return done.stdout.split()[-1]

    def _settings(self, token: str) -> Settings:
        return Settings(
            versions=(OLD, NEW),
            connections=self.plan.connections,
            rate=self.plan.rate,
            writes=self.plan.writes,
            timeout_seconds=self.plan.timeout,
            seed=self.plan.seed,
            headers={name.lower(): each.replace("{token}", token) for name, each in self.said.headers.items()},
            openapi=self.said.openapi,
            skip=self.said.skip,
            weights=self.said.weights,
            values=self.said.values,
        )


def _command(plan: Plan, said: Overrides) -> str:
    """The command that serves a version; raises Unusable if it is missing, or cannot work."""
    command = plan.serve or said.serve
    if not command:
        raise Unusable(
            "No command serves this project: give --serve, such as 'uvicorn shop:app --port {port}', or `serve` in "
            f"{overrides.NAME}."
        )
    if "{port}" not in command:
        raise Unusable(f"The command {command!r} has no {{port}}, which the rehearsal chooses.")
    if "{url}" not in command and not _is_variable(naming.current().database_setting):
        raise Unusable(
            f"The command {command!r} has no {{url}}, and the project's Naming no database_setting: one must tell "
            "the service which database it is."
        )
    versions.split(command, port="", python="", url="")
    return command


def _is_variable(name: str) -> bool:
    return re.fullmatch(r"[A-Z][A-Z0-9_]*", name) is not None


def _file(config: Source | None) -> Path:
    named = (
        (config.config_file_name or config.toml_file_name) if isinstance(config, Config) else configuration_file(config)
    )
    if named is None:
        raise Unusable("A rehearsal needs a file alembic.ini: name it with --config.")
    return Path(named).absolute()
