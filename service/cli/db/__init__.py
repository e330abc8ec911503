"""`roster db`: the migrator's commands on Roster's database, backup and restore."""

import click

from service.cli.db import alembic, backup, restore
from service.cli.db.options import resolved
from service.migrate.cli.group import Migrator
from service.migrate.cli.options import Target
from service.terminal.options import database


class _RosterMigrator(Migrator):
    def target(self, _context: click.Context, url: str | None) -> Target:
        from service.schema_range import SUPPORTED

        return Target(url=resolved(url), supported=SUPPORTED)


@click.group(cls=_RosterMigrator)
@database
def db(_url: str | None) -> None:
    """The schema of the database: upgrade, downgrade, status.

    \b
      roster db status           revision, pending phases, drift
      roster db upgrade          expand: safe beside old and new code
      roster db backfill         fill existing rows, in batches
      roster db contract         remove what only old code used
      roster db purge            empty the trash
      roster db downgrade -1     one revision back, with every value
      roster db revision -m "add colour to users"    draft a revision
      roster db backup FILE      copy all of it while it is in use
      roster db restore FILE     make the database what a backup holds

    A revision is named by its id (0008_fold_users), its number (0008), or steps from the current one (+1, -2).
    Alembic's own commands work too: `alembic upgrade head`, `alembic history`, `alembic check`.

    ROSTER_MIGRATE_URL, where it is set, goes before ROSTER_DATABASE_URL for these commands.
    """


for command in (backup.backup, restore.restore, alembic.alembic_command):
    db.add_command(command)
