"""The names of a project: set by its env.py, and by a program that uses the migrator without env.py."""

from dataclasses import dataclass
from pathlib import Path

from service.db import program
from service.db.program import Program


@dataclass(frozen=True, slots=True, kw_only=True)
class Naming(Program):
    """The names that appear in databases and in messages.

    `prefix` begins the names of triggers and functions, and makes the key of the advisory lock: the prefix must not
    change once a database was upgraded. `numbered` gives new revisions ids such as 0017_add_colour_to_users instead of
    Alembic's random ones. `version` is the version of the project in the audit table.

    `version_column` is the column of a table that counts the changes of a row, if tables have one.

    `migrate_setting` is where a person sets a direct URL when `database_setting` leads through a pooler. `adopting` is
    a page on databases that existed before their first revision.
    """

    prefix: str = "migrator_"
    version: str = ""
    version_column: str = ""
    numbered: bool = False
    migrate_setting: str = "the database URL"
    adopting: str = ""


_default = Naming()
_in_use: list[Naming] = []
_files: list[Path] = []


def use(naming: Naming) -> None:
    """Set the names of this process, also for the messages of `service.db`."""
    _in_use[:] = [naming]
    program.use(naming)


def use_files(*candidates: Path) -> None:
    """Set the alembic.ini of this process, for calls that name none: the first of these that exists."""
    _files[:] = candidates


def file() -> Path | None:
    """The alembic.ini of this process; `None` if `use_files` set none that exists."""
    return next((each for each in _files if each.exists()), None)


def is_set() -> bool:
    """Whether this process, or an env.py in it, called `use`."""
    return bool(_in_use)


def current() -> Naming:
    return _in_use[0] if _in_use else _default


def owned(name: str) -> str:
    """The name of an object that belongs to the migrator."""
    return f"{current().prefix}{name}"


def lock_key() -> int:
    """The key of the advisory lock: the first seven letters of the prefix as a number."""
    return int.from_bytes(current().prefix.rstrip("_").capitalize().encode()[:7], "big")


def command(rest: str) -> str:
    """The project's command, as a message quotes it: `shop db backfill`."""
    return current().run(rest)
