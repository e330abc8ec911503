"""Alembic's configuration, for whoever calls it from Python."""

from functools import cache
from pathlib import Path
from typing import Any

from alembic.config import Config
from alembic.script import ScriptDirectory

from service.migrate.errors import Refused
from service.migrate.plan.files import check

_FILE = "alembic.ini"


def configuration(**attributes: Any) -> Config:
    """Return the configuration of alembic.ini; env.py reads the attributes.

    `url` or `connection` says where, `report` is called with a sentence per event and `watch` with the progress of a
    backfill, `lock_wait_seconds` bounds the wait for another migrator, `wait_limits` (a `WaitLimits`) those for locks
    of tables, and the ids of revisions done are appended to `done`.
    """
    return Config(configuration_file(), attributes=attributes)


@cache
def scripts() -> ScriptDirectory:
    """The revisions beside alembic.ini, read once; raises Refused if one of them is broken."""
    directory = ScriptDirectory.from_config(configuration())
    check(directory)
    return directory


def folders() -> list[Path]:
    """Where alembic.ini may be: beside the package in a checkout, inside it in a wheel, or the working folder."""
    package = Path(__file__).parents[2]
    return [package.parent, package, Path.cwd()]


def configuration_file() -> Path:
    """The alembic.ini of this installation.

    Raises:
        Refused: there is none.
    """
    for folder in folders():
        if (folder / _FILE).exists():
            return folder / _FILE
    raise Refused(f"There is no {_FILE} here. Run this in the folder that holds it, with alembic/ beside it.")
