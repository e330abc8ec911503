"""The queue in which processes wait to write to one SQLite file: a lock on a file beside it."""

import fcntl
import os
import time
from contextlib import suppress

from service.db.backoff import Backoff

_FIRST_PAUSE_SECONDS = 0.0002
_LONGEST_PAUSE_SECONDS = 0.002


class WriteQueue:
    """A lock on a file beside the database: its holder is the only process that requests SQLite's write lock.

    A process that commits and wants to write again has to wait for this place, which its next in line holds until the
    write lock is taken. SQLite alone lets the one overtake the other, which sleeps up to 100 ms between tries.
    Only fairness depends on this lock, so a file that cannot be created is done without.
    """

    def __init__(self, database: str) -> None:
        self._path = f"{database}-queue"
        self._descriptor: int | None = None

    def enter(self, deadline: float) -> bool:
        """Wait for the lock until the deadline, a time of `time.monotonic`, and return whether it was taken."""
        backoff = write_backoff()
        while True:
            descriptor = self._opened()
            if descriptor is None:
                return True
            with suppress(BlockingIOError):
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return True
            if time.monotonic() >= deadline:
                return False
            time.sleep(backoff.pause())

    def is_taken(self) -> bool:
        """Whether another process waits to write, or writes; asked by the one that holds SQLite's write lock."""
        descriptor = self._opened()
        if descriptor is None:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        self.leave()
        return False

    def leave(self) -> None:
        if self._descriptor is not None:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def close(self) -> None:
        """Remove the file; a process that has it open opens a new one at its next turn."""
        if self._descriptor is not None:
            with suppress(OSError):
                os.unlink(self._path)  # noqa: PTH108 - a string, as everywhere here
            os.close(self._descriptor)
            self._descriptor = None

    def _opened(self) -> int | None:
        if self._descriptor is not None:
            if os.fstat(self._descriptor).st_nlink:
                return self._descriptor
            os.close(self._descriptor)
            self._descriptor = None
        with suppress(OSError):
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
            self._descriptor = os.open(self._path, flags, 0o600)
        return self._descriptor


def write_backoff() -> Backoff:
    """Return the pauses between attempts to lock a SQLite file for writing."""
    return Backoff(first=_FIRST_PAUSE_SECONDS, longest=_LONGEST_PAUSE_SECONDS, factor=1.5, jitter=0)
