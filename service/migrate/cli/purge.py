"""`purge`."""

from functools import partial

import click

from service.migrate.cli.options import as_sql, require_revision, target_of, wait_limits
from service.migrate.cli.status import read_status
from service.terminal.options import database, output
from service.terminal.output import Output


@click.command()
@click.argument("revision", required=False)
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@wait_limits
@as_sql
@output
@database
def purge(url: str | None, /, revision: str | None, *, yes: bool, as_sql: bool, output: Output, **waits: float) -> None:
    """Empty the trash, for good.

    Columns and tables that contracts and downgrades removed are dropped with all their values.
    """
    from service.migrate.cli.running import run_phase
    from service.migrate.entrypoints import commands
    from service.migrate.errors import Unusable

    target = target_of(url)
    if as_sql:
        output.script(commands.phase_script(target.url, "purge", require_revision(revision), config=target.config))
        return
    if revision is not None:
        raise Unusable(f"purge empties the whole trash: leave out {revision}, which is for --sql.")
    trash = read_status(target).phases.trash
    if trash and not yes:
        if output.as_json:
            raise Unusable(f"--json does not ask before it drops {', '.join(trash)} for good: say --yes too.")
        click.confirm(f"Drop {', '.join(trash)} for good?", abort=True)
    run_phase(
        partial(commands.purge, target.url, config=target.config), output, "purged", "The trash is empty", **waits
    )
