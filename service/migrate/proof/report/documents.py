"""The documents that a report is made of, as `verify`, `lint`, `plan` and `rehearse` print them with --json."""

from pathlib import Path
from typing import TypeVar

import msgspec

from service.migrate.errors import Unusable

D = TypeVar("D")


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """A finding of `verify`, `lint` or `rehearse`; each tool has its own part of the fields."""

    revision: str
    what: str
    database: str = ""
    phase: str = ""
    rule: str = ""
    file: str = ""
    line: int = 0
    effect: str = ""
    advice: str = ""


class Verified(msgspec.Struct, frozen=True, kw_only=True):
    revision: str
    database: str
    rows: int
    seconds: float


class Verify(msgspec.Struct, frozen=True, kw_only=True):
    verified: list[Verified]
    findings: list[Finding]


class Lint(msgspec.Struct, frozen=True, kw_only=True):
    revisions: list[str]
    findings: list[Finding]
    suppressed: int = 0


class Planned(msgspec.Struct, frozen=True, kw_only=True):
    revision: str
    phase: str
    title: str
    mode: str
    tables: list[str]
    blocks: str
    rows: int | None
    is_exact: bool
    seconds: float | None
    stall_seconds: float


class Table(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    rows: int
    bytes: int | None
    is_exact: bool


class Obstacle(msgspec.Struct, frozen=True, kw_only=True):
    revision: str
    phase: str
    what: str
    is_certain: bool


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    database: str
    planned: list[Planned]
    tables: list[Table]
    obstacles: list[Obstacle]
    blockers: list[str]


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    requests: int
    p99_ms: float
    longest_ms: float
    write_longest_ms: float


class Locks(msgspec.Struct, frozen=True, kw_only=True):
    waited_ms: float
    held_ms: float


class Phase(msgspec.Struct, frozen=True, kw_only=True):
    """One phase of a rehearsal on one database of one size."""

    database: str
    rows: int
    phase: str
    revision: str
    seen: Seen
    locks: Locks
    failed: int
    lost: int
    seconds: float
    style: str = "safe"
    p99_ratio: float | None = None

    @property
    def name(self) -> str:
        return f"{self.phase} {self.revision}".strip()


class Rehearsal(msgspec.Struct, frozen=True, kw_only=True):
    revisions: list[str]
    previous: str
    note: str = ""
    phases: list[Phase]
    findings: list[Finding]


def read(file: Path, command: str, kind: type[D]) -> D:
    """The document in a file.

    Raises:
        Unusable: the file cannot be read, or does not hold what the command prints.
    """
    try:
        return msgspec.json.decode(file.read_bytes(), type=kind)
    except OSError as failure:
        raise Unusable(f"{file} cannot be read: {failure.strerror}.") from failure
    except msgspec.MsgspecError as failure:
        raise Unusable(f"{file} is not what `{command} --json` prints: {failure}.") from failure
