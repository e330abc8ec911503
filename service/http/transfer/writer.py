"""How a batch is stored, or looked at: at once where nothing is in its way, and with care where something is."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from service.db import bulk
from service.db.database import Database
from service.errors import Conflict, Fault
from service.http.transfer.parser import Line
from service.http.transfer.reports import Allowance, Mode, Outcome
from service.http.transfer.seen_keys import Ledger
from service.http.transfer.spec import Import
from service.http.transfer.upsert import Plan, on, resolve

# Another writer may come between the look and the change this often before lines are stored in smaller parts.
TRIES = 3


class Store:
    """Stores lines of one file, which `blank` tells to be unable to write an empty text."""

    def __init__(self, declared: Import, database: Database, mode: Mode, *, blank: bool) -> None:
        self._declared = declared
        self._database = database
        self._mode = mode
        self._blank = blank

    async def store(self, lines: Sequence[Line], ledger: Ledger, allowance: Allowance) -> Outcome:
        """Store lines in a transaction of their own; a line that cannot be stored keeps no other from it.

        Lines after the last failure that `allowance` has room for are not stored.
        """
        if self._mode == "create":
            # Most files are new to the last line: no look before the leap.
            try:
                return await self._database.units.run(lambda session: self.insert(session, lines, allowance))
            except Conflict:
                pass
        return await self._store_with_care(lines, ledger, allowance, tries=TRIES)

    async def _store_with_care(
        self, lines: Sequence[Line], ledger: Ledger, allowance: Allowance, *, tries: int
    ) -> Outcome:
        """Store lines after a look at what is there; those that conflict all the same are found by halving."""
        outcome = Outcome()
        for _ in range(tries):
            try:
                stored = await self._database.units.run(lambda session: self.apply(session, lines, ledger, allowance))
            except Conflict as conflict:
                fault = Fault(line=lines[0].number, field=conflict.field, detail=conflict.detail)
            else:
                await ledger.write(stored.keys)
                return stored
        if len(lines) == 1:
            outcome.fail(lines[0].number, [fault])
            return outcome
        half = len(lines) // 2
        for part in (lines[:half], lines[half:]):
            left = allowance.after(outcome.failed)
            if left.is_spent(0, part[0].number):
                break
            outcome.add(await self._store_with_care(part, ledger, left, tries=1))
        return outcome

    async def insert(self, session: AsyncSession, lines: Sequence[Line], allowance: Allowance) -> Outcome:
        """Insert lines as if nothing could be in their way.

        Raises what the driver raises when something is.
        """
        outcome = Outcome()
        missing = await resolve(session, self._declared, lines, verify=False)
        rows = []
        for line in lines:
            if allowance.is_spent(outcome.failed, line.number):
                break
            if faults := missing.get(line.number):
                outcome.fail(line.number, on(line, faults))
            else:
                rows.append(line.row)
        if rows:
            await bulk.insert_many(session, self._declared.table, self._declared.columns, rows)
        outcome.created = len(rows)
        return outcome

    async def apply(
        self, session: AsyncSession, lines: Sequence[Line], ledger: Ledger, allowance: Allowance
    ) -> Outcome:
        """Insert and change what a look at the database says is to be; raises as `insert`."""
        plan = Plan(self._declared, self._mode, blank=self._blank, ledger=self._remembered(ledger), simulated=False)
        await plan.make(session, lines, allowance)
        # An insert may need a key that a change sets free; never the other way round.
        if plan.changes:
            await bulk.update_many(session, self._declared.table, plan.changes)
        if plan.inserts:
            await bulk.insert_many(session, self._declared.table, self._declared.columns, plan.inserts)
        return plan.outcome

    async def simulate(self, lines: Sequence[Line], ledger: Ledger, allowance: Allowance) -> Outcome:
        """Return what `store` would, without storing or locking anything; `ledger` stands for what is not stored."""

        async def work(session: AsyncSession) -> Outcome:
            plan = Plan(self._declared, self._mode, blank=self._blank, ledger=ledger, simulated=True)
            await plan.make(session, lines, allowance)
            return plan.outcome

        outcome = await self._database.lookups.run(work, commit_if=lambda _outcome: False)
        await ledger.write(outcome.keys)
        return outcome

    def _remembered(self, ledger: Ledger) -> Ledger | None:
        # What mode=create has made is there to be found; an upsert could not tell it from what was there before.
        return ledger if self._mode == "upsert" else None
