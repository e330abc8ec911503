"""The folder through which several processes of one server share their metrics."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.multiprocess import mark_process_dead

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
_PREFIX = "roster-metrics-"
_LOCK = "lock"
_SUMMED = ("counter", "histogram")
# Not typed.
_Figures: Any = MmapedDict


@contextmanager
def folder() -> Iterator[Path]:
    """Make the folder, name it in the environment for the processes started from here, and remove it in the end.

    Folders of servers that were killed are removed as well. Every process of a server keeps a shared lock on its
    folder, so that the folder of a running server is never taken for one of them.
    """
    _remove_abandoned()
    path, descriptor = _make()
    os.environ[VARIABLE] = str(path)
    try:
        yield path
    finally:
        del os.environ[VARIABLE]
        shutil.rmtree(path, ignore_errors=True)
        os.close(descriptor)


def join() -> None:
    """Keep the folder that the environment names for as long as this process runs."""
    _lock(Path(os.environ[VARIABLE]))


def forget(path: Path, pid: int) -> None:
    """Drop the gauges of a process that ended, and add what it counted to one file for all that ended."""
    with _exclusive(path):
        mark_process_dead(pid, str(path))  # type: ignore[no-untyped-call]
        for kind in _SUMMED:
            own = path / f"{kind}_{pid}.db"
            if own.exists():
                _add(own, path / f"{kind}_ended.db")
                own.unlink()


@contextmanager
def unchanged() -> Iterator[None]:
    """Keep `forget` from moving figures from file to file while all files are read."""
    with (Path(os.environ[VARIABLE]) / _LOCK).open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        yield


def _make() -> tuple[Path, int]:
    while True:
        path = Path(tempfile.mkdtemp(prefix=_PREFIX))
        with suppress(FileNotFoundError):
            (path / _LOCK).touch()
        descriptor = _lock(path)
        # Another server may have taken the folder for an abandoned one before it was locked.
        if descriptor is not None and (path / _LOCK).exists():
            return path, descriptor


def _lock(path: Path, how: int = fcntl.LOCK_SH) -> int | None:
    """Return the locked descriptor, or None when the folder is gone, not ours, or locked by others."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        if os.fstat(descriptor).st_uid == os.geteuid():
            fcntl.flock(descriptor, how | fcntl.LOCK_NB)
            return descriptor
    except OSError:
        pass
    os.close(descriptor)
    return None


def _remove_abandoned() -> None:
    for path in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        descriptor = _lock(path, fcntl.LOCK_EX)
        if descriptor is not None:
            shutil.rmtree(path, ignore_errors=True)
            os.close(descriptor)


@contextmanager
def _exclusive(path: Path) -> Iterator[None]:
    with (path / _LOCK).open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _add(own: Path, ended: Path) -> None:
    total = _Figures(str(ended))
    with suppress(FileNotFoundError):
        for key, value, _timestamp, _position in _Figures.read_all_values_from_file(str(own)):
            total.write_value(key, total.read_value(key)[0] + value, 0.0)
    total.close()
