"""The command line."""

import gc
import sys
from typing import Any

import click

from service import __version__
from service.cli.db import db
from service.cli.events import events
from service.cli.logins import logins
from service.cli.openapi import openapi_command
from service.cli.password import password
from service.cli.roles import roles
from service.cli.serve import serve
from service.cli.token import token
from service.cli.transfer import export_command, import_command
from service.cli.users import users
from service.cli.version import version
from service.errors import Invalid, Misconfigured, RosterError
from service.migrate.cli.group import exit_status
from service.naming import use_roster
from service.terminal.escapes import escaped


class _Commands(click.Group):
    """Prints a RosterError or Refused as one line; the exit status is 1 for a finding, 2 for misuse."""

    def invoke(self, context: click.Context) -> Any:
        try:
            return super().invoke(context)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as failure:
            if (status := _exit_status(failure)) is None:
                raise
            # The message may quote a file or a database: control characters are escaped.
            click.echo("Error: " + escaped(_sentences(failure), keep="\n"), err=True)
            context.exit(status)


def _sentences(failure: Exception) -> str:
    """What failed, for a person: the errors themselves where the message only refers to them."""
    if isinstance(failure, Invalid) and failure.faults:
        return " ".join(each.detail for each in failure.faults)
    return str(failure)


def _exit_status(failure: Exception) -> int | None:
    """1 for a finding, 2 for misuse, None for a bug."""
    if isinstance(failure, RosterError):
        return 2 if isinstance(failure, Misconfigured) else 1
    from service.migrate.errors import Refused

    return exit_status(failure) if isinstance(failure, Refused) else None


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="roster %(version)s")
def main() -> None:
    """Roster, a directory of people, recordings and departments.

    The database is the one that ROSTER_DATABASE_URL names, else DATABASE_URL, else the SQLite file roster.db in the
    current directory; --database goes before all of them. Begin with:

    \b
      roster db upgrade              make or update the schema
      roster import users FILE.csv   fill it
      roster serve                   answer on http://127.0.0.1:8000
    """
    # Most of a short command is imports, whose objects are no garbage.
    gc.set_threshold(50_000, 20, 50)
    # Mako and structlog import Pygments, if it is there, to colour what no command shows.
    for unused in ("mako.ext.pygmentplugin", "rich.traceback"):
        sys.modules.setdefault(unused, None)  # type: ignore[arg-type]
    use_roster()


for command in (
    *(db, events, export_command, import_command, logins, openapi_command, password),
    *(roles, serve, token, users, version),
):
    main.add_command(command)
