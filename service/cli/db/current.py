"""`roster db current`."""

import click

from service.cli.db.status import read_status
from service.cli.options import database, output
from service.cli.output import Output


@click.command()
@output
@database
def current(url: str | None, *, output: Output) -> None:
    """Print the database's revision."""
    found = read_status(url)
    document = {"current": found.current, "head": found.head, "up_to_date": found.up_to_date}
    output.write(document, [" ".join(found.current) or "none"])
