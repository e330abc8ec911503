"""The four verbs of a revision, expand, backfill, contract and purge, and the way back from wherever it is."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby

from sqlalchemy import Connection, insert, inspect, select

from service.db.words import now
from service.migrate import batches, ledger, trash
from service.migrate.checks import refuse_rows
from service.migrate.errors import Refused
from service.migrate.executor import Executor, grouped
from service.migrate.filling import Filler
from service.migrate.operations.base import Columns
from service.migrate.operations.columns import removal
from service.migrate.operations.tables import dropped
from service.migrate.phases import Phase, Plan
from service.migrate.steps import Check, Fill, Move, Place, Step


@dataclass(kw_only=True)
class Verbs:
    """Applies plans of revisions with one executor."""

    executor: Executor
    filler: Filler

    @property
    def _connection(self) -> Connection:
        return self.executor.connection

    def begin(self) -> None:
        """Take the lease, in a database where the runner has written something down, or is about to."""
        with self.executor.transaction():
            ledger.ensure(self._connection)
            if not self.executor.inside:
                self.executor.lease.take(self._connection)

    def expand(self, plan: Plan) -> None:
        """Do what the code before and the code after can both live with.

        Raises:
            Refused: rows that are there, or tables that are not, make it impossible (nothing is changed then), or a
                step cannot be done (those before it stay done).
        """
        if not self._positions(plan, Phase.EXPAND):
            self._refuse_missing(plan.revision, plan.needs)
            self._refuse_rows(plan.checks)
        self.executor.do(plan.revision, Phase.EXPAND, plan.expand)

    def fill(self, plan: Plan) -> None:
        """Fill what rows lack, see that none is left, and then do what needed them all."""
        for fill in plan.fills:
            self.filler.do(plan.revision, fill)
        self.executor.do(plan.revision, Phase.SETTLE, plan.settle)

    def contract(self, plan: Plan) -> None:
        """Take away what no code uses any more.

        Raises:
            Refused: something of it is still to be filled, or as `expand`.
        """
        for fill in plan.fills:
            self._refuse_unfilled(plan.revision, fill)
        if len(self._positions(plan, Phase.SETTLE)) < len(plan.settle):
            raise Refused(f"{plan.revision} cannot be contracted: its backfill is not over. Run `roster db backfill`.")
        if not self._positions(plan, Phase.CONTRACT):
            self._refuse_missing(plan.revision, plan.contract_needs)
            self._refuse_rows(plan.contract_checks)
        self.executor.do(plan.revision, Phase.CONTRACT, plan.contract)

    def purge(self, number: str, revision: str) -> list[trash.Kept]:
        """Drop for good what the revision of this number keeps aside, and note what is gone."""
        with self.executor.transaction():
            found = [each for each in trash.kept(self._connection) if each.number == number]
        for each in found:
            self._purge_one(revision, each)
        return found

    def whole(self, plan: Plan) -> None:
        """All four at once, for a database that nobody uses yet."""
        began = time.monotonic()
        self.executor.do(plan.revision, Phase.EXPAND, plan.expand)
        self.fill(plan)
        self.executor.do(plan.revision, Phase.CONTRACT, plan.contract)
        self.purge(plan.revision[:4], plan.revision)
        entry = ledger.Entry(
            revision=plan.revision, phase="all", step=plan.title, seconds=round(time.monotonic() - began, 6)
        )
        with self.executor.transaction():
            ledger.audit(self._connection, [entry])

    def undo(self, plan: Plan) -> None:
        """Take back all that the revision has done, from whatever state it is in; its lines in the ledger stay.

        Raises:
            Refused: something of it was purged, or rows cannot be carried over; nothing is touched then.
        """
        self._refuse_purged(plan)
        self._refuse_rows(plan.downgrade_checks)
        self._undo(plan, Phase.CONTRACT, plan.contract)
        self._undo(plan, Phase.SETTLE, plan.settle)
        if plan.downgrade is None:
            self._undo(plan, Phase.EXPAND, plan.expand)
        else:
            self.executor.do(plan.revision, Phase.DOWNGRADE, plan.downgrade)

    def undo_contract(self, plan: Plan) -> None:
        """Bring back what the contract took away, so that the code before can run again."""
        self._refuse_purged(plan)
        self._undo(plan, Phase.CONTRACT, plan.contract)

    def _undo(self, plan: Plan, phase: Phase, steps: Sequence[Step]) -> None:
        positions = self._positions(plan, phase)
        moves: list[tuple[Move, tuple[int, ...]]] = []
        for position in sorted(positions, reverse=True):
            *before, last = steps[position].undo or (Step(title=f"take back: {steps[position].title}"),)
            moves += [*((move, ()) for move in before), (last, (position,))]
        for fill, group in groupby(moves, lambda each: isinstance(each[0], Fill)):
            if fill:
                self._undo_by_fills(plan.revision, phase, list(group))
            else:
                self._undo_by_steps(
                    plan.revision, phase, [(move, gone) for move, gone in group if isinstance(move, Step)]
                )

    def _undo_by_fills(self, revision: str, phase: Phase, moves: "list[tuple[Move, tuple[int, ...]]]") -> None:
        for move, gone in moves:
            assert isinstance(move, Fill)  # noqa: S101 - the caller's own
            self.filler.do(revision, move)
            with self.executor.transaction():
                ledger.unmark(self._connection, revision, phase, gone)

    def _undo_by_steps(self, revision: str, phase: Phase, moves: "list[tuple[Step, tuple[int, ...]]]") -> None:
        for together in grouped(moves, together=self.executor.dialect == "sqlite"):
            gone = [position for _, positions in together for position in positions]
            tries = self.executor.perform(
                revision,
                [step for step, _ in together],
                partial(ledger.unmark, self._connection, revision, phase, gone),
            )
            self.executor.note(revision, f"undo {phase}", "; ".join(step.title for step, _ in together), tries)

    def _positions(self, plan: Plan, phase: Phase) -> set[int]:
        """The steps that were done, if they are those that the file has now.

        Raises:
            Refused: the file was edited since.
        """
        steps = plan.steps(phase)
        with self.executor.transaction():
            titles = ledger.titles(self._connection, plan.revision, phase)
        for position, title in titles.items():
            if position >= len(steps) or steps[position].title != title:
                raise Refused(
                    f"{plan.revision} was edited since it was applied: step {position + 1} of its {phase} was to "
                    f"{title}. Bring the file back as it was, and make a new revision of what is new."
                )
        return set(titles)

    def _purge_one(self, revision: str, one: trash.Kept) -> None:
        place = Place(dialect=self.executor.dialect, revision=revision)
        step = dropped(place, one.table) if one.column is None else removal(place, one.table, one.column)
        with self.executor.transaction():
            lost = trash.size(self._connection, one)

        def record() -> None:
            if lost:
                values = {"revision": revision, "name": one.described, "lost": lost, "purged_at": now()}
                self._connection.execute(insert(ledger.PURGED), values)

        tries = self.executor.perform(revision, [step], record)
        tries.affected = lost
        self.executor.note(revision, "purge", f"drop {one.described}", tries)

    def _refuse_unfilled(self, revision: str, fill: Fill) -> None:
        if not self.filler.is_done(revision, fill):
            raise Refused(f"{revision} cannot be contracted: {fill.title} is not over. Run `roster db backfill`.")
        with self.executor.transaction():
            left = batches.left(self._connection, fill)
        if left:
            raise Refused(
                f"{revision} cannot be contracted: {left:,} rows of {fill.table} were written since without what "
                f"{fill.name} fills. Run `roster db backfill` again, when no old code writes any more."
            )

    def _refuse_purged(self, plan: Plan) -> None:
        with self.executor.transaction():
            rows = self._connection.execute(
                select(ledger.PURGED).where(ledger.PURGED.c.revision == plan.revision).order_by(ledger.PURGED.c.name)
            ).all()
        if rows:
            gone = ", ".join(f"{row.name} ({row.lost:,}, on {row.purged_at:%Y-%m-%d})" for row in rows)
            raise Refused(f"{plan.revision} cannot be taken back: what it kept aside was purged: {gone}.")

    def _refuse_missing(self, revision: str, needs: Sequence[Columns]) -> None:
        with self.executor.transaction():
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

    def _refuse_rows(self, checks: Sequence[Check]) -> None:
        for check in checks:
            with self.executor.transaction():
                refuse_rows(self._connection, check)
