"""A finding of a proof tool: which rule, where in which revision, what it does, and what to write instead."""

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """Members from grave to slight; an error fails the command, and so does a warning."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a revision does that it should not.

    `rule` is the stable id of the rule. `file` and `line` are the call in the revision's file; line 0 stands for the
    whole file. `database` is sqlite, postgresql, or empty for both; `phase` is upgrade, contract, downgrade or empty.
    `what` is the fact, `effect` what users feel, `advice` what to write instead.
    """

    rule: str
    level: Level
    revision: str
    what: str
    file: str = ""
    line: int = 0
    database: str = ""
    phase: str = ""
    effect: str = ""
    advice: str = ""
