"""Contradictions between the ledger and the database: a step is recorded, and its object is missing."""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from alembic.script import Script, ScriptDirectory
from alembic.util import to_tuple
from sqlalchemy import Connection

from service.migrate import naming
from service.migrate.dialects import predicates
from service.migrate.errors import Refused
from service.migrate.operations.step import Step, words_in
from service.migrate.plan import checksum
from service.migrate.plan.plan import Phase, Plan, plan
from service.migrate.run import pending
from service.migrate.run.executor import are_opposite
from service.migrate.state import drift, ledger, trash
from service.migrate.state.titles import is_same

_LITERAL = re.compile(r"'((?:[^']|'')*)'")
# Kinds of objects in the questions of `predicates`.
_KINDS = {"r", "p", "v", "table", "index", "view", "trigger"}
_LATER = (Phase.SETTLE, Phase.CONTRACT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Contradiction:
    """What the ledger and the database say, and the commands that end the contradiction, as sentences."""

    problem: str
    cure: str


def refuse_contradictions(
    connection: Connection,
    applied: Sequence[Script],
    directory: ScriptDirectory,
    *,
    has_drift: bool,
    catalog: Callable[[], Iterable[str]] | None = None,
    undone: Collection[str] = (),
) -> None:
    """Compare the ledger with alembic_version and the catalog, in the open transaction.

    With `has_drift`, changes of the catalog since the last run count; not after a run that was killed, and not those
    of `undone` revisions, which a downgrade is about to undo: the done predicates of an undo decide what is left of it.
    `catalog` returns the lines of the catalog, if the run has to read them for more than this.

    Raises:
        Refused: another program changed the schema or alembic_version. The message names a step and the way out.
    """
    found_ones = contradictions(connection, applied, directory, has_drift=has_drift, catalog=catalog, undone=undone)
    found = next(found_ones, None)
    if found is not None:
        raise Refused(f"{found.problem} Nothing was changed. {found.cure}")


def contradictions(
    connection: Connection,
    applied: Sequence[Script],
    directory: ScriptDirectory,
    *,
    has_drift: bool,
    catalog: Callable[[], Iterable[str]] | None = None,
    undone: Collection[str] = (),
) -> Iterator[Contradiction]:
    """What `refuse_contradictions` refuses, one for each revision or step; the arguments are the same."""
    known = ledger.known_if_any(connection)
    heads = " ".join(sorted(_heads(applied))) or "base"
    if known:
        yield from _unapplied(connection, known - {script.revision for script in applied}, directory, heads)
        if has_drift:
            counted = known.difference(undone)
            changed = drift.changes(connection, catalog)
            yield from _changed(
                connection, [script for script in applied if script.revision in counted], heads, changed
            )
        yield from _unrecorded(connection, [script for script in applied if script.revision in known])
    yield from _stamped(connection, applied, known)


def _unrecorded(connection: Connection, applied: Sequence[Script]) -> Iterator[Contradiction]:
    """An applied revision without records of its steps, which a downgrade would not undo."""
    done, items = ledger.all_done(connection), trash.items(connection)
    left_out = ledger.taken_back(connection, [script.revision for script in applied])
    left_out |= set(checksum.mismatches(ledger.checksums(connection), list(applied)))
    for script in applied:
        found = None if script.revision in left_out else plan(script, connection.dialect.name)
        if found is None:
            continue
        missing = len(found.expand) - done.get((found.revision, Phase.EXPAND), 0)
        if missing > 0:
            missing = len(found.expand) - len(ledger.begun(connection, found.revision, Phase.EXPAND))
        moved = next(_moved_without_record(connection, found, items), None)
        if missing > 0:
            problem = f"{found.revision} is applied, and {missing} of its steps"
        elif moved is not None:
            problem = f"the trash holds {moved} of {found.revision}, and the steps of its contract"
        else:
            continue
        before = " ".join(to_tuple(script.down_revision, default=())) or "base"
        yield Contradiction(
            problem=f"The ledger and the database contradict each other: {problem} are not recorded in "
            f"{ledger.STEPS.name}, from which another program deleted rows.",
            cure=f"Restore the rows, or run `alembic stamp {before}` and `alembic stamp {found.revision}`, after which "
            "the migrator reads from the database what is done.",
        )


def _moved_without_record(connection: Connection, found: Plan, items: Sequence[trash.Item]) -> Iterator[str]:
    """What a contract moved to the trash by a step that the ledger does not have."""
    dialect = connection.dialect.name
    for item in items:
        if pending.owner([found], item, dialect) is None:
            continue
        title = f"MOVE {'TABLE' if item.column is None else 'COLUMN'} {item.described} TO TRASH"
        # A step that an undo has half undone counts as begun.
        recorded = ledger.begun(connection, found.revision, Phase.CONTRACT).keys()
        steps = (at for at, step in enumerate(found.contract) if pending.same(dialect, step.title, title))
        if not recorded >= set(steps):
            yield item.described


def _unapplied(
    connection: Connection, revisions: Collection[str], directory: ScriptDirectory, heads: str
) -> Iterator[Contradiction]:
    """A revision with records that is not in alembic_version: an incomplete upgrade, or a downgrade by other means."""
    dialect = connection.dialect.name
    for script in directory.walk_revisions():
        if script.revision not in revisions or (found := plan(script, dialect)) is None:
            continue
        problem = next(_recorded_of_unapplied(connection, found), None)
        if problem is not None:
            yield Contradiction(
                problem=f"The ledger and the database contradict each other: {problem}, since another program "
                "downgraded the schema or restored a dump.",
                cure=f"Run `alembic stamp {heads}`, which makes the ledger forget {script.revision}, then run the "
                "command again.",
            )


def _recorded_of_unapplied(connection: Connection, plan: Plan) -> Iterator[str]:
    for phase in reversed(_LATER):
        if ledger.begun(connection, plan.revision, phase):
            yield f"the {phase} phase of {plan.revision} is recorded, and alembic_version does not have {plan.revision}"
    done = ledger.done(connection, plan.revision, Phase.EXPAND)
    titles = ledger.begun(connection, plan.revision, Phase.EXPAND)
    # A step that the file has no more was edited, which the upgrade refuses.
    steps = [
        step
        for at, step in enumerate(plan.expand)
        if at in done and is_same(titles[at], step.title, connection.dialect.name)
    ]
    for step in _missing(connection, steps):
        yield f"{step.title} of {plan.revision} is recorded as done, and the database does not have it"


def _changed(
    connection: Connection, applied: Sequence[Script], heads: str, lines: Sequence[str]
) -> Iterator[Contradiction]:
    """A recorded step whose object the catalog had after the last run, and has no more."""
    if not lines:
        return
    changed = [(line, words_in(_subject(line))) for line in lines]
    recorded = list(_recorded(connection, applied))
    for position, (revision, step) in enumerate(recorded):
        line = _named_in(step, changed)
        later = (other for _, other in recorded[position + 1 :])
        if line is None or _holds(connection, step) or any(are_opposite(step.done, other.done) for other in later):
            continue
        yield Contradiction(
            problem=f"The ledger and the database contradict each other: {step.title} of {revision} is recorded as "
            f"done, and another program changed that since the last run ({line}).",
            cure=f"Restore it, or run `alembic stamp {heads}`, which accepts the schema as it is.",
        )


def _recorded(connection: Connection, applied: Sequence[Script]) -> Iterator[tuple[str, Step]]:
    """The completed steps of these revisions, in the order of the revisions and their phases."""
    for script in applied:
        if (found := plan(script, connection.dialect.name)) is not None:
            for phase in (Phase.EXPAND, *_LATER):
                done = ledger.done(connection, found.revision, phase)
                yield from ((found.revision, step) for at, step in enumerate(found.steps(phase)) if at in done)


def _subject(line: str) -> str:
    """The line of a function, a view or a trigger without its text, which names other objects."""
    sign, kind, *rest = line.split(" ", 3)
    if kind == "view":
        return " ".join((sign, kind, *rest[:1]))
    return re.split(r" AS |: | WHEN ", line, maxsplit=1)[0] if kind in ("function", "trigger") else line


def _stamped(connection: Connection, applied: Sequence[Script], known: set[str]) -> Iterator[Contradiction]:
    """A revision without a record that alembic_version has, and the database has not."""
    if known.issuperset(script.revision for script in applied):
        return
    later: set[str] = set()
    for script in reversed(applied):
        found = plan(script, connection.dialect.name)
        if found is None:
            continue
        if script.revision not in known and not any(_are_done(connection, found.steps(phase)) for phase in _LATER):
            missing = (step for step in _missing(connection, found.expand) if later.isdisjoint(_names(step)))
            if (step := next(missing, None)) is not None:
                before = " ".join(to_tuple(script.down_revision, default=())) or "base"
                yield Contradiction(
                    problem=f"alembic_version has {script.revision}, and the database does not have what "
                    f"{step.title} makes: the revision was stamped and not applied.",
                    cure=f"Run `alembic stamp {before}`, then {naming.command('upgrade')}; or run `alembic stamp "
                    f"{script.revision}` again, which accepts the schema as it is.",
                )
        for phase in (Phase.EXPAND, *_LATER):
            later |= words_in(*(text for step in found.steps(phase) for text in (step.title, *step.statements)))


def _missing(connection: Connection, steps: Sequence[Step]) -> Iterator[Step]:
    """The steps whose done-predicate is false, without those that a later one of these steps reverses."""
    for position, step in enumerate(steps):
        if any(are_opposite(step.done, other.done) for other in steps[position + 1 :]):
            continue
        if not _holds(connection, step):
            yield step


def _holds(connection: Connection, step: Step) -> bool:
    return step.done is None or predicates.ask(connection, step.done)


def _are_done(connection: Connection, steps: Sequence[Step]) -> bool:
    asked = [step for step in steps if step.done is not None]
    return bool(asked) and all(_holds(connection, step) for step in asked)


def _names(step: Step) -> set[str]:
    """The names in the done-predicate of a step."""
    texts = (text.strip('"') for text in _LITERAL.findall(step.done or ""))
    return {text for text in texts if text and text not in _KINDS}


def _named_in(step: Step, changed: Collection[tuple[str, set[str]]]) -> str | None:
    names = _names(step)
    return next((line for line, words in changed if names and names <= words), None)


def _heads(applied: Sequence[Script]) -> set[str]:
    parents = {each for script in applied for each in to_tuple(script.down_revision, default=())}
    return {script.revision for script in applied} - parents
