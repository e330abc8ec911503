"""The names that a project sets in its env.py, and in a program that asks for the state without env.py."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Naming:
    """The names that appear in databases and in messages.

    `command` is what messages tell a person to run, followed by `upgrade`, `backfill` and so on. `version` is written
    beside each step in the audit table. `database_setting` and `migrate_setting` are where a person corrects the URL,
    the second where the first leads through a pooler. `adopting` is a page on databases that were there before.
    """

    command: str = "python -m service.migrate"
    version: str = ""
    database_setting: str = "the database URL"
    migrate_setting: str = "the database URL"
    adopting: str = ""


_DEFAULT = Naming()
_in_use = [_DEFAULT]


def use(naming: Naming) -> None:
    """Set the names of this process."""
    _in_use[:] = [naming]


def current() -> Naming:
    return _in_use[0]


def command(rest: str) -> str:
    """The project's command, as a message quotes it: `shop db backfill`."""
    return f"`{current().command} {rest}`"
