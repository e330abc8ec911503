"""Baseline: ledger records for revisions that were applied without the ledger, by a script or by plain Alembic."""

from collections.abc import Collection, Sequence

from alembic.runtime.migration import MigrationContext
from alembic.script import Script, ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from service.migrate.errors import is_denied
from service.migrate.operations.step import Backfill, Step
from service.migrate.plan.checksum import checksum
from service.migrate.plan.plan import Phase, Plan, plan
from service.migrate.plan.revisions import below
from service.migrate.run.backfill.batches import Batches
from service.migrate.run.retry import write_down
from service.migrate.run.session import Session
from service.migrate.state import ledger
from service.migrate.state.backfills import BackfillRow, BackfillState
from service.migrate.state.compatibility import refuse_unknown


def applied_scripts(connection: Connection, directory: ScriptDirectory) -> list[Script]:
    """The scripts of the applied revisions, oldest first.

    Raises:
        Refused: the database is at a revision that has no script.
    """
    heads = MigrationContext.configure(connection).get_current_heads()
    refuse_unknown(connection, heads, directory)
    return below(heads, directory)


def adopt_applied(session: Session, applied: Sequence[Script], known: Collection[str]) -> None:
    """Record the progress of those applied revisions that the ledger does not know."""
    for script in applied:
        if script.revision not in known:
            _adopt(session, script.revision, plan(script, session.dialect), checksum(script))


def _adopt(session: Session, revision: str, plan: Plan | None, digest: str) -> None:
    """Record the progress of an applied revision; `digest` is the checksum of its file.

    The expand of an applied revision is done; the catalog shows whether settle and contract are. A revision of
    Alembic's `op` has no plan and is done.
    """
    if plan is None:
        write_down(session, revision, "the baseline", lambda: _remember(session, revision, digest))
        return
    is_contracted = _are_done(session, plan.contract)
    filled = [backfill for backfill in plan.backfills if is_contracted or not _is_left(session, backfill)]
    is_settled = is_contracted or (
        len(filled) == len(plan.backfills) and (not plan.settle or _are_done(session, plan.settle))
    )

    def write() -> None:
        _remember(session, revision, digest)
        _mark(session, plan, Phase.EXPAND, plan.expand)
        if is_settled:
            _mark(session, plan, Phase.SETTLE, plan.settle)
        if is_contracted:
            _mark(session, plan, Phase.CONTRACT, plan.contract)
        for backfill in filled:
            run = BackfillRow(revision=revision, name=backfill.name, total=0)
            run.begin(session.connection, BackfillState.DONE)

    write_down(session, revision, "the baseline", write)


def _remember(session: Session, revision: str, digest: str) -> None:
    ledger.remember(session.connection, revision, digest)


def _are_done(session: Session, steps: Sequence[Step]) -> bool:
    """Whether the catalog shows every step with a done-predicate, and at least one, as done."""
    questions = [step.done for step in steps if step.done is not None]
    with session.reading():
        return bool(questions) and all(session.ask(question) for question in questions)


def _is_left(session: Session, backfill: Backfill) -> bool:
    """Whether rows are left to backfill; `False` if the columns no longer exist."""
    try:
        with session.reading(), session.connection.begin_nested():
            return bool(Batches(session.connection, backfill).left())
    except DBAPIError as failure:
        if is_denied(failure):
            raise
        return False


def _mark(session: Session, plan: Plan, phase: Phase, steps: Sequence[Step]) -> None:
    ledger.mark(session.connection, plan.revision, phase, [(step, at) for at, step in enumerate(steps)])
