"""Places of a revision's changes, with the schema before each, judged by the rules."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from itertools import groupby

from service.migrate.proof.finding import Finding
from service.migrate.proof.lint.calls import Call, Style
from service.migrate.proof.lint.models import Mapped
from service.migrate.proof.lint.reading import Revision
from service.migrate.proof.lint.rule import PG, RULES, Place, Rule, Whole
from service.migrate.proof.lint.sql import bodies
from service.migrate.proof.lint.sql.apply import apply
from service.migrate.proof.lint.sql.change import Change, Kind
from service.migrate.proof.lint.sql.schema import Schema

UP, DOWN = ("upgrade", "contract"), "downgrade"


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
    """Examines the revisions in the order of the history; the schema of each database goes along."""

    def __init__(self, revisions: Sequence[Revision], given: Given) -> None:
        self._revisions, self._given = revisions, given
        self._made_later = _made_later(revisions)
        # The schema after each revision, so that each branch of the history has its own.
        self._after: dict[tuple[str, str], Schema] = {}
        # Two tables that a transaction locks one after the other, with the first revision that does.
        self._orders: dict[tuple[str, str], str] = {}

    def run(self, chosen: Collection[str]) -> Iterator[Examined]:
        """Yield the findings of the chosen revisions."""
        for at, revision in enumerate(self._revisions):
            for database in dict.fromkeys((PG, *self._given.databases)):
                after = self.before(revision, database)
                apply_all(after, _up(revision, database))
                self._after[revision.id, database] = after
            if revision.id in chosen:
                yield from self._judged(revision, self._made_later[at])

    def before(self, revision: Revision, database: str = PG) -> Schema:
        """The schema before a revision that was examined."""
        found = [self._after[each, database] for each in revision.parents if (each, database) in self._after]
        return reduce(Schema.joined, found or [self._given.there]).copy()

    def _judged(self, revision: Revision, again: Collection[tuple[str, str]]) -> Iterator[Examined]:
        found: dict[tuple[str, int, str], dict[str, Examined]] = {}
        for database in self._given.databases:
            before, after = self.before(revision, database), self._after[revision.id, database]
            places = list(self._places(revision, before.copy(), _up(revision, database), again))
            down = _down(revision, database)
            own = _made(places)
            undone = list(self._places(revision, after.copy(), down, again, own))
            back = after.copy() if revision.is_plain else before.copy()
            if not revision.is_plain:
                # Safe operations undo themselves; what remains to compare is raw SQL.
                apply_all(back, [each for each in _up(revision, database) if each.style is Style.RAW])
            apply_all(back, down)
            whole = Whole(
                revision=revision,
                database=database,
                before=before,
                after=after,
                back=back,
                places=tuple(places),
                undone=tuple(undone),
                model_modules=self._given.model_modules,
                was=self._given.was.get(revision.id),
                heads=self._given.heads,
            )
            for each in (*_of_places((*places, *undone), database), *_of_whole(whole, database)):
                found.setdefault((each.finding.rule, each.finding.line, each.finding.what), {})[database] = each
        for of in found.values():
            each = next(iter(of.values()))
            # A finding on each database of the run names none.
            is_about_all = 1 < len(of) == len(self._given.databases)
            yield replace(each, finding=replace(each.finding, database="")) if is_about_all else each

    def _places(
        self,
        revision: Revision,
        schema: Schema,
        calls: Sequence[Call],
        again: Collection[tuple[str, str]],
        own: tuple[frozenset[str], frozenset[tuple[str, str]]] = (frozenset(), frozenset()),
    ) -> Iterator[Place]:
        """The places of the calls, of which the tables and columns `own` are of this revision already."""
        created, added = set(own[0]), set(own[1])
        together: dict[tuple[str, int], list[Place]] = {}
        changes = [(call, change) for call in calls for change in call.changes]
        for at, (call, change) in enumerate(changes):
            for each in (change, *bodies.called(change, schema)):
                place = Place(
                    change=each,
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
                    following=tuple(one for _, one in changes[at + 1 :]),
                    orders=self._orders,
                )
                yield place
                if call.style is not Style.SAFE:
                    together.setdefault(_transaction(call), []).append(place)
                _note(each, created, added)
                apply(schema, each)


def apply_all(schema: Schema, calls: Sequence[Call]) -> None:
    """Change the schema as the calls do, with what the functions do that they call."""
    for change in (one for call in calls for one in call.changes):
        for each in (change, *bodies.called(change, schema)):
            apply(schema, each)


def _up(revision: Revision, database: str) -> list[Call]:
    return [call for phase in UP for call in revision.in_phase(phase, database)]


def _down(revision: Revision, database: str) -> list[Call]:
    """What a downgrade runs: its function, or, of safe operations, the statements that undo raw SQL, the last first."""
    found = revision.in_phase(DOWN, database)
    if revision.is_plain:
        return found
    return [
        call for _, calls in reversed([(of, list(calls)) for of, calls in groupby(found, _operation)]) for call in calls
    ]


def _operation(call: Call) -> int:
    return id(call.operation)


def _made(places: Sequence[Place]) -> tuple[frozenset[str], frozenset[tuple[str, str]]]:
    """The tables and the columns that an upgrade makes: no request of the older version uses them."""
    created: set[str] = set()
    added: set[tuple[str, str]] = set()
    for each in places:
        _note(each.change, created, added)
    return frozenset(created), frozenset(added)


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
            if place.call.phase == DOWN and not rule.judges_downgrades:
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
