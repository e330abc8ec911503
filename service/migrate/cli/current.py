"""`current`."""

import click

from service.migrate.cli.options import target_of
from service.migrate.cli.status import read_status
from service.terminal.options import database, output
from service.terminal.output import Output


@click.command()
@output
@database
def current(url: str | None, *, output: Output) -> None:
    """Print the database's revision."""
    found = read_status(target_of(url))
    document = {"current": found.current, "head": found.head, "up_to_date": found.up_to_date}
    output.write(document, [" ".join(found.current) or "none"])
