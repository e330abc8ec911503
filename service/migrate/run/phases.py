"""The phases of a revision: expand, backfill, contract, purge, and the downgrade from any state."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from service.db.counting import counted
from service.migrate import naming
from service.migrate.dialects import ddl
from service.migrate.errors import Refused
from service.migrate.operations.columns.actions import removal
from service.migrate.operations.step import Backfill, Precondition, Step, Target
from service.migrate.operations.tables.actions import dropped
from service.migrate.plan.plan import Phase, Plan
from service.migrate.run.backfill.runner import BackfillRunner
from service.migrate.run.executor import Executor, Work
from service.migrate.run.locking import blockers
from service.migrate.run.prechecks import Checks, checking
from service.migrate.run.retry import give_way, write_down
from service.migrate.run.rollback import undo
from service.migrate.run.session import Session
from service.migrate.state import contracts, drift, ledger, trash
from service.migrate.state.progress import Progress, of_revision
from service.migrate.state.titles import current, is_same


def dropping(target: Target, item: trash.Item) -> Step:
    """The step that drops an item of the trash."""
    return dropped(target, item.table) if item.column is None else removal(target, item.table, item.column)


@dataclass(kw_only=True)
class PhaseRunner:
    """Runs the phases of revisions in a migration session."""

    executor: Executor
    backfills: BackfillRunner
    _has_begun: bool = field(default=False, init=False)
    _is_catalog_known: bool = field(default=False, init=False)
    _catalog: list[str] | None = field(default=None, init=False)

    @property
    def session(self) -> Session:
        return self.executor.session

    @property
    def _connection(self) -> Connection:
        return self.session.connection

    @property
    def is_catalog_known(self) -> bool:
        """Whether the catalog at the start of the session is that of a run that ended."""
        return self._is_catalog_known

    def catalog(self) -> list[str]:
        """The catalog before the run, as lines; read once."""
        if self._catalog is None:
            self._catalog = drift.lines(self._connection)
        return self._catalog

    def begin(self) -> None:
        """Create the ledger if it is missing, and take the lease, also from a migrator that did not release it.

        Raises:
            Refused: the tables were still locked at the deadline.
        """
        attempt = self.session.attempt("migrations", "the start of the session")
        while True:
            attempt.begin()
            try:
                self._take_lease()
            except DBAPIError as failure:
                give_way(
                    self.session, attempt, failure, lambda: blockers.row_holders(self._connection, ledger.LEASE.name)
                )
            else:
                return

    def end(self, *, accepts_drift: bool = False, is_refused: bool = False) -> None:
        """Store the catalog for the check of drift, and release the lease; does nothing before `begin`.

        After a refusal (`is_refused`) this is attempted once, so that the message is not delayed further.
        """
        if not self._has_begun:
            return

        def write() -> None:
            drift.keep(self._connection, self.catalog() if self._is_catalog_known and not accepts_drift else None)
            self.session.lease.give_back(self._connection)

        if is_refused:
            with self.session.writing():
                write()
        else:
            write_down(self.session, "migrations", "the end of the session", write)

    def _take_lease(self) -> None:
        with self.session.starting():
            ledger.ensure(self._connection)
            # Changes of a run that was killed are no drift: the catalog before them is unknown.
            self._is_catalog_known = self.session.inside or not self.session.lease.take(self._connection)
            if self._is_catalog_known:
                self.catalog()
        self._has_begun = True

    def expand(self, plan: Plan) -> None:
        """Run the expand steps, which the old and the new version both work with.

        Raises:
            Refused: a precondition or a missing table prevents the expand (the database is unchanged), or a step
                failed (the steps before it stay done).
        """
        with checking(self.session, plan.revision) as checks:
            progress = self._progress(plan)
            if self._positions(plan, Phase.DOWNGRADE, progress):
                raise Refused(
                    f"The downgrade of {plan.revision} is incomplete. Run {naming.command('downgrade')} to complete it."
                )
            if not self._positions(plan, Phase.EXPAND, progress):
                checks.before(needs=plan.needs, surveys=plan.surveys, rows=plan.checks)
        self.executor.do(plan.revision, Phase.EXPAND, plan.expand, progress.done(Phase.EXPAND))

    def backfill(self, plan: Plan, progress: Progress) -> None:
        """Run the backfills, then the settle steps, which need every row filled."""
        for backfill in plan.backfills:
            self.backfills.do(plan.revision, backfill)
        if plan.settle:
            self.executor.do(plan.revision, Phase.SETTLE, plan.settle, progress.done(Phase.SETTLE))

    def contract(self, plan: Plan, progress: Progress) -> None:
        """Run the contract steps, which remove what the new version does not use.

        Raises:
            Refused: a backfill is incomplete, or as `expand`.
        """
        self.refuse_unfilled(plan, progress)
        if not self._positions(plan, Phase.CONTRACT, progress):
            # After the first step of the contract, the columns of a backfill may be gone.
            for backfill in plan.backfills:
                self._refuse_left(plan.revision, backfill)
            self._check_contract(plan)
            if plan.contract:
                begin = partial(contracts.begin, self._connection, plan.revision, self.session.lease.token)
                write_down(self.session, plan.revision, "the start of the contract", begin)
        self.executor.do(plan.revision, Phase.CONTRACT, plan.contract, progress.done(Phase.CONTRACT))

    def purge(self, item: trash.Item, revision: str) -> None:
        """Drop an item of the trash, and record how many rows or values it held."""
        with self.session.reading():
            lost = trash.size(self._connection, item)
        record = partial(ledger.purge, self._connection, revision, item.described, lost)
        step = replace(
            dropping(Target(dialect=self.session.dialect, revision=revision), item), title=f"PURGE {item.described}"
        )
        self.executor.perform(revision, [Work(phase="purge", steps=[step], record=record, begin=record, rows=lost)])

    def whole(self, plan: Plan) -> None:
        """Run all phases at once, for a new database without traffic.

        Raises:
            Refused: as `expand` and `contract`: a database in use would refuse the revision, too.
        """
        began = time.monotonic()
        with checking(self.session, plan.revision) as checks:
            progress = self._progress(plan)
            checks.before(needs=plan.needs, surveys=plan.surveys, rows=plan.checks)
        self.executor.do(plan.revision, Phase.EXPAND, plan.expand, progress.done(Phase.EXPAND))
        self.backfill(plan, progress)
        self._check_contract(plan)
        self.executor.do(plan.revision, Phase.CONTRACT, plan.contract, progress.done(Phase.CONTRACT))
        # Without a step that purges, the revision has moved nothing to the trash.
        for item in trash.items(self._connection) if plan.purge else ():
            if item.tag == ddl.trash_tag(plan.revision):
                self.purge(item, plan.revision)
        entry = ledger.Entry(
            revision=plan.revision, phase="all", step=plan.title, seconds=round(time.monotonic() - began, 6)
        )
        with self.session.writing():
            ledger.audit(self._connection, [entry])

    def undo(self, plan: Plan) -> None:
        """Downgrade the revision from any state; its records in the ledger stay.

        Raises:
            Refused: its trash was purged, or rows violate a precondition; the database is unchanged then.
        """
        with checking(self.session, plan.revision) as checks:
            self.refuse_purged(plan)
            progress = self._progress(plan)
            checks.before(surveys=plan.downgrade_surveys, rows=plan.downgrade_checks)
            self._check_undo(checks, plan, Phase.CONTRACT, plan.contract_undo_checks, progress)
            if plan.downgrade is None:
                self._check_undo(checks, plan, Phase.EXPAND, plan.undo_checks, progress)
        self._undo(plan, Phase.CONTRACT, progress)
        self._undo(plan, Phase.SETTLE, progress)
        begin = partial(ledger.begin_downgrade, self._connection, plan.revision)
        if plan.downgrade is None:
            self._undo(plan, Phase.EXPAND, progress, begin)
        else:
            write_down(self.session, plan.revision, "the start of the downgrade", begin)
            self.executor.do(plan.revision, Phase.DOWNGRADE, plan.downgrade, progress.done(Phase.DOWNGRADE))

    def undo_contract(self, plan: Plan) -> None:
        """Undo the contract, so that the old version can run again; raises as `undo` does."""
        with checking(self.session, plan.revision) as checks:
            self.refuse_purged(plan)
            progress = self._progress(plan)
            self._check_undo(checks, plan, Phase.CONTRACT, plan.contract_undo_checks, progress)
        self._undo(plan, Phase.CONTRACT, progress)
        end = partial(contracts.end, self._connection, plan.revision)
        write_down(self.session, plan.revision, "the end of the undo", end)

    def _check_contract(self, plan: Plan) -> None:
        with checking(self.session, plan.revision) as checks:
            checks.before(needs=plan.contract_needs, surveys=plan.contract_surveys, rows=plan.contract_checks)

    def _check_undo(
        self, checks: Checks, plan: Plan, phase: Phase, rows: Sequence[Precondition], progress: Progress
    ) -> None:
        if self._positions(plan, phase, progress):
            checks.there(rows)

    def _undo(self, plan: Plan, phase: Phase, progress: Progress, begin: Callable[[], object] | None = None) -> None:
        undo(self.executor, self.backfills, plan, phase, self._positions(plan, phase, progress), begin)

    def _progress(self, plan: Plan) -> Progress:
        with self.session.reading():
            return of_revision(self._connection, plan.revision)

    def _positions(self, plan: Plan, phase: Phase, progress: Progress) -> set[int]:
        """The positions of the steps that are done or incomplete.

        Raises:
            Refused: a recorded step differs from the file's, which was edited since.
        """
        steps, titles = plan.steps(phase), progress.begun(phase)
        for position, title in titles.items():
            if position >= len(steps) or not is_same(title, steps[position].title, self.session.dialect):
                raise Refused(
                    f"{plan.revision} was edited since it was applied: step {position + 1} of its {phase} phase was "
                    f"{current(title, self.session.dialect)}. Restore the file and write the change as a new revision."
                )
        return set(titles)

    def refuse_unfilled(self, plan: Plan, progress: Progress) -> None:
        """Raises Refused if the revision's backfill is incomplete."""
        open_ones = [each.name for each in plan.backfills if not self.backfills.is_done(plan.revision, each)]
        if open_ones or len(progress.done(Phase.SETTLE)) < len(plan.settle):
            what = f"the backfill of {' and '.join(open_ones)}" if open_ones else "the settle phase"
            raise Refused(
                f"{plan.revision} cannot be contracted: {what} is not complete. Run {naming.command('backfill')}."
            )

    def _refuse_left(self, revision: str, backfill: Backfill) -> None:
        if left := self.backfills.left(revision, backfill):
            were = "was" if left == 1 else "were"
            raise Refused(
                f"{revision} cannot be contracted: {counted(left, 'row')} of {backfill.table} {were} written after the "
                f"backfill {backfill.name}, without its values. Stop the old version, then run "
                f"{naming.command('backfill')}."
            )

    def refuse_purged(self, plan: Plan) -> None:
        """Raises Refused if the trash of the revision was purged."""
        with self.session.reading():
            rows = ledger.purged(self._connection, plan.revision)
        if rows:
            gone = ", ".join(f"{row.name} ({row.lost:,}, on {row.purged_at:%Y-%m-%d})" for row in rows)
            raise Refused(f"{plan.revision} cannot be undone: its trash was purged: {gone}.")
