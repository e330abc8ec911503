"""Revisions applied without the ledger, by a script or before there was one: what they have done is looked up."""

from collections.abc import Sequence

from alembic.runtime.migration import MigrationContext
from alembic.script import Script, ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from service.migrate.operations.step import Backfill, Step
from service.migrate.plan import checksum
from service.migrate.plan.plan import Phase, Plan, plan
from service.migrate.plan.revisions import below
from service.migrate.run.backfill.batches import Batches
from service.migrate.run.retry import write_down
from service.migrate.run.session import Turn
from service.migrate.state import ledger
from service.migrate.state.backfills import FillState, Run
from service.migrate.state.compatibility import refuse_unknown


def applied_scripts(connection: Connection, directory: ScriptDirectory) -> list[Script]:
    """The scripts of the revisions that are applied, the oldest first.

    Raises:
        Refused: the database is at a revision that has no script.
    """
    heads = MigrationContext.configure(connection).get_current_heads()
    refuse_unknown(connection, heads, directory)
    return below(heads, directory)


def adopt_applied(turn: Turn, applied: Sequence[Script]) -> None:
    """Write down of these revisions, where the ledger does not know of them, how far they have come."""
    with turn.reading():
        known = ledger.known(turn.connection)
    for script in applied:
        if script.revision not in known:
            _adopt(turn, script.revision, plan(script, turn.dialect), checksum.content(script))


def _adopt(turn: Turn, revision: str, plan: Plan | None, content: str) -> None:
    """Write down how far an applied revision has come; `content` is the digest of its file.

    Its expand is done, or it would not be applied. Of settle and contract the catalog tells. One in Alembic's plain
    style has no plan and is done.
    """
    if plan is None:
        write_down(turn, revision, "write down that it is applied", lambda: _remember(turn, revision, content))
        return
    is_contracted = _are_done(turn, plan.contract)
    filled = [fill for fill in plan.fills if is_contracted or not _is_left(turn, fill)]
    is_settled = is_contracted or (len(filled) == len(plan.fills) and (not plan.settle or _are_done(turn, plan.settle)))

    def write() -> None:
        _remember(turn, revision, content)
        _mark(turn, plan, Phase.EXPAND, plan.expand)
        if is_settled:
            _mark(turn, plan, Phase.SETTLE, plan.settle)
        if is_contracted:
            _mark(turn, plan, Phase.CONTRACT, plan.contract)
        for fill in filled:
            run = Run(revision=revision, name=fill.name, total=0)
            run.begin(turn.connection, FillState.DONE)

    write_down(turn, revision, "write down how far it is", write)


def _remember(turn: Turn, revision: str, content: str) -> None:
    ledger.remember(turn.connection, revision, content)


def _are_done(turn: Turn, steps: Sequence[Step]) -> bool:
    """Whether the catalog says of all steps that can be asked, and of one at least, that they are done."""
    questions = [step.done for step in steps if step.done is not None]
    with turn.reading():
        return bool(questions) and all(turn.ask(question) for question in questions)


def _is_left(turn: Turn, fill: Backfill) -> bool:
    """Whether rows are left; where its columns are gone none can be."""
    try:
        with turn.reading(), turn.connection.begin_nested():
            return bool(Batches(turn.connection, fill).left())
    except DBAPIError:
        return False


def _mark(turn: Turn, plan: Plan, phase: Phase, steps: Sequence[Step]) -> None:
    ledger.mark(turn.connection, plan.revision, phase, [(step, at) for at, step in enumerate(steps)])
