"""Stores or simulates a batch: by a plain insert, or after a look-up of existing rows."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from functools import partial
from itertools import count
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from service.db.audit import Audit
from service.db.database import Database
from service.db.trial import Trial
from service.errors import Conflict, Fault
from service.http.auth.actors import Actor
from service.http.transfer import events
from service.http.transfer.batching import BatchLimit
from service.http.transfer.lines import Line
from service.http.transfer.overlap import OvertakenError, Ticket
from service.http.transfer.parser import faults_of
from service.http.transfer.references import resolve
from service.http.transfer.related import RelatedRows
from service.http.transfer.reports import Allowance, Mode, Outcome
from service.http.transfer.seen_keys import SeenKeys
from service.http.transfer.spec import Import
from service.http.transfer.upsert import NONE, Refused, Upsert

# After so many conflicts with other writers the lines are stored in halves.
ATTEMPTS = 3


class Writer:
    """Stores lines of one file; with `blank`, its format writes NULL and the empty text alike.

    It sets `gate` when the next lines may be parsed: while new rows get their events, and from the start of other work.
    """

    def __init__(
        self,
        declared: Import,
        database: Database,
        mode: Mode,
        *,
        blank: bool,
        audit: Audit,
        actor: Actor,
        gate: asyncio.Event,
        limit: BatchLimit,
    ) -> None:
        self._declared = declared
        self._actor = actor
        self._audit = audit
        self._database = database
        self._mode = mode
        self._blank = blank
        self._gate = gate
        self._limit = limit
        # What a look-up finds out.
        self._known = {key.taken for key in declared.keys} | {each.missing for each in declared.references}

    async def store(
        self, lines: Sequence[Line], seen_keys: SeenKeys, allowance: Allowance, ticket: Ticket | None = None
    ) -> Outcome:
        """Store lines in a transaction; a line that fails does not keep the others from being stored.

        Lines after the last failure that `allowance` permits are not stored. With a `ticket` the batches before and
        after may be in transactions of their own.
        """
        # Most files hold new rows alone: insert them without a look-up.
        has_new_alone = self._mode == "create"
        is_known = True
        while has_new_alone:
            try:
                return await self._run(self._inserting(lines, allowance, ticket))
            except OvertakenError:
                pass
            except Conflict as conflict:
                has_new_alone = False
                # The next lines may fail too, and are then stored twice.
                self._limit.shrink()
                is_known = conflict.detail in self._known
            if ticket is not None:
                allowance = allowance.after(await ticket.go_alone())
                ticket = None
        self._gate.set()
        # A look-up finds no violation of another constraint.
        refused = NONE if is_known else await self._refused(lines, seen_keys, allowance, NONE)
        return await self._store_checked(lines, seen_keys, allowance, attempts=ATTEMPTS, refused=refused)

    def _inserting(
        self, lines: Sequence[Line], allowance: Allowance, ticket: Ticket | None
    ) -> Callable[[AsyncSession], Awaitable[Outcome]]:
        if ticket is None:

            async def alone(session: AsyncSession) -> Outcome:
                outcome = await self.insert(session, lines, allowance)
                if self._database.is_write_awaited():
                    self._limit.shrink()
                else:
                    self._limit.grow()
                return outcome

            return alone
        runs = count()

        async def work(session: AsyncSession) -> Outcome:
            if next(runs):
                # The next batch may hold locks by now, for which this one would wait.
                raise OvertakenError("The transaction of this batch has to begin again.")
            outcome = await self.insert(session, lines, allowance, ticket.rows_stored)
            await ticket.wait()
            return outcome

        return work

    async def _store_checked(
        self,
        lines: Sequence[Line],
        seen_keys: SeenKeys,
        allowance: Allowance,
        *,
        attempts: int,
        refused: Refused = NONE,
    ) -> Outcome:
        """Store lines after a look-up, but those that a trial refuses.

        Lines that still conflict, as with concurrent writers, are found by bisection.
        """
        outcome = Outcome()
        for attempt in range(1, attempts + 1):
            work = partial(self.apply, lines=lines, seen_keys=seen_keys, allowance=allowance, refused=refused)
            try:
                stored = await self._run(work)
            except Conflict as conflict:
                fault = Fault(line=lines[0].number, field=conflict.field, detail=conflict.detail)
            else:
                await seen_keys.write(stored.keys)
                return stored
            if attempt < attempts:
                refused = {**refused, **await self._refused(lines, seen_keys, allowance, refused)}
        if len(lines) == 1:
            outcome.fail(lines[0].number, [fault])
            return outcome
        half = len(lines) // 2
        for part in (lines[:half], lines[half:]):
            left = allowance.after(outcome.failed)
            if left.is_spent(0, part[0].number):
                break
            outcome.add(await self._store_checked(part, seen_keys, left, attempts=1, refused=refused))
        return outcome

    async def _refused(
        self, lines: Sequence[Line], seen_keys: SeenKeys, allowance: Allowance, refused: Refused
    ) -> Refused:
        """Return the lines that a constraint refuses which no look-up knows; nothing is stored."""

        async def work(session: AsyncSession) -> dict[int, Fault]:
            upsert = self._upsert(self._needed(seen_keys), simulated=False)
            await upsert.make(session, lines, allowance, refused)
            trial = Trial(session, self._declared.table, self._database.units.violations)
            updates = await trial.update(upsert.updates)
            inserts = await trial.insert(self._declared.inserted[self._database.writing.dialect.name], upsert.inserts)
            found = [(upsert.updating[place], each) for place, each in updates.items()]
            found += [(upsert.inserting[place], each) for place, each in inserts.items()]
            return {
                line: Fault(field=conflict.field, detail=conflict.detail)
                for line, conflict in found
                if conflict.detail not in self._known
            }

        return await self._database.units.run(work, commit_if=lambda _found: False, alone=True)

    async def insert(
        self,
        session: AsyncSession,
        lines: Sequence[Line],
        allowance: Allowance,
        inserted: Callable[[], Coroutine[Any, Any, None]] | None = None,
    ) -> Outcome:
        """Insert lines without a look-up of existing rows; raise the driver's error if a key is taken.

        `inserted` is called before the events are stored, unless a line has related fields or cannot be stored.
        """
        outcome = Outcome()
        missing = await resolve(session, self._declared, lines, verify=False)
        related = RelatedRows(self._declared, self._actor)
        await related.prepare(session, lines)
        if not (missing or related.concerns(lines)) and len(allowance.invalid) < allowance.failures:
            # Most batches: no line of them can fail here.
            rows = [line.row for line in lines]
            await events.insert_many(session, self._declared, rows, inserted or self._open_gate)
            return Outcome(created=len(rows))
        self._gate.set()
        rows = []
        for line in lines:
            if allowance.is_spent(outcome.failed, line.number):
                break
            changes, wrong = related.compare(line)
            if faults := [*missing.get(line.number, ()), *wrong]:
                outcome.fail(line.number, faults_of(line, faults))
            else:
                rows.append(line.row)
                related.add(line, changes)
        if rows:
            await events.insert_many(session, self._declared, rows)
        await related.store(session)
        outcome.created = len(rows)
        return outcome

    async def _open_gate(self) -> None:
        self._gate.set()

    async def apply(
        self,
        session: AsyncSession,
        lines: Sequence[Line],
        seen_keys: SeenKeys,
        allowance: Allowance,
        refused: Refused = NONE,
    ) -> Outcome:
        """Insert and update rows after a look-up, but not `refused` lines; raises as `insert`."""
        self._gate.set()
        upsert = self._upsert(self._needed(seen_keys), simulated=False)
        await upsert.make(session, lines, allowance, refused)
        await upsert.related.hold(session)
        # An insert may need a key that an update gives up, never the reverse.
        if upsert.updates:
            await events.update_many(session, self._declared, upsert.updates, upsert.changes)
        if upsert.inserts:
            await events.insert_many(session, self._declared, upsert.inserts)
        await upsert.related.store(session)
        return upsert.outcome

    async def simulate(self, lines: Sequence[Line], seen_keys: SeenKeys, allowance: Allowance) -> Outcome:
        """Return what `store` would, without storing or locking; `seen_keys` stands in for the batches before."""

        async def work(session: AsyncSession) -> Outcome:
            upsert = self._upsert(seen_keys, simulated=True)
            await upsert.make(session, lines, allowance)
            return upsert.outcome

        outcome = await self._database.lookups.run(work, commit_if=lambda _outcome: False)
        await seen_keys.write(outcome.keys)
        return outcome

    async def _run(self, work: Callable[[AsyncSession], Awaitable[Outcome]]) -> Outcome:
        return await self._database.units.run(work, audit=self._audit, alone=True)

    def _upsert(self, seen_keys: SeenKeys | None, *, simulated: bool) -> Upsert:
        related = RelatedRows(self._declared, self._actor)
        return Upsert(
            self._declared,
            self._mode,
            blank=self._blank,
            seen_keys=seen_keys,
            simulated=simulated,
            related=related,
        )

    def _needed(self, seen_keys: SeenKeys) -> SeenKeys | None:
        # mode=create finds rows of earlier batches in the database; an upsert must know that this file stored them.
        return seen_keys if self._mode == "upsert" else None
