"""A run of the linter: the revisions of a project, judged and without what is suppressed."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from difflib import get_close_matches
from pathlib import Path

from alembic.runtime.environment import EnvironmentContext

from service.migrate.entrypoints import project
from service.migrate.errors import Unknown
from service.migrate.plan import graph
from service.migrate.plan.config import Source, configuration, scripts
from service.migrate.proof import revisions
from service.migrate.proof.finding import Finding
from service.migrate.proof.lint import database, models, reading, suppressions, tracing
from service.migrate.proof.lint.examining import Examined, Examiner, Given
from service.migrate.proof.lint.reading import Revision
from service.migrate.proof.lint.rule import RULES, Family, Rule
from service.migrate.proof.lint.rules import (  # noqa: F401 - each registers its rules
    broken,
    history,
    locks,
    on_table,
    opaque,
    renamed,
    rewrites,
    running_version,
    server,
    sqlite,
    together,
    trace,
    transactions,
    used_objects,
    values,
)
from service.migrate.proof.lint.sql.schema import Schema

NEWEST_VERSION, OLDEST_VERSION = 18, 15


@dataclass(frozen=True, kw_only=True)
class Result:
    """The findings in the order of the history, and the revisions that were examined."""

    revisions: tuple[Revision, ...]
    findings: tuple[Finding, ...]
    suppressed: int
    # The schema before each revision, as the history tells it.
    schemas: Mapping[str, Schema] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a run is about; `only` and `ignored` are ids of rules."""

    since: str | None = None
    databases: tuple[str, ...] = ("sqlite", "postgresql")
    version: int = OLDEST_VERSION
    only: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    today: date | None = None
    # A database whose triggers, functions, views, policies and publications the revisions meet.
    url: str | None = None
    # Whether the revisions are executed too: on which server (None: an ephemeral one), with how many rows in a table.
    traces: bool = False
    server: str | None = None
    rows: int = 50


def _unwatched(_done: int, _total: int, _revision: str) -> None:
    pass


def lint(asked: Asked, config: Source | None = None, watch: tracing.Watch = _unwatched) -> Result:
    """Examine the revisions that `since` does not contain; `watch` is called after each that is traced.

    Raises:
        Unknown: there is no such revision, commit or rule.
        Refused: a revision cannot be loaded.
        Unusable: there is no PostgreSQL to trace on.
    """
    for id in (*asked.only, *asked.ignored):
        rule(id)
    found = project.read(config)
    directory = scripts(config)
    chosen = revisions.chosen(directory, asked.since)
    ordered = reversed(list(directory.walk_revisions()))
    # A revision may ask the context for the arguments of -x, or whether it is offline.
    with project.alone, EnvironmentContext(configuration(config), directory):
        parents = graph.parents_of(directory)
        read = [
            reading.read(
                each, parents[each.revision], found.metadata, asked.databases, is_judged=each.revision in chosen
            )
            for each in ordered
        ]
    commit = revisions.commit_of(directory, asked.since)
    given = Given(
        databases=asked.databases,
        version=asked.version,
        mapped=models.of_metadata(found.metadata),
        base=models.at_commit(Path(directory.dir), commit) if commit else None,
        model_modules=models.modules_of(found.metadata),
        was=dict(_at_commit(read, chosen, commit)) if commit else {},
        heads=tuple(directory.get_heads()),
        there=database.read(asked.url, config) if asked.url else Schema(),
    )
    examiner = Examiner(read, given)
    own = [each for each in read if each.id in chosen]
    examined = list(examiner.run(chosen))
    if asked.traces and "postgresql" in asked.databases:
        known = [each.finding for each in examined]
        examined += tracing.traced(chosen, known, server=asked.server, rows=asked.rows, config=config, watch=watch)
    result = _result(asked, own, examined)
    return replace(result, schemas={each.id: examiner.before(each) for each in own})


def rule(id: str) -> Rule:
    """The rule of this id; raises Unknown if there is none."""
    if id not in RULES:
        close = get_close_matches(id, RULES, n=1)
        meant = f"Did you mean {close[0]}? " if close else ""
        raise Unknown(f"There is no rule {id}. {meant}--list-rules lists the rules there are.")
    return RULES[id]


def listed() -> list[Rule]:
    """The rules, by family."""
    families = list(Family)
    return sorted(RULES.values(), key=lambda each: families.index(each.family))


def _at_commit(read: Sequence[Revision], chosen: Collection[str], commit: str) -> Iterator[tuple[str, str]]:
    """The source at the commit of each chosen revision that the commit has."""
    for each in read:
        if each.id in chosen:
            source = revisions.source_at(each.path, commit)
            if source is not None:
                yield each.id, source


def _result(asked: Asked, read: Sequence[Revision], examined: Sequence[Examined]) -> Result:
    today = asked.today or datetime.now(UTC).date()
    findings: list[Finding] = []
    count = 0
    for revision in read:
        own = [each for each in examined if each.finding.revision == revision.id]
        kept, extra = suppressions.applied(revision, own, today)
        count += len(own) - len(kept)
        findings += sorted((*kept, *extra), key=lambda each: (each.line, each.rule))
    return Result(
        revisions=tuple(read),
        findings=tuple(
            each for each in findings if (not asked.only or each.rule in asked.only) and each.rule not in asked.ignored
        ),
        suppressed=count,
    )
