"""What is to be done, phase by phase: the steps and the backfills that the ledger does not have as done."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from alembic.script import Script, ScriptDirectory
from sqlalchemy import Connection

from service.migrate.dialects import predicates
from service.migrate.operations.step import Action, Backfill, Step
from service.migrate.plan import graph
from service.migrate.plan.plan import Phase, Plan, plan
from service.migrate.state import ledger
from service.migrate.state.backfills import BackfillRow, BackfillState


class Stretch(StrEnum):
    """A command that runs a part of a revision, in the order of a deploy."""

    UPGRADE = "upgrade"
    BACKFILL = "backfill"
    CONTRACT = "contract"
    DOWNGRADE = "downgrade"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """One action of a revision; `None` stands for a revision in Alembic's plain style, one transaction."""

    script: Script
    stretch: Stretch
    plan: Plan | None
    action: Action | None


def to_do(connection: Connection, directory: ScriptDirectory, applied: Collection[str]) -> list[Pending]:
    """All that is left up to the newest revisions: every upgrade first, then the backfills, then the contracts."""
    has_ledger = ledger.exists(connection)
    found: dict[Stretch, list[Pending]] = {each: [] for each in Stretch}
    for script in graph.oldest_first(directory, [each.revision for each in directory.walk_revisions()]):
        made = plan(script, connection.dialect.name)
        if made is None:
            if script.revision not in applied:
                found[Stretch.UPGRADE].append(Pending(script=script, stretch=Stretch.UPGRADE, plan=None, action=None))
            continue
        is_known = has_ledger and script.revision in ledger.known(connection)
        # Without a record, a revision was applied by other means, which the migrator takes as complete or looks up.
        if script.revision in applied and not is_known:
            continue
        for stretch, action in _left(connection, made, has_ledger=has_ledger):
            found[stretch].append(Pending(script=script, stretch=stretch, plan=made, action=action))
    return [each for stretch in Stretch for each in found[stretch]]


def to_undo(
    connection: Connection, directory: ScriptDirectory, applied: Collection[str], target: Collection[str]
) -> list[Pending]:
    """The actions of a downgrade to a revision, the newest revision first."""
    kept = graph.with_ancestors(directory, target)
    undone = graph.oldest_first(directory, [each for each in applied if each not in kept])
    return [each for script in reversed(undone) for each in _undone(connection, script)]


def _left(connection: Connection, plan: Plan, *, has_ledger: bool) -> Iterator[tuple[Stretch, Action]]:
    def of(phase: Phase) -> Iterable[Action]:
        done = ledger.done(connection, plan.revision, phase) if has_ledger else set()
        left = (step for at, step in enumerate(plan.steps(phase)) if at not in done)
        return (step for step in left if step.scripted or not _is_done(connection, step))

    yield from ((Stretch.UPGRADE, each) for each in of(Phase.EXPAND))
    for fill in plan.backfills:
        state = BackfillRow.found(connection, plan.revision, fill)[1] if has_ledger else None
        if state is not BackfillState.DONE:
            yield Stretch.BACKFILL, fill
    yield from ((Stretch.BACKFILL, each) for each in of(Phase.SETTLE))
    yield from ((Stretch.CONTRACT, each) for each in of(Phase.CONTRACT))


def _undone(connection: Connection, script: Script) -> Iterator[Pending]:
    made = plan(script, connection.dialect.name)
    if made is None:
        yield Pending(script=script, stretch=Stretch.DOWNGRADE, plan=None, action=None)
        return
    phases = (Phase.CONTRACT, Phase.SETTLE) if made.downgrade is not None else tuple(reversed(list(Phase)[:3]))
    actions = [
        action
        for phase in phases
        for at, step in reversed(list(enumerate(made.steps(phase))))
        if at in ledger.begun(connection, made.revision, phase)
        for action in step.undo
    ]
    # Two steps that make one object each undo it; the second finds nothing to do.
    for action in {each.title: each for each in (*actions, *(made.downgrade or ()))}.values():
        yield Pending(script=script, stretch=Stretch.DOWNGRADE, plan=made, action=action)


def _is_done(connection: Connection, step: Step) -> bool:
    """Whether a step that only recovers, from a crash or from the trash, has nothing to do."""
    return step.done is not None and predicates.ask(connection, step.done)


def tables_of(action: Action | None) -> tuple[str, ...]:
    """The tables that an action locks or writes."""
    if action is None:
        return ()
    return (action.table,) if isinstance(action, Backfill) else action.tables
