"""Reads files without blocking the event loop, and keeps temporary files in the spool directory."""

import asyncio
import errno
import os
import sqlite3
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import IO, Any, TypeVar

from service.db.uow import to_its_end
from service.errors import Misconfigured, NoSpace, Unavailable

T = TypeVar("T")

CHUNK_BYTES = 256 * 1024

# EFBIG and EDQUOT: to the caller a file-size limit or a quota is a full disk.
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


async def in_thread(work: Callable[..., T], *arguments: Any) -> T:
    """Run the work in a thread; it has ended when this returns, even if the caller is cancelled."""
    # A caller that closed a file or database in use by the thread would end the process by SIGSEGV.
    return await to_its_end(asyncio.to_thread(work, *arguments))


async def chunks(file: IO[bytes]) -> AsyncIterator[bytes]:
    """Yield the bytes of a file from its beginning, or from its current position if the file is not seekable."""
    if file.seekable():
        file.seek(0)
    while chunk := await in_thread(file.read, CHUNK_BYTES):
        yield chunk


class Spool:
    """A folder for unnamed temporary files, which the system removes when they are closed or the process is killed.

    The default is the system's folder for temporary files.
    """

    def __init__(self, directory: str = "") -> None:
        self._directory = directory

    def check(self) -> None:
        """Return if a file can be created in the folder.

        Raises:
            Misconfigured: the folder does not exist or is not writable.
        """
        try:
            tempfile.TemporaryFile(dir=self._directory or None).close()
        except OSError as failure:
            named = f"ROSTER_SPOOL_DIRECTORY is {self._directory!r}" if self._directory else "No spool directory is set"
            reason = failure.strerror or str(failure)
            raise Misconfigured(f"{named}: {reason}. It must be an existing folder that can be written to.") from None

    @asynccontextmanager
    async def hold(self, source: AsyncIterator[bytes]) -> AsyncIterator[Callable[[], AsyncIterator[bytes]]]:
        """Copy a stream to a temporary file; give a function whose every call yields the file from its beginning.

        Raises:
            NoSpace: the disk is full.
            Unavailable: the folder cannot be written to.
        """
        with self._file() as file:
            async for chunk in source:
                with spool_errors():
                    await in_thread(_write, file, chunk)
            yield lambda: _chunks(file)

    @contextmanager
    def database(self) -> Iterator[sqlite3.Connection]:
        """An empty SQLite database in autocommit mode, usable from any thread."""
        with spool_errors():
            handle, path = tempfile.mkstemp(dir=self._directory or None)
            os.close(handle)
            try:
                # SQLite has the file open from here on, so its name can be removed.
                database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            finally:
                Path(path).unlink()
        try:
            yield database
        finally:
            database.close()

    @contextmanager
    def _file(self) -> Iterator[IO[bytes]]:
        with spool_errors():
            # Unbuffered: every byte is written when a write returns, and close writes none.
            file = tempfile.TemporaryFile(  # noqa: SIM115 - entered below, outside of spool_errors
                dir=self._directory or None, buffering=0
            )
        with file:
            yield file


@contextmanager
def spool_errors() -> Iterator[None]:
    """Raise NoSpace or Unavailable where a temporary file fails."""
    try:
        yield
    except OSError as failure:
        raise _failed(failure, full=failure.errno in _FULL) from failure
    except sqlite3.OperationalError as failure:
        raise _failed(failure, full=failure.sqlite_errorname in ("SQLITE_FULL", "SQLITE_IOERR_WRITE")) from failure


def _failed(failure: Exception, *, full: bool) -> NoSpace | Unavailable:
    if full:
        return NoSpace("The disk of the spool directory is full.")
    return Unavailable(f"The spool directory cannot be used now: {failure}.")


def _write(file: IO[bytes], chunk: bytes) -> None:
    rest = memoryview(chunk)
    while rest:
        rest = rest[file.write(rest) :]


async def _chunks(file: IO[bytes]) -> AsyncIterator[bytes]:
    with spool_errors():
        async for chunk in chunks(file):
            yield chunk
