"""Files read and filled without holding up anyone else."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import IO

CHUNK_BYTES = 256 * 1024


async def chunks(file: IO[bytes]) -> AsyncIterator[bytes]:
    """Yield the bytes of a file from its beginning, or from where it stands if it has none to go back to."""
    if file.seekable():
        file.seek(0)
    while chunk := await asyncio.to_thread(file.read, CHUNK_BYTES):
        yield chunk


@asynccontextmanager
async def spooled(source: AsyncIterator[bytes]) -> AsyncIterator[Callable[[], AsyncIterator[bytes]]]:
    """Keep a stream in a temporary file, and give what yields it from the beginning, as often as it is called."""
    with tempfile.TemporaryFile(buffering=CHUNK_BYTES) as file:
        async for chunk in source:
            await asyncio.to_thread(file.write, chunk)
        yield lambda: chunks(file)
