"""`roster db purge`."""

from functools import partial

import click

from service.cli.db.options import as_sql, require_revision, resolved, wait_limits
from service.cli.db.status import read_status
from service.cli.options import database, output
from service.cli.output import Output
from service.errors import Misconfigured


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
    from service.cli.db.running import run_phase
    from service.migrate.entrypoints import commands

    target = resolved(url)
    if as_sql:
        output.script(commands.phase_script(target, "purge", require_revision(revision)))
        return
    trash = read_status(target).phases.trash
    if trash and not yes:
        if output.as_json:
            raise Misconfigured(f"--json does not ask before it drops {', '.join(trash)} for good: say --yes too.")
        click.confirm(f"Drop {', '.join(trash)} for good?", abort=True)
    run_phase(partial(commands.purge, target), output, "purged", "The trash is empty", **waits)
