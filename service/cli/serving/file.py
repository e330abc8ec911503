"""The check of the SQLite file before `roster serve` starts; it imports no engine, so that a refusal is quick."""

import stat
from pathlib import Path

from service.db.urls import parse_url, sqlite_file
from service.errors import CannotStart
from service.settings import Settings

_SQLITE_MAGIC = b"SQLite format 3\0"


def check_file(settings: Settings) -> None:
    """Return if the database is PostgreSQL, or a SQLite file that exists or can be created.

    Raises:
        Misconfigured: the URL cannot be parsed.
        CannotStart: the path cannot be a SQLite database; the message says why.
    """
    url = parse_url(settings.database_url)
    if url.get_backend_name() != "sqlite":
        return
    file = sqlite_file(url)
    try:
        _check_path(file)
    except OSError as error:
        message = (
            f"The SQLite file {file} cannot be read: {error.strerror}. Give its user access, or name another file."
        )
        raise CannotStart(message) from error


def _check_path(file: Path) -> None:
    if not file.parent.is_dir():
        raise CannotStart(
            f"The folder {file.parent} of the SQLite file {file.name} does not exist: `mkdir -p {file.parent}`."
        )
    if not file.exists():
        return
    mode = file.stat().st_mode
    if stat.S_ISDIR(mode):
        raise CannotStart(f"{file} is a folder; name a file in it: ROSTER_DATABASE_URL=sqlite:///{file}/roster.db.")
    if not stat.S_ISREG(mode):
        raise CannotStart(f"{file} is not a regular file; a SQLite database is one. Name another file.")
    with file.open("rb") as opened:
        magic = opened.read(len(_SQLITE_MAGIC))
    # An empty file is an empty database.
    if magic and magic != _SQLITE_MAGIC:
        raise CannotStart(f"{file} is not a SQLite database; its content is something else. Name another file.")
