"""A stream of bytes as batches of lines, each read while the one before is stored."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from dataclasses import dataclass, field
from time import monotonic

from service.db.clock import now
from service.http.transfer.parser import Documents, Faulty, Line, documents
from service.http.transfer.reports import Outcome
from service.http.transfer.spec import Import, Rows
from service.http.transfer.splitter import PIECE_BYTES, Block, Lines
from service.http.transfer.time_slice import Turns

BATCH_LINES = 1000
BATCH_BYTES = 1_000_000
# A slow sender's lines are stored at least this often.
BATCH_SECONDS = 2.0


@dataclass(slots=True)
class Batch:
    """Lines that are stored together; `outcome` tells of those that cannot be read."""

    lines: list[Line] = field(default_factory=list)
    outcome: Outcome = field(default_factory=Outcome)
    skipped: set[str] = field(default_factory=set)
    # How many bytes of the file have been read, this batch's included.
    position: int = 0
    begun: float = field(default_factory=monotonic)
    size: int = 0

    @property
    def full(self) -> bool:
        return len(self.lines) >= BATCH_LINES or self.outcome.failed >= BATCH_LINES

    @property
    def due(self) -> bool:
        return self.size >= BATCH_BYTES or monotonic() - self.begun > BATCH_SECONDS


async def batches(
    declared: Import, rows: Rows, format: str, source: AsyncIterator[bytes], max_errors: int
) -> AsyncGenerator[Batch, None]:
    """Yield the batches of a file, up to the line that is the `max_errors`th to be unreadable.

    Raises:
        Invalid: the header of a CSV file is wrong; nothing was yielded then.
    """
    reader = documents(declared, rows, format)
    batch, turns = Batch(), Turns()
    position = failures = 0
    async for size, found in _parts(source, reader):
        position += size
        batch.size += size
        for line in found:
            failures += _put(batch, line)
            if failures == max_errors:
                yield _close(batch, reader.skipped, position)
                return
            if batch.full:
                yield _close(batch, reader.skipped, position)
                batch = Batch()
                rows.stamp(now())
            if turns.over:
                await turns.end()
        if batch.due and (batch.lines or batch.outcome.failed):
            yield _close(batch, reader.skipped, position)
            batch = Batch()
            rows.stamp(now())
        # Blank lines are found by none of the turns above.
        if turns.over:
            await turns.end()
    yield _close(batch, reader.skipped, position)


async def ahead(batches: AsyncGenerator[Batch, None]) -> AsyncGenerator[Batch, None]:
    """Yield the same batches, each next one being read meanwhile."""
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
    source: AsyncIterator[bytes], reader: Documents
) -> AsyncGenerator[tuple[int, Iterator[Line | Faulty]], None]:
    """Yield the size of each piece and its lines, which are read as they are asked for."""
    lines = Lines()
    async for chunk in source:
        for at in range(0, len(chunk), PIECE_BYTES):
            piece = chunk[at : at + PIECE_BYTES]
            yield len(piece), _read(lines.cut(piece), reader)
    yield 0, _rest(lines, reader)


def _read(blocks: Iterator[Block], reader: Documents) -> Iterator[Line | Faulty]:
    for block in blocks:
        yield from reader.read(block)


def _rest(lines: Lines, reader: Documents) -> Iterator[Line | Faulty]:
    yield from _read(lines.finish(), reader)
    yield from reader.finish()


def _put(batch: Batch, line: Line | Faulty) -> bool:
    """Put a line into the batch, and return whether it is unreadable."""
    if isinstance(line, Line):
        batch.lines.append(line)
        return False
    batch.outcome.fail(line.number, line.faults)
    return True


def _close(batch: Batch, skipped: set[str], position: int) -> Batch:
    batch.skipped = {*skipped}
    batch.position = position
    return batch
