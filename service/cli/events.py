"""`roster events`: the retention of the audit trail."""

from datetime import timedelta

import click

from service.cli.ages import older_than
from service.cli.database import run_on
from service.db.counting import counted
from service.terminal.options import database, output
from service.terminal.output import Output


@click.group()
@database
def events(_url: str | None) -> None:
    """The audit trail: remove what is old.

    \b
      roster events prune --older-than 400d
    """


@events.command("prune")
@older_than
@output
@database
def prune_command(url: str | None, /, age: timedelta, *, output: Output) -> None:
    """Remove events that are older than AGE, in batches.

    The newest event stays: programs that follow the feed stand on it. A program that is further behind than AGE is told
    to begin again.
    """
    from service.db.audit import Audit
    from service.db.clock import now
    from service.events.actions import prune

    before = now() - age
    rows = run_on(url, lambda database: prune(database, before, Audit(via="cli")))
    document = {"before": before, "rows": rows}
    output.write(document, [f"events before {before:%Y-%m-%d}: {counted(rows, 'row')} deleted."])
