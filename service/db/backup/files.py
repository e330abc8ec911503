"""Files of backups: which database made one, and writing one so that it is there whole or not at all."""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from service.errors import RosterError

# Bytes done, and of how many where that is known.
Watch = Callable[[int, int | None], None]


class Kind(StrEnum):
    """The database that a backup is of, in its own spelling."""

    SQLITE = "SQLite"
    POSTGRESQL = "PostgreSQL"


_MAGIC = {b"SQLite format 3\x00": Kind.SQLITE, b"PGDMP": Kind.POSTGRESQL}


@dataclass(frozen=True, slots=True, kw_only=True)
class Copied:
    """What was copied: the rows of alembic_version in it, and its size."""

    revisions: tuple[str, ...]
    bytes: int


def kind_of(file: Path) -> Kind | None:
    """Tell by its first bytes what a file is a backup of; `None` for any other file."""
    try:
        with file.open("rb") as opened:
            start = opened.read(16)
    except OSError as failure:
        raise unusable(file, failure, "read") from None
    return next((kind for magic, kind in _MAGIC.items() if start.startswith(magic)), None)


@contextmanager
def part(target: Path, suffix: str) -> Iterator[tuple[Path, int]]:
    """Give an empty file beside the target, readable by its owner alone, and its descriptor.

    `publish` puts it in the place of the target. What is left of a run that was killed is used again.

    Raises:
        RosterError: the folder cannot be written, or another run writes the same file.
    """
    file = target.with_name(f"{target.name}{suffix}")
    try:
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    except OSError as failure:
        raise unusable(file, failure, "written") from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RosterError(f"Another run writes {file} now; wait until it ends.") from None
        os.fchmod(descriptor, 0o600)
        os.ftruncate(descriptor, 0)
        try:
            yield file, descriptor
        except OSError as failure:
            raise unusable(file, failure, "written") from None
        finally:
            file.unlink(missing_ok=True)
            for sidecar in sidecars(file):
                sidecar.unlink(missing_ok=True)
    finally:
        os.close(descriptor)


def publish(file: Path, target: Path) -> None:
    """Put the finished file in the place of the target, on the disk when this returns."""
    with file.open("rb") as opened:
        os.fsync(opened.fileno())
    file.replace(target)
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def sidecars(file: Path) -> list[Path]:
    """The files that SQLite keeps beside a database while it is in use."""
    return [file.with_name(f"{file.name}{suffix}") for suffix in ("-wal", "-shm", "-journal")]


def unusable(file: Path, failure: OSError, done: str) -> RosterError:
    return RosterError(f"{file} cannot be {done}: {failure.strerror or failure}.")
