"""`roster version`."""

import platform

import click

from service import __version__
from service.terminal.options import output
from service.terminal.output import Output


@click.command()
@output
def version(*, output: Output) -> None:
    """Print the version of Roster."""
    python = platform.python_version()
    document = {"name": "roster", "version": __version__, "python": python}
    output.write(document, [f"roster {__version__} (Python {python})"])
