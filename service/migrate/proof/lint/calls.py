"""The statements of a revision, each with the line of the call that makes it."""

import re
from dataclasses import dataclass, replace
from enum import StrEnum

from service.migrate.errors import Refused
from service.migrate.operations.base import Operation
from service.migrate.operations.step import Lock
from service.migrate.plan.faults import AGAIN
from service.migrate.proof.lint.sql.change import Change

_PLACED = re.compile(r"[^\n]*?:(\d+): (.*)", re.DOTALL)


class Style(StrEnum):
    """How a statement is run."""

    PLAIN = "Alembic's op, in the transaction of the revision"
    RAW = "ops.execute, in a short transaction of its own"
    SAFE = "a safe operation, in safe steps"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A statement that a function of the revision makes.

    `lines` are the lines in the file, the innermost first. `alone` says that the statement runs outside of a
    transaction; calls with one number of `transaction` share one. `declared` is the lock that `ops.execute` states.
    """

    phase: str
    style: Style
    text: str
    lines: tuple[int, ...]
    database: str = "postgresql"
    is_directive: bool = False
    alone: bool = False
    transaction: int = 0
    operation: Operation | None = None
    declared: Lock | None = None
    changes: tuple[Change, ...] = ()

    @property
    def line(self) -> int:
        return self.lines[0] if self.lines else 0

    def with_changes(self, changes: tuple[Change, ...]) -> "Call":
        return replace(self, changes=changes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """Why a function of the revision could not be read to its end: its file's line, and the reason."""

    phase: str
    line: int
    reason: str
    # The function asked for rows, which there are none of; what follows depends on them.
    needs_rows: bool = False

    @property
    def what(self) -> str:
        """What happens: an exception of Python, or a refusal, which is a sentence."""
        is_exception = re.match(r"[A-Z]\w*: ", self.reason)
        return f"{self.phase}() {'raises' if is_exception else 'is refused:'} {self.reason}"

    @classmethod
    def of(cls, refused: Refused, phase: str, *, needs_rows: bool = False) -> "Stop":
        """The stop for a refusal `file:line: reason`."""
        found = _PLACED.match(str(refused))
        line, reason = (int(found[1]), found[2]) if found else (0, str(refused))
        said = " ".join(reason.split()).removesuffix(f" {AGAIN}.").rstrip(".")
        return cls(phase=phase, line=line, reason=said, needs_rows=needs_rows)
