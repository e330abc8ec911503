"""Revisions applied without the ledger, by a script or before there was one: what they have done is looked up."""

from collections.abc import Sequence

from sqlalchemy import insert
from sqlalchemy.exc import DBAPIError

from service.db.words import now
from service.migrate import batches, ledger
from service.migrate.executor import Executor
from service.migrate.filling import FillState, Run
from service.migrate.phases import Phase, Plan
from service.migrate.steps import Fill, Step


def adopt(executor: Executor, plan: Plan, content: str) -> None:
    """Write down how far an applied revision has come; `content` is the digest of its file.

    Its expand is done, or it would not be applied. Of settle and contract the catalog tells.
    """
    contracted = bool(plan.contract) and _are_done(executor, plan.contract)
    filled = {fill.name: contracted or not _is_left(executor, fill) for fill in plan.fills}
    settled = contracted or (all(filled.values()) and _are_done(executor, plan.settle))
    with executor.transaction():
        connection = executor.connection
        ledger.remember(connection, plan.revision, content)
        _mark(executor, plan, Phase.EXPAND, plan.expand)
        if settled:
            _mark(executor, plan, Phase.SETTLE, plan.settle)
        if contracted:
            _mark(executor, plan, Phase.CONTRACT, plan.contract)
        for fill in plan.fills:
            if filled[fill.name]:
                connection.execute(insert(ledger.FILLS), _finished(plan.revision, fill))


def _are_done(executor: Executor, steps: Sequence[Step]) -> bool:
    questions = [step.done for step in steps if step.done is not None]
    with executor.transaction():
        return all(executor.ask(question) for question in questions)


def _is_left(executor: Executor, fill: Fill) -> bool:
    """Whether rows are left; where its columns are gone none can be."""
    try:
        with executor.transaction(), executor.connection.begin_nested():
            return bool(batches.left(executor.connection, fill))
    except DBAPIError:
        return False


def _mark(executor: Executor, plan: Plan, phase: Phase, steps: Sequence[Step]) -> None:
    ledger.mark(executor.connection, plan.revision, phase, [(step, at) for at, step in enumerate(steps)])


def _finished(revision: str, fill: Fill) -> dict[str, object]:
    run = Run(batch=0, total=0, state=FillState.DONE)
    return {"revision": revision, "name": fill.name, "started_at": now(), **run.row()}
