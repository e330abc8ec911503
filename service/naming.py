"""Roster's names in the database and in the messages of the migrator."""

from service import __version__
from service.migrate.naming import Naming

ROSTER = Naming(
    prefix="roster_",
    application="roster",
    numbered=True,
    command="roster db",
    version=__version__,
    database_setting="ROSTER_DATABASE_URL",
    migrate_setting="ROSTER_MIGRATE_URL",
    adopting="docs/adopting.md",
)
