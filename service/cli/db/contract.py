"""`roster db contract`."""

from functools import partial

import click

from service.cli.db.options import as_sql, require_revision, resolved, wait_limits
from service.cli.options import database, output
from service.cli.output import Output


@click.command()
@click.argument("revision", default="head")
@click.option("--undo", is_flag=True, help="Restore what the contracts of REVISION and later removed.")
@wait_limits
@as_sql
@output
@database
def contract(url: str | None, /, revision: str, *, undo: bool, as_sql: bool, output: Output, **waits: float) -> None:
    """Remove what only old code used, up to REVISION.

    Run it when no old code runs any more. Columns and tables go to the trash, from which --undo or a downgrade restores
    them. It is refused while a backfill is unfinished.
    """
    from service.cli.db.running import run_phase
    from service.migrate.entrypoints import commands
    from service.migrate.errors import Refused

    target = resolved(url)
    if as_sql and undo:
        raise Refused(
            "--undo is not written as a script: its steps depend on what the database's contracts have done. "
            f"Run `roster db contract {revision} --undo` against the database itself."
        )
    if as_sql:
        output.script(commands.phase_script(target, "contract", require_revision(revision)))
        return
    verb, nothing = ("undone", "No contract is to be undone") if undo else ("contracted", "Nothing is left to contract")
    run_phase(partial(commands.contract, target, revision, undo=undo), output, verb, nothing, **waits)
