"""`downgrade`."""

from functools import partial

import click

from service.migrate.cli.options import no_sql, target_of, wait_limits
from service.terminal.options import database, output
from service.terminal.output import Output


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("revision")
@wait_limits
@no_sql
@output
@database
def downgrade(url: str | None, /, revision: str, *, as_sql: bool, output: Output, **waits: float) -> None:
    """Downgrade to REVISION, with every value.

    REVISION is an id, a number, -1 for one step, or base for an empty database.

    A contract is undone first, then a backfill, then the expand phase. Columns and tables that the older schema does
    not have go to the trash with their values and come back with the next upgrade; `purge` empties it. What
    was purged cannot come back: the downgrade is refused before anything changes.
    """
    from service.migrate.cli.running import run_revisions
    from service.migrate.entrypoints import commands
    from service.migrate.run.scripts.upgrades import no_downgrade

    target = target_of(url)
    if as_sql:
        raise no_downgrade()
    run_revisions(
        partial(commands.downgrade, target.url, revision, config=target.config), output, target, "reverted", **waits
    )
