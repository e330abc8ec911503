"""The program that uses the database: its name in sessions, and its commands and settings in messages."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """`application` is the first word of `application_name`, in PostgreSQL's list of sessions.

    `command` comes before `upgrade`, `status` and so on in messages. `database_setting` is where a person corrects the
    URL. `settings` names what is set instead of a parameter of the URL: `{"pool_size": "SHOP_POOL_SIZE"}`, and likewise
    `lock_wait_seconds`, `pool_wait_seconds`, `pooler` and `statement_seconds`.
    """

    application: str = "migrator"
    command: str = "python -m service.migrate"
    database_setting: str = "the database URL"
    settings: Mapping[str, str] = field(default_factory=dict)

    def run(self, rest: str) -> str:
        """A command as a message quotes it: `shop db upgrade`."""
        return f"`{self.command} {rest}`"


_in_use = [Program()]


def use(program: Program) -> None:
    """Set the program of this process."""
    _in_use[:] = [program]


def current() -> Program:
    return _in_use[0]
