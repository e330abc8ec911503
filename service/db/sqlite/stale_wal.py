"""The write-ahead log that a replaced database file left behind: SQLite would apply it to the new file."""

import os
import threading
import time
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass

from service.db.sqlite.file import FileReplaced, Identity, SqliteFile, identity
from service.db.sqlite.write_queue import WriteQueue

_MOST_FILES = 16
_WAIT_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class _Opened:
    """A database file that this process opened, and the WAL that belongs to it."""

    identity: Identity
    wal: Identity | None
    # Keeps the inode's number from being given to the next file; unlike a descriptor that reads, closing it leaves
    # SQLite's POSIX locks alone.
    pin: int | None


_opened: OrderedDict[SqliteFile, _Opened] = OrderedDict()
_lock = threading.Lock()


def remember(file: SqliteFile, found: Identity, wal: Identity | None) -> None:
    """Note which WAL belongs to the file that was opened."""
    with _lock:
        before = _opened.pop(file, None)
        if before is not None and before.identity == found:
            _opened[file] = _Opened(found, wal or before.wal, before.pin)
            return
        _unpin(before)
        _opened[file] = _Opened(found, wal, _pinned(file))
        if len(_opened) > _MOST_FILES:
            _unpin(_opened.popitem(last=False)[1])


def set_aside(file: SqliteFile, found: Identity) -> None:
    """Rename a WAL that belongs to another file than the one found at the path now, so that SQLite does not apply it.

    Raises:
        FileReplaced: another process holds the queue to write for too long; a later try may succeed.
    """
    with _lock:
        before = _opened.get(file)
    if before is None or before.identity == found or not _is_stale(file, before):
        return
    queue = WriteQueue(str(file.path))
    if not queue.enter(time.monotonic() + _WAIT_SECONDS):
        raise FileReplaced(f"{file.path} was replaced, and its former WAL is still there")
    try:
        # Another process may have been faster: what is there now would be the WAL of the new file.
        if _is_stale(file, before):
            with suppress(FileNotFoundError):
                os.unlink(f"{file.path}-shm")  # noqa: PTH108 - strings, as SQLite makes these names
            os.replace(file.wal, f"{file.wal}-stale")  # noqa: PTH105
            import structlog

            structlog.get_logger().warning(
                "database file replaced", file=str(file.path), former_wal=f"{file.wal}-stale"
            )
    finally:
        queue.close()


def _is_stale(file: SqliteFile, before: _Opened) -> bool:
    return before.wal is not None and identity(file.wal) == before.wal


def _pinned(file: SqliteFile) -> int | None:
    if not hasattr(os, "O_PATH"):
        return None
    with suppress(OSError):
        return os.open(file.path, os.O_PATH | os.O_CLOEXEC)
    return None


def _unpin(opened: _Opened | None) -> None:
    if opened is not None and opened.pin is not None:
        os.close(opened.pin)
