"""`backfill`."""

from functools import partial

import click

from service.migrate.cli.options import require_revision, target_of, wait_limits
from service.terminal.options import database, output
from service.terminal.output import Output


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
    where it stopped; `status` shows the progress.
    """
    from service.migrate.cli.running import run_phase
    from service.migrate.entrypoints import commands
    from service.migrate.errors import Unusable
    from service.migrate.state.backfills import BackfillState

    target = target_of(url)
    if as_sql:
        if wanted is not None or resume:
            other = {"paused": "--pause", "cancelled": "--cancel", None: "--resume"}[wanted]
            raise Unusable(f"--sql prints the backfill of a revision; leave out {other}.")
        output.script(commands.phase_script(target.url, "backfill", require_revision(revision), config=target.config))
        return
    if revision is not None:
        raise Unusable(f"backfill fills all applied revisions: leave out {revision}, which is for --sql.")
    if wanted is not None:
        names = commands.command_backfills(target.url, BackfillState(wanted), config=target.config)
        listed = ", ".join(names) or "nothing, for no backfill is open"
        output.write({wanted: names}, [f"{wanted.capitalize()}: {listed}."])
        return
    run_phase(
        partial(commands.backfill, target.url, resume=resume, config=target.config),
        output,
        "backfilled",
        "Nothing is left to fill",
        **waits,
    )
