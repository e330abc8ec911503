"""Runs an import and returns its report: batch by batch, or atomically."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from service.db.audit import Audit
from service.db.database import Database
from service.errors import Conflict
from service.http.auth.actors import OPEN, Actor
from service.http.transfer.batching import Batch, BatchLimit, ahead, batches
from service.http.transfer.lines import Line
from service.http.transfer.overlap import Steps, Ticket, store_overlapping
from service.http.transfer.parser import CSV
from service.http.transfer.reports import Allowance, Mode, Outcome, Report
from service.http.transfer.seen_keys import SeenKeys
from service.http.transfer.spec import Import, RowMaker
from service.http.transfer.spool import Spool
from service.http.transfer.writer import ATTEMPTS, Writer

Source = Callable[[], AsyncIterator[bytes]]
_Settle = Callable[[Sequence[Line], Allowance], Awaitable[Outcome]]

MAX_ERRORS = 10_000


_IMPORT = Audit(via="import")


@dataclass(frozen=True, slots=True, kw_only=True)
class Importer:
    """Who imports, as events show it, and what they may do."""

    audit: Audit = _IMPORT
    actor: Actor = OPEN


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """The options of an import."""

    mode: Annotated[Mode, msgspec.Meta(description="upsert also updates existing rows.")] = "create"
    dry_run: Annotated[bool, msgspec.Meta(description="Store nothing, and report what would happen.")] = False
    atomic: Annotated[bool, msgspec.Meta(description="Store every line or, if one fails, nothing.")] = False
    max_errors: Annotated[
        int, msgspec.Meta(ge=1, le=1_000_000_000, description="Stop the import when this many lines have failed.")
    ] = MAX_ERRORS


class Watcher:
    """Is called as an import proceeds; by default it does nothing."""

    def read(self, step: str, position: int, report: Report) -> None:
        """The first `position` bytes are done, in the step "import", or in the step "check" of an atomic import."""

    def settled(self, outcome: Outcome) -> None:
        """These lines are stored or have failed; not called in a dry run."""


class Job:
    """The import of one file; `check` is called before each batch is stored, and may raise to stop the import.

    The importer is an operator on the command line, unless one is named.
    """

    def __init__(
        self,
        declared: Import,
        database: Database,
        format: str,
        options: Options,
        watcher: Watcher | None = None,
        *,
        spool: Spool | None = None,
        check: Callable[[], None] = lambda: None,
        importer: Importer | None = None,
    ) -> None:
        self._declared = declared
        self._database = database
        self._format = format
        self._options = options
        self._watcher = watcher or Watcher()
        self._spool = spool or Spool()
        self._check = check
        importer = importer or Importer()
        self._gate = asyncio.Event()
        self._limit = BatchLimit(database.writing.dialect.name)
        self._writer = Writer(
            declared,
            database,
            options.mode,
            blank=format == CSV,
            audit=importer.audit,
            actor=importer.actor,
            gate=self._gate,
            limit=self._limit,
        )
        self._audit = importer.audit
        self._begin()

    @property
    def stored(self) -> int:
        """The number of lines whose transaction is committed."""
        if self._options.dry_run or self._options.atomic:
            return 0
        return self.report.created + self.report.updated

    async def run(self, source: Source) -> Report:
        """Import the file and return the report; an atomic import with a failed line has stored nothing.

        `source` yields the bytes of the file from its beginning; an atomic import calls it twice or more.

        Raises:
            Invalid: the header of a CSV file is wrong; nothing was stored.
            Conflict: concurrent writers stopped every attempt of an atomic import; nothing was stored.
            Unavailable: the database did not answer; `stored` lines are committed.
            NoSpace: the disk of the spool directory is full; `stored` lines are committed.
        """
        self._source = source
        if self._options.dry_run:
            await self._simulate("import")
        elif self._options.atomic:
            await self._all_or_nothing()
        else:
            with SeenKeys(self._spool) as seen_keys:
                await self._store(seen_keys)
        return self.report

    async def _store(self, seen_keys: SeenKeys) -> None:
        """Store batch by batch; new rows of two batches at a time where writers do not wait for each other."""
        if self._options.mode == "create" and not self._is_sqlite:

            async def store(batch: Batch, ticket: Ticket, failures: int) -> Outcome:
                if not batch.lines:
                    return Outcome()
                return await self._writer.store(batch.lines, seen_keys, self._allowance(batch, failures), ticket)

            def finish(batch: Batch, outcome: Outcome) -> bool:
                return self._finish("import", batch, outcome, self._watcher.settled)

            async with aclosing(self._upcoming()) as ready:
                await store_overlapping(ready, Steps(self._check, self._has_room, store, finish))
            return

        async def settle(lines: Sequence[Line], allowance: Allowance) -> Outcome:
            return await self._writer.store(lines, seen_keys, allowance)

        await self._each("import", settle, self._watcher.settled, is_gated=self._is_sqlite)

    async def _simulate(self, step: str) -> None:
        self._begin()
        with SeenKeys(self._spool) as seen_keys:
            await self._each(step, lambda lines, allowance: self._writer.simulate(lines, seen_keys, allowance))

    async def _all_or_nothing(self) -> None:
        for attempt in range(1, ATTEMPTS + 1):
            await self._simulate("check")
            if self.report.failed:
                break
            try:
                await self._database.units.run(
                    self._whole, commit_if=lambda report: not report.failed, audit=self._audit, alone=True
                )
            except Conflict:
                # A concurrent writer committed between the check and the import.
                self._begin()
                if attempt == ATTEMPTS:
                    raise
                continue
            if not self.report.failed:
                break
        self._watcher.settled(self.report.outcome())

    async def _whole(self, session: AsyncSession) -> Report:
        """Store the whole file in one session."""
        self._begin()
        with SeenKeys(self._spool) as seen_keys:

            async def settle(lines: Sequence[Line], allowance: Allowance) -> Outcome:
                if self._options.mode == "create":
                    return await self._writer.insert(session, lines, allowance)
                outcome = await self._writer.apply(session, lines, seen_keys, allowance)
                await seen_keys.write(outcome.keys)
                return outcome

            await self._each("import", settle, is_gated=self._is_sqlite)
        self._check()
        return self.report

    async def _each(
        self,
        step: str,
        settle: _Settle,
        settled: Callable[[Outcome], None] = lambda _outcome: None,
        *,
        is_gated: bool = False,
    ) -> None:
        async with aclosing(self._upcoming(self._gate if is_gated else None)) as ready:
            async for batch in ready:
                self._check()
                allowance = self._allowance(batch)
                outcome = await settle(batch.lines, allowance) if batch.lines else Outcome()
                if self._finish(step, batch, outcome, settled):
                    break

    @property
    def _is_sqlite(self) -> bool:
        return self._database.writing.dialect.name == "sqlite"

    def _has_room(self) -> bool:
        pool: Any = self._database.writing.pool
        return bool(pool.checkedout() < pool.size())

    def _upcoming(self, gate: asyncio.Event | None = None) -> AsyncGenerator[Batch, None]:
        rows = RowMaker(self._declared, self._database.writing.dialect)
        most = self._options.max_errors
        return ahead(batches(self._declared, rows, self._format, self._source(), most, self._limit), gate)

    def _allowance(self, batch: Batch, failures: int = 0) -> Allowance:
        """Return how many lines of a batch may fail, after so many that the report does not count yet."""
        return Allowance(self._options.max_errors - self.report.failed - failures, [*batch.outcome.failed_lines])

    def _finish(self, step: str, batch: Batch, stored: Outcome, settled: Callable[[Outcome], None]) -> bool:
        """Report a batch, and return whether the import stops there."""
        allowance = self._allowance(batch)
        outcome = batch.outcome
        outcome.add(stored)
        self.report.stopped_at_line = outcome.stop_after(allowance.failures)
        self.report.skipped_columns = [name for name in self._declared.skipped if name in batch.skipped]
        self.report.add(outcome)
        settled(outcome)
        self._watcher.read(step, batch.position, self.report)
        return self.report.stopped_at_line is not None

    def _begin(self) -> None:
        mode, dry_run, atomic = self._options.mode, self._options.dry_run, self._options.atomic
        self.report = Report(mode=mode, dry_run=dry_run, atomic=atomic)
