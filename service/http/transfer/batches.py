"""A stream of bytes as batches of lines, each read while the one before is stored."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from dataclasses import dataclass, field
from time import monotonic

from service.db.words import now
from service.http.transfer.declarations import Import, Rows
from service.http.transfer.documents import Documents, Faulty, Line, documents
from service.http.transfer.lines import PIECE_BYTES, Lines
from service.http.transfer.reports import Outcome

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
    declared: Import, rows: Rows, format: str, source: AsyncIterator[bytes]
) -> AsyncGenerator[Batch, None]:
    """Yield the batches of a file.

    Raises:
        Invalid: the header of a CSV file is wrong; nothing was yielded then.
    """
    reader, lines = documents(declared, rows, format), Lines()
    batch = Batch()
    position = 0
    async for chunk in source:
        for piece in _pieces(chunk):
            position += len(piece)
            batch.size += len(piece)
            for block in lines.cut(piece):
                for line in reader.read(block):
                    _put(batch, line)
                    if batch.full:
                        yield _close(batch, reader.skipped, position)
                        batch = Batch()
                        rows.stamp(now())
            if batch.due and (batch.lines or batch.outcome.failed):
                yield _close(batch, reader.skipped, position)
                batch = Batch()
                rows.stamp(now())
            # Others have their turn: a piece takes a millisecond or two.
            await asyncio.sleep(0)
    for line in _rest(lines, reader):
        _put(batch, line)
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


def _pieces(chunk: bytes) -> Iterator[bytes]:
    for at in range(0, len(chunk), PIECE_BYTES):
        yield chunk[at : at + PIECE_BYTES]


def _rest(lines: Lines, reader: Documents) -> Iterator[Line | Faulty]:
    for block in lines.finish():
        yield from reader.read(block)
    yield from reader.finish()


def _put(batch: Batch, line: Line | Faulty) -> None:
    if isinstance(line, Line):
        batch.lines.append(line)
    else:
        batch.outcome.fail(line.faults)


def _close(batch: Batch, skipped: set[str], position: int) -> Batch:
    batch.skipped = {*skipped}
    batch.position = position
    return batch
