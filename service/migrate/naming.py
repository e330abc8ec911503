"""The names that a project sets in its env.py, and in a program that asks for the state without env.py."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Naming:
    """The names that appear in databases and in messages.

    `prefix` begins the names of triggers and functions, and makes the key of the advisory lock: it stays as it is once
    a database was upgraded. `application` is the first word of `application_name`. `numbered` gives new revisions ids
    such as 0017_add_colour_to_users instead of Alembic's random ones.

    `command` is what messages tell a person to run, followed by `upgrade`, `backfill` and so on. `version` is written
    beside each step in the audit table. `database_setting` and `migrate_setting` are where a person corrects the URL,
    the second where the first leads through a pooler. `adopting` is a page on databases that were there before.
    """

    prefix: str = "migrator_"
    application: str = "migrator"
    command: str = "python -m service.migrate"
    version: str = ""
    numbered: bool = False
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


def owned(name: str) -> str:
    """The name of an object that belongs to the migrator."""
    return f"{current().prefix}{name}"


def lock_key() -> int:
    """The key of the advisory lock: the first seven letters of the prefix as a number."""
    return int.from_bytes(current().prefix.rstrip("_").capitalize().encode()[:7], "big")


def command(rest: str) -> str:
    """The project's command, as a message quotes it: `shop db backfill`."""
    return f"`{current().command} {rest}`"
