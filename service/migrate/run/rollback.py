"""Rollback: undoes recorded steps in reverse order, and continues where an earlier run stopped."""

from collections.abc import Callable, Collection, Iterator
from functools import partial
from itertools import groupby
from typing import NamedTuple

from service.migrate.operations.step import Action, Backfill, Step
from service.migrate.plan.plan import Phase, Plan
from service.migrate.run.backfill.runner import BackfillRunner
from service.migrate.run.executor import Executor, Work, grouped
from service.migrate.run.retry import write_down
from service.migrate.state import ledger


class _Part(NamedTuple):
    """One action of the undo of a step; the step is incomplete until its last action is done."""

    action: Action
    step: Step
    position: int
    is_first: bool
    is_last: bool


def undo(
    executor: Executor,
    backfills: BackfillRunner,
    plan: Plan,
    phase: Phase,
    positions: Collection[int],
    begin: Callable[[], object] | None = None,
) -> None:
    """Undo the steps of a phase at these positions, the last one first; `begin` records the start in the ledger.

    Raises:
        Refused: an action failed; the actions before it stay done, and the next run continues from there.
    """
    connection, steps = executor.session.connection, plan.steps(phase)
    # Mark steps that have a done-predicate as incomplete: an undo may also remove what an earlier step created.
    asked = [(steps[position], position) for position in positions if steps[position].done is not None]

    def write() -> None:
        if begin is not None:
            begin()
        ledger.mark(connection, plan.revision, phase, asked, half=True)

    if begin is not None or asked:
        write_down(executor.session, plan.revision, "the start of the rollback", write)
    for is_fill, group in groupby(_parts(plan, phase, positions), lambda part: isinstance(part.action, Backfill)):
        if is_fill:
            for part in group:
                _undo_by_fill(executor, backfills, plan.revision, phase, part)
        else:
            _undo_by_steps(executor, plan.revision, phase, list(group))


def _parts(plan: Plan, phase: Phase, positions: Collection[int]) -> Iterator[_Part]:
    for position in sorted(positions, reverse=True):
        step = plan.steps(phase)[position]
        actions = step.undo or (Step(title=f"UNDO: {step.title}"),)
        for number, action in enumerate(actions, start=1):
            yield _Part(action, step, position, is_first=number == 1, is_last=number == len(actions))


def _undo_by_fill(executor: Executor, backfills: BackfillRunner, revision: str, phase: Phase, part: _Part) -> None:
    assert isinstance(part.action, Backfill)  # noqa: S101 - the caller's own
    note = partial(_note, executor, revision, phase, [part])
    write_down(executor.session, revision, f"the start of {part.action.title}", partial(note, begins=True))
    backfills.do(revision, part.action)
    write_down(executor.session, revision, "the write to the ledger", note)


def _undo_by_steps(executor: Executor, revision: str, phase: Phase, parts: list[_Part]) -> None:
    actions = [(part.action, part) for part in parts if isinstance(part.action, Step)]
    works = []
    for together in grouped(actions, together=executor.session.dialect == "sqlite"):
        note = partial(_note, executor, revision, phase, [part for _, part in together])
        steps = [action for action, _ in together]
        works.append(Work(phase=f"undo {phase}", steps=steps, record=note, begin=partial(note, begins=True)))
    executor.perform(revision, works)


def _note(executor: Executor, revision: str, phase: Phase, parts: list[_Part], *, begins: bool = False) -> None:
    """Mark a half-undone step incomplete, so that upgrade and downgrade both run it again."""
    connection = executor.session.connection
    gone = set() if begins else {part.position for part in parts if part.is_last}
    # A step with a done-predicate was marked at the start, and another one by its first action.
    half = {part.position: part.step for part in parts if part.is_first and part.step.done is None}
    ledger.unmark(connection, revision, phase, gone)
    marked = [(step, position) for position, step in half.items() if position not in gone]
    ledger.mark(connection, revision, phase, marked, half=True)
