"""Places of a revision's changes, with the schema before each, judged by the rules."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce

from service.migrate.proof.finding import Finding
from service.migrate.proof.lint.calls import Call, Style
from service.migrate.proof.lint.models import Mapped
from service.migrate.proof.lint.reading import Revision
from service.migrate.proof.lint.rule import PG, RULES, Place, Rule, Whole
from service.migrate.proof.lint.sql.change import Change, Kind
from service.migrate.proof.lint.sql.schema import Schema

UP = ("upgrade", "contract")


@dataclass(frozen=True, kw_only=True)
class Given:
    """What a run of the linter knows beside the revisions: the databases, the version, the models, the base."""

    databases: tuple[str, ...]
    version: int
    mapped: Mapped
    base: Mapped | None = None
    model_modules: frozenset[str] = frozenset()
    was: Mapping[str, str] = field(default_factory=dict)
    heads: tuple[str, ...] = ()
    # What is on a database that no revision tells.
    there: Schema = field(default_factory=Schema)


@dataclass(frozen=True, kw_only=True)
class Examined:
    """A finding with the lines of the file at which a comment may suppress it."""

    finding: Finding
    lines: tuple[int, ...]


class Examiner:
    """Examines the revisions in the order of the history; the schema goes along."""

    def __init__(self, revisions: Sequence[Revision], given: Given) -> None:
        self._revisions, self._given = revisions, given
        self._made_later = _made_later(revisions)
        # The schema after each revision, so that each branch of the history has its own.
        self._after: dict[str, Schema] = {}

    def run(self, chosen: Collection[str]) -> Iterator[Examined]:
        """Yield the findings of the chosen revisions."""
        for at, revision in enumerate(self._revisions):
            before = self.before(revision)
            after = before.copy()
            for call in _up(revision, PG):
                for change in call.changes:
                    after.apply(change)
            self._after[revision.id] = after
            if revision.id in chosen:
                places = {
                    database: list(self._places(revision, database, before.copy(), self._made_later[at]))
                    for database in self._given.databases
                }
                yield from self._judged(revision, before, places)

    def before(self, revision: Revision) -> Schema:
        """The schema before a revision that was examined."""
        found = [self._after[each] for each in revision.parents if each in self._after]
        return reduce(Schema.joined, found or [self._given.there]).copy()

    def _judged(self, revision: Revision, before: Schema, places: Mapping[str, list[Place]]) -> Iterator[Examined]:
        seen: set[tuple[str, int, str]] = set()
        back = self._after[revision.id].copy()
        for call in revision.in_phase("downgrade", PG):
            for change in call.changes:
                back.apply(change)
        for database in self._given.databases:
            whole = Whole(
                revision=revision,
                before=before,
                after=self._after[revision.id],
                back=back,
                places=tuple(places[database]),
                model_modules=self._given.model_modules,
                was=self._given.was.get(revision.id),
                heads=self._given.heads,
            )
            for each in (*_of_places(places[database], database), *_of_whole(whole, database)):
                key = (each.finding.rule, each.finding.line, each.finding.what)
                if key not in seen:
                    seen.add(key)
                    yield replace(each, finding=self._for_all(each.finding))

    def _for_all(self, finding: Finding) -> Finding:
        """A finding of a rule that is about each database of the run names none."""
        is_about_all = (
            set(self._given.databases) <= set(RULES[finding.rule].databases) and len(self._given.databases) > 1
        )
        return replace(finding, database="") if is_about_all else finding

    def _places(
        self, revision: Revision, database: str, schema: Schema, again: Collection[tuple[str, str]]
    ) -> Iterator[Place]:
        created: set[str] = set()
        added: set[tuple[str, str]] = set()
        together: dict[tuple[str, int], list[Place]] = {}
        calls = _up(revision, database)
        changes = [(call, change) for call in calls for change in call.changes]
        for at, (call, change) in enumerate(changes):
            place = Place(
                change=change,
                call=call,
                schema=schema.copy(),
                revision=revision,
                version=self._given.version,
                mapped=self._given.mapped,
                base=self._given.base,
                again=again,
                created=frozenset(created),
                added=frozenset(added),
                together=tuple(together.get(_transaction(call), ())),
                following=tuple(each for _, each in changes[at + 1 :]),
            )
            yield place
            if call.style is not Style.SAFE:
                together.setdefault(_transaction(call), []).append(place)
            _note(change, created, added)
            schema.apply(change)


def _up(revision: Revision, database: str) -> list[Call]:
    return [call for phase in UP for call in revision.in_phase(phase, database)]


def _transaction(call: Call) -> tuple[str, int]:
    return (call.phase, call.transaction)


def _note(change: Change, created: set[str], added: set[tuple[str, str]]) -> None:
    if change.kind is Kind.CREATE_TABLE:
        created.add(change.table)
    elif change.kind is Kind.CREATE_VIEW:
        created.add(change.name)
    elif change.kind is Kind.RENAME_TABLE and change.table in created:
        created.add(change.to)
    elif change.kind is Kind.ADD_COLUMN:
        added.add((change.table, change.name))


def _of_places(places: Sequence[Place], database: str) -> Iterator[Examined]:
    for place in places:
        for rule in RULES.values():
            if rule.judge is None or database not in rule.databases or place.change.kind not in rule.kinds:
                continue
            if place.is_safe and not rule.judges_safe:
                continue
            if what := rule.judge(place):
                lines = place.call.lines
                yield _examined(rule, place.revision, lines, what, database, place.call.phase)


def _of_whole(whole: Whole, database: str) -> Iterator[Examined]:
    for rule in RULES.values():
        if rule.review is not None and database in rule.databases:
            for line, what in rule.review(whole):
                yield _examined(rule, whole.revision, (line,), what, database, "")


def _examined(rule: Rule, revision: Revision, lines: tuple[int, ...], what: str, database: str, phase: str) -> Examined:
    finding = Finding(
        rule=rule.id,
        level=rule.level,
        revision=revision.id,
        file=revision.file,
        line=lines[0] if lines else 1,
        database=database,
        phase=phase,
        what=what,
        effect=rule.effect,
        advice=rule.advice,
    )
    return Examined(finding=finding, lines=lines)


def _made_later(revisions: Sequence[Revision]) -> list[frozenset[tuple[str, str]]]:
    """For each revision, the tables and columns that later ones create: the models map those, and not the dropped."""
    found: list[frozenset[tuple[str, str]]] = []
    later: set[tuple[str, str]] = set()
    for revision in reversed(revisions):
        found.append(frozenset(later))
        for call in _up(revision, PG):
            for change in call.changes:
                if change.kind is Kind.CREATE_TABLE:
                    later |= {(change.table, ""), *((change.table, each.name) for each in change.columns)}
                elif change.kind is Kind.ADD_COLUMN:
                    later.add((change.table, change.name))
                elif change.kind in (Kind.RENAME_COLUMN, Kind.RENAME_TABLE):
                    later.add((change.table, change.to) if change.kind is Kind.RENAME_COLUMN else (change.to, ""))
    return found[::-1]
