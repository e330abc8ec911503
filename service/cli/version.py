"""`roster version`."""

import json
import platform

import click

from service import __version__


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def version(*, as_json: bool) -> None:
    """Print the version of Roster."""
    if as_json:
        click.echo(json.dumps({"name": "roster", "version": __version__, "python": platform.python_version()}))
        return
    click.echo(f"roster {__version__} (Python {platform.python_version()})")
