"""The table-level lock modes of PostgreSQL, and which requests each of them blocks.

https://www.postgresql.org/docs/current/explicit-locking.html
"""

import re
from collections.abc import Iterable
from enum import StrEnum


class Blocks(StrEnum):
    """What waits for a lock; members from weak to strong."""

    NOTHING = "nothing"
    SCHEMA_CHANGES = "schema changes"
    WRITES = "writes"
    READS = "reads"

    @property
    def keeps_requests_waiting(self) -> bool:
        return self in (Blocks.WRITES, Blocks.READS)

    @property
    def effect(self) -> str:
        return _EFFECTS[self]


_EFFECTS = {
    Blocks.NOTHING: "nothing waits",
    Blocks.SCHEMA_CHANGES: "other schema changes wait",
    Blocks.WRITES: "writes wait",
    Blocks.READS: "reads and writes wait",
}
# From weak to strong.
BLOCKED = {
    "ACCESS SHARE": Blocks.NOTHING,
    "ROW SHARE": Blocks.NOTHING,
    "ROW EXCLUSIVE": Blocks.NOTHING,
    "SHARE UPDATE EXCLUSIVE": Blocks.SCHEMA_CHANGES,
    "SHARE": Blocks.WRITES,
    "SHARE ROW EXCLUSIVE": Blocks.WRITES,
    "EXCLUSIVE": Blocks.WRITES,
    "ACCESS EXCLUSIVE": Blocks.READS,
}
_STRENGTH = {mode: at for at, mode in enumerate(BLOCKED)}
_BLOCKING = {blocks: at for at, blocks in enumerate(Blocks)}


def mode_of(name: str) -> str:
    """The mode as the manual and LOCK TABLE write it: SHARE ROW EXCLUSIVE for ShareRowExclusiveLock."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name.removesuffix("Lock")).upper()


def strongest(modes: Iterable[str]) -> str:
    """The strongest of the modes; empty if there is none."""
    return max(modes, key=_STRENGTH.__getitem__, default="")


def most(blocks: Iterable[Blocks]) -> Blocks:
    """What waits for any of several locks."""
    return max(blocks, key=_BLOCKING.__getitem__, default=Blocks.NOTHING)
