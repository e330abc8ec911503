"""`roster db backfill`."""

from functools import partial

import click

from service.cli.db.options import require_revision, resolved, wait_limits
from service.cli.options import database, output
from service.cli.output import Output


@click.command()
@click.argument("revision", required=False)
@click.option("--pause", "wanted", flag_value="paused", help="Stop the running backfill after its batch.")
@click.option("--cancel", "wanted", flag_value="cancelled", help="Stop it, and let the next run start over.")
@click.option("--resume", "resume", is_flag=True, help="Continue a paused backfill.")
@click.option("--sql", "as_sql", is_flag=True, help="Print REVISION's SQL for PostgreSQL; run nothing.")
@wait_limits
@output
@database
def backfill(
    url: str | None,
    /,
    revision: str | None,
    *,
    wanted: str | None,
    resume: bool,
    as_sql: bool,
    output: Output,
    **waits: float,
) -> None:
    """Fill existing rows for applied revisions, in batches.

    A batch takes about 50 ms, followed by a pause of the same length; a backfill also waits for replicas that lag. When
    every row is filled, what depends on it is done: SET NOT NULL, the switch to a new type. Run it again to continue
    where it stopped; `roster db status` shows the progress.
    """
    from service.cli.db.running import run_phase
    from service.migrate.entrypoints import commands
    from service.migrate.state.backfills import BackfillState

    target = resolved(url)
    if as_sql:
        output.script(commands.phase_script(target, "backfill", require_revision(revision)))
        return
    if wanted is not None:
        names = commands.command_backfills(target, BackfillState(wanted))
        listed = ", ".join(names) or "nothing, for no backfill is open"
        output.write({wanted: names}, [f"{wanted.capitalize()}: {listed}."])
        return
    run_phase(
        partial(commands.backfill, target, resume=resume), output, "backfilled", "Nothing is left to fill", **waits
    )
