"""Revisions applied without the ledger, by a script or before there was one: what they have done is looked up."""

from collections.abc import Sequence

from alembic.script import Script
from sqlalchemy.exc import DBAPIError

from service.migrate.operations.step import Fill, Step
from service.migrate.plan import checksum
from service.migrate.plan.plan import Phase, Plan, plan
from service.migrate.run.backfill.batches import Batches
from service.migrate.run.retry import write_down
from service.migrate.run.session import Turn
from service.migrate.state import ledger
from service.migrate.state.backfills import FillState, Run


def adopt_applied(turn: Turn, applied: Sequence[Script]) -> None:
    """Write down of these revisions, where the ledger does not know of them, how far they have come."""
    with turn.reading():
        known = ledger.known(turn.connection)
    for script in applied:
        found = None if script.revision in known else plan(script, turn.dialect)
        if found is not None:
            _adopt(turn, found, checksum.content(script))


def _adopt(turn: Turn, plan: Plan, content: str) -> None:
    """Write down how far an applied revision has come; `content` is the digest of its file.

    Its expand is done, or it would not be applied. Of settle and contract the catalog tells.
    """
    is_contracted = _are_done(turn, plan.contract)
    filled = [fill for fill in plan.fills if is_contracted or not _is_left(turn, fill)]
    is_settled = is_contracted or (len(filled) == len(plan.fills) and (not plan.settle or _are_done(turn, plan.settle)))

    def write() -> None:
        ledger.remember(turn.connection, plan.revision, content)
        _mark(turn, plan, Phase.EXPAND, plan.expand)
        if is_settled:
            _mark(turn, plan, Phase.SETTLE, plan.settle)
        if is_contracted:
            _mark(turn, plan, Phase.CONTRACT, plan.contract)
        for fill in filled:
            run = Run(revision=plan.revision, name=fill.name, total=0)
            run.begin(turn.connection, FillState.DONE)

    write_down(turn, plan.revision, "write down how far it is", write)


def _are_done(turn: Turn, steps: Sequence[Step]) -> bool:
    """Whether the catalog says of all steps that can be asked, and of one at least, that they are done."""
    questions = [step.done for step in steps if step.done is not None]
    with turn.reading():
        return bool(questions) and all(turn.ask(question) for question in questions)


def _is_left(turn: Turn, fill: Fill) -> bool:
    """Whether rows are left; where its columns are gone none can be."""
    try:
        with turn.reading(), turn.connection.begin_nested():
            return bool(Batches(turn.connection, fill).left())
    except DBAPIError:
        return False


def _mark(turn: Turn, plan: Plan, phase: Phase, steps: Sequence[Step]) -> None:
    ledger.mark(turn.connection, plan.revision, phase, [(step, at) for at, step in enumerate(steps)])
