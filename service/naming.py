"""Roster's names in the database and in messages, and the place of Roster's revisions."""

from pathlib import Path

from service import __version__
from service.migrate import naming
from service.migrate.naming import Naming

ROSTER = Naming(
    prefix="roster_",
    application="roster",
    numbered=True,
    command="roster db",
    version=__version__,
    version_column="version",
    database_setting="ROSTER_DATABASE_URL",
    migrate_setting="ROSTER_MIGRATE_URL",
    settings={
        each: f"ROSTER_{each.upper()}"
        for each in ("lock_wait_seconds", "pool_size", "pool_wait_seconds", "pooler", "statement_seconds")
    },
    adopting="docs/adopting.md",
)


def folders() -> list[Path]:
    """Where alembic.ini is: beside the package in a checkout, inside it in a wheel."""
    package = Path(__file__).parent
    return [package.parent, package]


def use_roster() -> None:
    """Set Roster's names and Roster's revisions as those of this process."""
    naming.use(ROSTER)
    naming.use_files(*(each / "alembic.ini" for each in folders()))
