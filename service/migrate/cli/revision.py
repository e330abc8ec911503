"""`revision`."""

import click

from service.migrate.cli.options import target_of
from service.terminal.options import database, output
from service.terminal.output import Output


@click.command()
@click.option("-m", "--message", required=True, help="What changes: add colour to users.")
@click.option("--empty", is_flag=True, help="Write an empty revision; no database is needed.")
@output
@database
def revision(url: str | None, message: str, *, empty: bool, output: Output) -> None:
    """Draft a revision from what the models have changed.

    The database must be at the newest revision. Read the draft before you run it: autogenerate writes a renamed column
    as one dropped and one added.
    """
    from service.migrate.entrypoints import commands

    target = target_of(url)
    written = commands.draft(target.url, message, empty=empty, config=target.config)
    file = None if written is None else str(written)
    output.write({"file": file}, [file or "The models and the database agree: there is nothing to write."])
