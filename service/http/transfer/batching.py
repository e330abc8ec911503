"""Reads a stream of bytes as batches of lines; the next batch is parsed while the current one is stored."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from dataclasses import dataclass, field
from time import monotonic

from service.db.clock import now
from service.http.transfer.lines import BadLine, Found, Line
from service.http.transfer.parser import Parser, parser_of
from service.http.transfer.reports import Outcome
from service.http.transfer.spec import Import, RowMaker
from service.http.transfer.splitter import PIECE_BYTES, Block, Splitter
from service.http.transfer.time_slice import TimeSlice

# The lines of one transaction, by dialect: SQLite's other writers wait for its end, those of PostgreSQL do not.
BATCH_LINES = {"sqlite": 2500, "postgresql": 5000}
# Where nobody waits a batch takes up to so many times as many.
QUIET_TIMES = {"sqlite": 4, "postgresql": 1}
BATCH_BYTES = 1_000_000
# A slow client's lines are stored at least this often.
BATCH_SECONDS = 2.0


class BatchLimit:
    """How many lines a transaction takes: on SQLite more while no other writer waits for its end."""

    def __init__(self, dialect: str) -> None:
        self._fewest = BATCH_LINES[dialect]
        self._most = self._fewest * QUIET_TIMES[dialect]
        self.lines = self._fewest

    def grow(self) -> None:
        self.lines = min(2 * self.lines, self._most)

    def shrink(self) -> None:
        self.lines = self._fewest


@dataclass(slots=True)
class Batch:
    """Lines that one transaction stores; `outcome` counts the invalid ones."""

    lines: list[Line] = field(default_factory=list)
    outcome: Outcome = field(default_factory=Outcome)
    skipped: set[str] = field(default_factory=set)
    # The bytes of the file that are read up to the end of this batch.
    position: int = 0
    begun: float = field(default_factory=monotonic)
    size: int = 0

    def takes(self, found: Found, most: int) -> bool:
        """Add lines and return True, unless the batch would be full then."""
        valid, invalid = found
        if len(self.lines) + len(valid) >= most or self.outcome.failed + len(invalid) >= most:
            return False
        self.lines += valid
        self.outcome.fail_all(invalid)
        return True

    def add(self, line: Line | BadLine) -> bool:
        """Add one line and return whether it is invalid."""
        if isinstance(line, Line):
            self.lines.append(line)
            return False
        self.outcome.fail(line.number, line.faults)
        return True

    def is_full(self, most: int) -> bool:
        return len(self.lines) >= most or self.outcome.failed >= most

    @property
    def due(self) -> bool:
        return self.size >= BATCH_BYTES or monotonic() - self.begun > BATCH_SECONDS


async def batches(
    declared: Import, rows: RowMaker, format: str, source: AsyncIterator[bytes], max_errors: int, limit: BatchLimit
) -> AsyncGenerator[Batch, None]:
    """Yield the batches of a file, up to the `max_errors`th invalid line.

    Raises:
        Invalid: the header of a CSV file is wrong; no batch was yielded.
    """
    reader = parser_of(declared, rows, format)
    batch, time_slice = Batch(), TimeSlice()
    position = failures = 0
    async for size, parts in _parts(source, reader):
        position += size
        batch.size += size
        for found in parts:
            if time_slice.over:
                await time_slice.end()
            if failures + len(found.invalid) < max_errors and batch.takes(found, limit.lines):
                failures += len(found.invalid)
                continue
            for line in found.in_order():
                failures += batch.add(line)
                if failures == max_errors or batch.is_full(limit.lines):
                    yield _close(batch, reader.skipped, position)
                    batch = Batch()
                    rows.stamp(now())
                if failures == max_errors:
                    return
        if batch.due and (batch.lines or batch.outcome.failed):
            yield _close(batch, reader.skipped, position)
            batch = Batch()
            rows.stamp(now())
        # Blank lines do not enter the loop above.
        if time_slice.over:
            await time_slice.end()
    yield _close(batch, reader.skipped, position)


async def ahead(batches: AsyncGenerator[Batch, None], gate: asyncio.Event | None = None) -> AsyncGenerator[Batch, None]:
    """Yield the same batches; the next one is parsed while the caller works on the current one.

    With a `gate` that is when the caller opens it, or asks for the next batch.
    """
    upcoming = asyncio.ensure_future(anext(batches, None))
    try:
        while (batch := await upcoming) is not None:
            if gate is not None:
                gate.clear()
            upcoming = asyncio.ensure_future(_behind(gate, batches))
            yield batch
            if gate is not None:
                gate.set()
    finally:
        upcoming.cancel()
        await asyncio.gather(upcoming, return_exceptions=True)
        await batches.aclose()


async def _behind(gate: asyncio.Event | None, batches: AsyncGenerator[Batch, None]) -> Batch | None:
    if gate is not None:
        await gate.wait()
    return await anext(batches, None)


async def _parts(source: AsyncIterator[bytes], reader: Parser) -> AsyncGenerator[tuple[int, Iterator[Found]], None]:
    """Yield the size of each piece and an iterator that parses its lines."""
    lines = Splitter()
    async for chunk in source:
        for at in range(0, len(chunk), PIECE_BYTES):
            piece = chunk[at : at + PIECE_BYTES]
            yield len(piece), _read(lines.cut(piece), reader)
    yield 0, _rest(lines, reader)


def _read(blocks: Iterator[Block], reader: Parser) -> Iterator[Found]:
    for block in blocks:
        yield from reader.read(block)


def _rest(lines: Splitter, reader: Parser) -> Iterator[Found]:
    yield from _read(lines.finish(), reader)
    yield from reader.finish()


def _close(batch: Batch, skipped: set[str], position: int) -> Batch:
    batch.skipped = {*skipped}
    batch.position = position
    return batch
