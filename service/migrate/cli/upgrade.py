"""`upgrade`."""

from functools import partial

import click

from service.migrate.cli.options import as_sql, target_of, wait_limits
from service.terminal.options import database, output
from service.terminal.output import Output


@click.command()
@click.argument("revision", default="head")
@wait_limits
@as_sql
@output
@database
def upgrade(url: str | None, /, revision: str, *, as_sql: bool, output: Output, **waits: float) -> None:
    """Upgrade to REVISION, by default the newest.

    Only the expand phase of each revision runs: old and new code both work with the result. Each step is a short
    transaction that gives up its lock request in favour of running requests. A killed upgrade is run again. Another
    migrator is waited for, for up to five minutes.

    With --sql, REVISION may be a span FROM:TO; otherwise the span begins at nothing.
    """
    from service.migrate.cli.running import run_revisions
    from service.migrate.entrypoints import commands

    target = target_of(url)
    if as_sql:
        output.script(commands.script(target.url, revision, config=target.config))
        return
    run_revisions(
        partial(commands.upgrade, target.url, revision, config=target.config), output, target, "applied", **waits
    )
