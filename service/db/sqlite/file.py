"""The file of a SQLite database: whether it can be opened, and which file its path names now."""

import os
import sqlite3
import stat
from dataclasses import dataclass
from pathlib import Path

from service.db import program

# Device and inode identify a file whatever its name.
Identity = tuple[int, int]


class FileUnusable(sqlite3.OperationalError):
    """The path names no file that SQLite can open; `detail` is the reason as a sentence without the folder."""

    def __init__(self, path: Path, reason: str, *, is_missing: bool = False) -> None:
        super().__init__(f"unable to open database file: {path} {reason}")
        self.is_missing = is_missing
        self.detail = f"The database file {path.name} {reason}."


class FileReplaced(sqlite3.OperationalError):
    """The path names another file than the open one, or none; a new connection opens the file there now."""


@dataclass(frozen=True, slots=True)
class SqliteFile:
    """The path of a database file with links resolved, as SQLite names -wal, -shm and -journal."""

    path: Path

    @classmethod
    def of(cls, name: str) -> "SqliteFile":
        return cls(Path(os.path.realpath(name)))

    @property
    def wal(self) -> str:
        return f"{self.path}-wal"

    def create(self) -> None:
        """Create an empty database file that only its owner may read, if there is none.

        SQLite gives -wal, -shm and -journal the mode of the database file.

        Raises:
            FileUnusable: the folder is missing, or no file can be created there.
        """
        try:
            descriptor = os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        except FileExistsError:
            return
        except (FileNotFoundError, NotADirectoryError):
            raise FileUnusable(self.path, "is in a folder that does not exist") from None
        except OSError as error:
            raise FileUnusable(self.path, f"cannot be created: {error.strerror}") from error
        os.close(descriptor)

    def identify(self) -> Identity:
        """Return which file the path names.

        Raises:
            FileUnusable: there is none, or it is something that cannot be a database.
        """
        try:
            found = self.path.stat()
        except (FileNotFoundError, NotADirectoryError):
            if not self.path.parent.is_dir():
                raise FileUnusable(self.path, "is in a folder that does not exist") from None
            reason = f"does not exist: put it back, or run {program.current().run('upgrade')} to create it"
            raise FileUnusable(self.path, reason, is_missing=True) from None
        except OSError as error:
            raise FileUnusable(self.path, f"cannot be reached: {error.strerror}") from error
        if stat.S_ISDIR(found.st_mode):
            raise FileUnusable(self.path, "is a folder; name a file in it")
        if not stat.S_ISREG(found.st_mode):
            raise FileUnusable(self.path, "is no regular file")
        if not os.access(self.path, os.R_OK, effective_ids=os.access in os.supports_effective_ids):
            raise FileUnusable(self.path, "may not be read by the account that runs this")
        return found.st_dev, found.st_ino


def identity(path: str | Path) -> Identity | None:
    """Return which file a path names, by one system call; `None` for none."""
    try:
        found = os.stat(path)  # noqa: PTH116 - half the time of Path.stat, before each statement
    except OSError:
        return None
    return found.st_dev, found.st_ino
