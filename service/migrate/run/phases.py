"""The phases of a revision: expand, backfill, contract, purge, and the downgrade from any state."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from sqlalchemy import Connection, inspect
from sqlalchemy.exc import DBAPIError

from service.db.counting import counted
from service.migrate import naming
from service.migrate.dialects import ddl
from service.migrate.errors import Refused
from service.migrate.operations.base import Columns
from service.migrate.operations.columns.actions import removal
from service.migrate.operations.preconditions import refuse_rows, refuse_rows_there
from service.migrate.operations.step import Backfill, Precondition, Step, Target
from service.migrate.operations.tables.actions import dropped
from service.migrate.plan.plan import Phase, Plan
from service.migrate.run.backfill.runner import BackfillRunner
from service.migrate.run.executor import Executor
from service.migrate.run.locking import blockers
from service.migrate.run.retry import give_way, write_down
from service.migrate.run.rollback import undo
from service.migrate.run.session import Session
from service.migrate.state import drift, ledger, trash
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
    _catalog: list[str] | None = field(default=None, init=False)

    @property
    def session(self) -> Session:
        return self.executor.session

    @property
    def _connection(self) -> Connection:
        return self.session.connection

    def begin(self) -> None:
        """Make the ledger where there is none, and take the lease from whoever had it.

        Raises:
            Refused: they are in the middle of something, and were at the deadline.
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
        """Note the catalog as it is left, and give the lease back; nothing if there was nothing to begin.

        When it was refused that is tried once: whoever waits for the refusal has waited enough.
        """
        if not self._has_begun:
            return

        def write() -> None:
            drift.keep(self._connection, None if accepts_drift else self._catalog)
            self.session.lease.give_back(self._connection)

        if is_refused:
            with self.session.writing():
                write()
        else:
            write_down(self.session, "migrations", "the end of the session", write)

    def _take_lease(self) -> None:
        with self.session.starting():
            ledger.ensure(self._connection)
            # What a run that was not ended changed is no drift.
            is_known = self.session.inside or not self.session.lease.take(self._connection)
            self._catalog = drift.lines(self._connection) if is_known else None
        self._has_begun = True

    def expand(self, plan: Plan) -> None:
        """Do what the code before and the code after can both live with.

        Raises:
            Refused: rows that are there, or tables that are not, make it impossible (nothing is changed then), or a
                step cannot be done (those before it stay done).
        """
        if self._positions(plan, Phase.DOWNGRADE):
            raise Refused(f"A downgrade of {plan.revision} has begun: {naming.command('downgrade')} completes it.")
        if not self._positions(plan, Phase.EXPAND):
            self._refuse_missing(plan.revision, plan.needs)
            self._refuse_rows(plan.checks)
        self.executor.do(plan.revision, Phase.EXPAND, plan.expand)

    def backfill(self, plan: Plan) -> None:
        """Fill what rows lack, see that none is left, and then do what needed them all."""
        for backfill in plan.backfills:
            self.backfills.do(plan.revision, backfill)
        self.executor.do(plan.revision, Phase.SETTLE, plan.settle)

    def contract(self, plan: Plan) -> None:
        """Take away what no code uses any more.

        Raises:
            Refused: something of it is still to be filled, or as `expand`.
        """
        self.refuse_unfilled(plan)
        if not self._positions(plan, Phase.CONTRACT):
            # After the first step of the contract, the columns of a backfill may be gone.
            for backfill in plan.backfills:
                self._refuse_left(plan.revision, backfill)
            self._refuse_missing(plan.revision, plan.contract_needs)
            self._refuse_rows(plan.contract_checks)
        self.executor.do(plan.revision, Phase.CONTRACT, plan.contract)

    def purge(self, item: trash.Item, revision: str) -> None:
        """Drop for good what a revision keeps aside, and note what is gone."""
        with self.session.reading():
            lost = trash.size(self._connection, item)
        record = partial(ledger.purge, self._connection, revision, item.described, lost)
        step = replace(
            dropping(Target(dialect=self.session.dialect, revision=revision), item), title=f"PURGE {item.described}"
        )
        self.executor.perform(revision, "purge", [step], record, rows=lost)

    def whole(self, plan: Plan) -> None:
        """All four at once, for a database that nobody uses yet."""
        began = time.monotonic()
        self.executor.do(plan.revision, Phase.EXPAND, plan.expand)
        self.backfill(plan)
        self.executor.do(plan.revision, Phase.CONTRACT, plan.contract)
        with self.session.reading():
            items = trash.items(self._connection)
        for item in items:
            if item.tag == ddl.trash_tag(plan.revision):
                self.purge(item, plan.revision)
        entry = ledger.Entry(
            revision=plan.revision, phase="all", step=plan.title, seconds=round(time.monotonic() - began, 6)
        )
        with self.session.writing():
            ledger.audit(self._connection, [entry])

    def undo(self, plan: Plan) -> None:
        """Take back all that the revision has done, from whatever state it is in; its lines in the ledger stay.

        Raises:
            Refused: something of it was purged, or rows cannot be carried over; nothing is touched then.
        """
        self.refuse_purged(plan)
        self._refuse_rows(plan.downgrade_checks)
        self._refuse_rows_on_the_way_back(plan, Phase.CONTRACT, plan.contract_undo_checks)
        if plan.downgrade is None:
            self._refuse_rows_on_the_way_back(plan, Phase.EXPAND, plan.undo_checks)
        self._undo(plan, Phase.CONTRACT)
        self._undo(plan, Phase.SETTLE)
        begin = partial(ledger.begin_downgrade, self._connection, plan.revision)
        write_down(self.session, plan.revision, "the start of the downgrade", begin)
        if plan.downgrade is None:
            self._undo(plan, Phase.EXPAND)
        else:
            self.executor.do(plan.revision, Phase.DOWNGRADE, plan.downgrade)

    def undo_contract(self, plan: Plan) -> None:
        """Bring back what the contract took away, so that the code before can run again; raises as `undo` does."""
        self.refuse_purged(plan)
        self._refuse_rows_on_the_way_back(plan, Phase.CONTRACT, plan.contract_undo_checks)
        self._undo(plan, Phase.CONTRACT)

    def _undo(self, plan: Plan, phase: Phase) -> None:
        undo(self.executor, self.backfills, plan, phase, self._positions(plan, phase))

    def _positions(self, plan: Plan, phase: Phase) -> set[int]:
        """The steps that are done, or done by half, if they are those that the file has now.

        Raises:
            Refused: the file was edited since.
        """
        steps = plan.steps(phase)
        with self.session.reading():
            titles = ledger.begun(self._connection, plan.revision, phase)
        for position, title in titles.items():
            if position >= len(steps) or not is_same(title, steps[position].title, self.session.dialect):
                raise Refused(
                    f"{plan.revision} was edited since it was applied: step {position + 1} of its {phase} phase was "
                    f"{current(title, self.session.dialect)}. Restore the file and write the change as a new revision."
                )
        return set(titles)

    def refuse_unfilled(self, plan: Plan) -> None:
        """Raises Refused if the revision's backfill is not over."""
        open_ones = [each.name for each in plan.backfills if not self.backfills.is_done(plan.revision, each)]
        with self.session.reading():
            settled = ledger.done(self._connection, plan.revision, Phase.SETTLE)
        if open_ones or len(settled) < len(plan.settle):
            told = f"the backfill of {' and '.join(open_ones)}" if open_ones else "the settle phase"
            raise Refused(
                f"{plan.revision} cannot be contracted: {told} is not complete. Run {naming.command('backfill')}."
            )

    def _refuse_left(self, revision: str, backfill: Backfill) -> None:
        if left := self.backfills.left(backfill):
            were = "was" if left == 1 else "were"
            raise Refused(
                f"{revision} cannot be contracted: {counted(left, 'row')} of {backfill.table} {were} written since "
                f"without what {backfill.name} fills. Run {naming.command('backfill')} again, when no old code writes "
                "any more."
            )

    def refuse_purged(self, plan: Plan) -> None:
        """Raises Refused if something that the revision kept aside is gone for good."""
        with self.session.reading():
            rows = ledger.purged(self._connection, plan.revision)
        if rows:
            gone = ", ".join(f"{row.name} ({row.lost:,}, on {row.purged_at:%Y-%m-%d})" for row in rows)
            raise Refused(f"{plan.revision} cannot be taken back: what it kept aside was purged: {gone}.")

    def _refuse_missing(self, revision: str, needs: Sequence[Columns]) -> None:
        with self.session.reading():
            inspector = inspect(self._connection)
            for table, columns in needs:
                if not inspector.has_table(table):
                    raise Refused(f"{revision} cannot be applied: there is no table {table}.")
                there = [column["name"] for column in inspector.get_columns(table)]
                if missing := [column for column in columns if column not in there]:
                    raise Refused(
                        f"{revision} cannot be applied: {table} has no column {' and no '.join(missing)}; "
                        f"it has {', '.join(there)}."
                    )

    def _refuse_rows_on_the_way_back(self, plan: Plan, phase: Phase, checks: Sequence[Precondition]) -> None:
        """Ask what can be asked now: of a column that is kept aside its own step will tell."""
        if not self._positions(plan, phase):
            return
        for check in checks:
            with self.session.reading():
                refuse_rows_there(self._connection, check)

    def _refuse_rows(self, checks: Sequence[Precondition]) -> None:
        for check in checks:
            with self.session.reading():
                refuse_rows(self._connection, check)
