"""Reads a stream of bytes as batches of lines; the next batch is parsed while the current one is stored."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from dataclasses import dataclass, field
from time import monotonic

from service.db.clock import now
from service.http.transfer.lines import BadLine, Line
from service.http.transfer.parser import Parser, parser_of
from service.http.transfer.reports import Outcome
from service.http.transfer.spec import Import, RowMaker
from service.http.transfer.splitter import PIECE_BYTES, Block, Splitter
from service.http.transfer.time_slice import TimeSlice

BATCH_LINES = 1000
BATCH_BYTES = 1_000_000
# A slow client's lines are stored at least this often.
BATCH_SECONDS = 2.0


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

    @property
    def due(self) -> bool:
        return self.size >= BATCH_BYTES or monotonic() - self.begun > BATCH_SECONDS


async def batches(
    declared: Import, rows: RowMaker, format: str, source: AsyncIterator[bytes], max_errors: int
) -> AsyncGenerator[Batch, None]:
    """Yield the batches of a file, up to the `max_errors`th invalid line.

    Raises:
        Invalid: the header of a CSV file is wrong; no batch was yielded.
    """
    reader = parser_of(declared, rows, format)
    batch, time_slice = Batch(), TimeSlice()
    position = failures = 0
    async for size, found in _parts(source, reader):
        position += size
        batch.size += size
        for line in found:
            if isinstance(line, Line):
                batch.lines.append(line)
            else:
                batch.outcome.fail(line.number, line.faults)
                failures += 1
                if failures == max_errors:
                    yield _close(batch, reader.skipped, position)
                    return
            if len(batch.lines) >= BATCH_LINES or batch.outcome.failed >= BATCH_LINES:
                yield _close(batch, reader.skipped, position)
                batch = Batch()
                rows.stamp(now())
            if time_slice.over:
                await time_slice.end()
        if batch.due and (batch.lines or batch.outcome.failed):
            yield _close(batch, reader.skipped, position)
            batch = Batch()
            rows.stamp(now())
        # Blank lines do not enter the loop above.
        if time_slice.over:
            await time_slice.end()
    yield _close(batch, reader.skipped, position)


async def ahead(batches: AsyncGenerator[Batch, None]) -> AsyncGenerator[Batch, None]:
    """Yield the same batches; the next one is parsed while the caller works on the current one."""
    upcoming = asyncio.ensure_future(anext(batches, None))
    try:
        while (batch := await upcoming) is not None:
            upcoming = asyncio.ensure_future(anext(batches, None))
            yield batch
    finally:
        upcoming.cancel()
        await asyncio.gather(upcoming, return_exceptions=True)
        await batches.aclose()


async def _parts(
    source: AsyncIterator[bytes], reader: Parser
) -> AsyncGenerator[tuple[int, Iterator[Line | BadLine]], None]:
    """Yield the size of each piece and an iterator that parses its lines."""
    lines = Splitter()
    async for chunk in source:
        for at in range(0, len(chunk), PIECE_BYTES):
            piece = chunk[at : at + PIECE_BYTES]
            yield len(piece), _read(lines.cut(piece), reader)
    yield 0, _rest(lines, reader)


def _read(blocks: Iterator[Block], reader: Parser) -> Iterator[Line | BadLine]:
    for block in blocks:
        yield from reader.read(block)


def _rest(lines: Splitter, reader: Parser) -> Iterator[Line | BadLine]:
    yield from _read(lines.finish(), reader)
    yield from reader.finish()


def _close(batch: Batch, skipped: set[str], position: int) -> Batch:
    batch.skipped = {*skipped}
    batch.position = position
    return batch
