"""`contract`."""

from functools import partial

import click

from service.migrate.cli.options import as_sql, require_revision, target_of, wait_limits
from service.terminal.options import database, output
from service.terminal.output import Output


@click.command()
@click.argument("revision", default="head")
@click.option("--undo", is_flag=True, help="Restore what the last contract, or REVISION's and later ones, removed.")
@click.option("--to", "oldest", metavar="REVISION", help="With --undo: the oldest revision whose contract is undone.")
@wait_limits
@as_sql
@output
@database
def contract(
    url: str | None,
    /,
    revision: str,
    *,
    undo: bool,
    oldest: str | None,
    as_sql: bool,
    output: Output,
    **waits: float,
) -> None:
    """Remove what only old code used, up to REVISION.

    Run it when no old code runs any more. Columns and tables go to the trash, from which --undo or a downgrade restores
    them. It is refused while a backfill is unfinished.

    --undo undoes what the last run of `contract` contracted, or with a revision its contract and all later ones.
    """
    from service.migrate import naming
    from service.migrate.cli.running import run_phase
    from service.migrate.entrypoints import commands
    from service.migrate.errors import Refused, Unusable

    target = target_of(url)
    if oldest is not None:
        if not undo or revision != "head":
            raise Unusable(f"--to is for --undo alone: {naming.command(f'contract --undo --to {oldest}')}.")
        revision = oldest
    if as_sql and undo:
        raise Refused(
            "--undo is not written as a script: its steps depend on what the database's contracts have done. "
            f"Run {naming.command(f'contract {revision} --undo')} against the database itself."
        )
    if as_sql:
        output.script(commands.phase_script(target.url, "contract", require_revision(revision), config=target.config))
        return
    verb, nothing = ("undone", "No contract is to be undone") if undo else ("contracted", "Nothing is left to contract")
    run_phase(
        partial(commands.contract, target.url, revision, undo=undo, config=target.config),
        output,
        verb,
        nothing,
        **waits,
    )
