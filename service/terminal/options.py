"""Options that several commands share."""

from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, TypeVar

import click

from service.terminal.output import Output

P = ParamSpec("P")
T = TypeVar("T")


def _remember(context: click.Context, _option: click.Parameter, url: str | None) -> None:
    if url:
        context.obj = url


def _as_output(_context: click.Context, _option: click.Parameter, as_json: bool) -> Output:  # noqa: FBT001 - as click calls it
    return Output(as_json=as_json)


_remembered: dict[str, Any] = {"metavar": "URL", "expose_value": False, "callback": _remember}
_database = click.option(
    "--database",
    help="The URL of the database, instead of the one in the settings.",
    **_remembered,
)
# The first name of --database.
_url = click.option("--url", hidden=True, **_remembered)

output = click.option("--json", "output", is_flag=True, callback=_as_output, help="Print one JSON document.")


def database(command: Callable[Concatenate[str | None, P], T]) -> Callable[P, T]:
    """Give a command or a group --database; its first argument is then the URL, None where the option is missing.

    A command inherits the URL given to its group.
    """
    return _database(_url(click.pass_obj(command)))
