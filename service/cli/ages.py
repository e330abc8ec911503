"""The option --older-than of commands that remove what is old."""

import re
from datetime import timedelta

import click

_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}


def _age(_context: click.Context, _option: click.Parameter, text: str) -> timedelta:
    found = re.fullmatch(r"([1-9][0-9]{0,4})([hdw])", text.strip())
    if found is None:
        raise click.BadParameter(f"{text!r} is no age; 400d (days), 12w (weeks) or 36h (hours) is expected.")
    return int(found[1]) * _UNITS[found[2]]


older_than = click.option(
    "--older-than",
    "age",
    callback=_age,
    required=True,
    metavar="AGE",
    help="Remove what is older: 400d (days), 12w (weeks) or 36h (hours).",
)
