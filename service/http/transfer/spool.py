"""Files read without blocking the event loop, and temporary files in a folder that can be set."""

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

# A file-size limit or a quota is a full disk to the caller.
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


async def in_thread(work: Callable[..., T], *arguments: Any) -> T:
    """Run the work in a thread, which has ended when this returns, also if the caller is cancelled."""
    # Else the caller closes the file or database under the thread, which ends the process by SIGSEGV.
    return await to_its_end(asyncio.to_thread(work, *arguments))


async def chunks(file: IO[bytes]) -> AsyncIterator[bytes]:
    """Yield the bytes of a file from its beginning, or from where it stands if it has none to go back to."""
    if file.seekable():
        file.seek(0)
    while chunk := await in_thread(file.read, CHUNK_BYTES):
        yield chunk


class Spool:
    """A folder for temporary files, which have no name: they are gone when they are closed, or the process is killed.

    Without `directory` it is the system's folder for temporary files.
    """

    def __init__(self, directory: str = "") -> None:
        self._directory = directory

    def check(self) -> None:
        """Return if a file can be made in the folder.

        Raises:
            Misconfigured: the folder is not there or is not writable.
        """
        try:
            tempfile.TemporaryFile(dir=self._directory or None).close()
        except OSError as failure:
            named = f"ROSTER_SPOOL_DIRECTORY is {self._directory!r}" if self._directory else "No spool directory is set"
            reason = failure.strerror or str(failure)
            raise Misconfigured(f"{named}: {reason}. It must be an existing folder that can be written to.") from None

    @asynccontextmanager
    async def hold(self, source: AsyncIterator[bytes]) -> AsyncIterator[Callable[[], AsyncIterator[bytes]]]:
        """Keep a stream in a temporary file, and give what yields it from the beginning, as often as it is called.

        Raises:
            NoSpace: the disk is full.
            Unavailable: the folder cannot be written to.
        """
        with self._file() as file:
            async for chunk in source:
                with told():
                    await in_thread(_write, file, chunk)
            yield lambda: _told_chunks(file)

    @contextmanager
    def database(self) -> Iterator[sqlite3.Connection]:
        """An empty SQLite database in autocommit mode, which any thread may use."""
        with told():
            handle, path = tempfile.mkstemp(dir=self._directory or None)
            os.close(handle)
            try:
                # SQLite opens the file here, so the name may go at once.
                database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            finally:
                Path(path).unlink()
        try:
            yield database
        finally:
            database.close()

    @contextmanager
    def _file(self) -> Iterator[IO[bytes]]:
        with told():
            # Unbuffered: every byte is on its way to the disk when a write returns, and close writes none.
            file = tempfile.TemporaryFile(  # noqa: SIM115 - entered below, where an error is not about the folder
                dir=self._directory or None, buffering=0
            )
        with file:
            yield file


@contextmanager
def told() -> Iterator[None]:
    """Raise what the caller is told when a temporary file fails."""
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


async def _told_chunks(file: IO[bytes]) -> AsyncIterator[bytes]:
    with told():
        async for chunk in chunks(file):
            yield chunk
