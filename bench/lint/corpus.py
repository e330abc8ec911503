"""The statements of the benchmark, and what was measured of them."""

import tomllib
from pathlib import Path

import msgspec

from service.migrate.proof.trace.modes import Blocks, most, strongest
from service.migrate.proof.trace.observed import Observed

FOLDER = Path(__file__).parent
MEASURED = FOLDER / "measured.json"
# The time after which requests notice a lock, with ROWS rows in each table.
NOTICED_MS = 12.0
ROWS = 400_000
# Modes of requests: which of them a statement takes on an index depends on the plan.
_OF_REQUESTS = ("ACCESS SHARE", "ROW SHARE")


class Statement(msgspec.Struct, frozen=True, kw_only=True):
    """SQL in one transaction, or, if `alone`, outside of one; `since` is the first version that knows it."""

    sql: tuple[str, ...]
    source: str
    setup: tuple[str, ...] = ()
    alone: bool = False
    since: int = 0

    @property
    def keeps_changes(self) -> bool:
        """Whether the tables are others afterwards."""
        return self.alone or bool(self.setup)


class Corpus(msgspec.Struct, frozen=True, kw_only=True):
    """The tables that every statement finds, and the statements by name."""

    schema: str
    statements: dict[str, Statement]

    def of(self, version: int) -> dict[str, Statement]:
        """The statements that a version of PostgreSQL knows."""
        return {name: each for name, each in self.statements.items() if each.since <= version}

    def tables(self, rows: int) -> str:
        """The SQL of the tables in an empty schema, with this number of rows."""
        return self.schema.format(rows=rows)


class Locks(msgspec.Struct, frozen=True, kw_only=True):
    """The strongest lock on each relation, what waits for them, and for how long, with ROWS rows in each table."""

    modes: dict[str, str]
    blocks: Blocks
    milliseconds: float = 0.0

    @property
    def is_noticed(self) -> bool:
        return self.blocks.keeps_requests_waiting and self.milliseconds > NOTICED_MS


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured on one version of PostgreSQL."""

    server: str
    date: str
    rows: int
    statements: dict[str, Locks]


def corpus() -> Corpus:
    """The corpus of bench/lint/corpus.toml."""
    return msgspec.convert(tomllib.loads((FOLDER / "corpus.toml").read_text()), Corpus)


def measured() -> dict[int, Version]:
    """What bench/lint/measured.json has, by major version."""
    return msgspec.json.decode(MEASURED.read_bytes(), type=dict[int, Version])


def locks_of(observed: list[Observed], milliseconds: float = 0.0) -> Locks:
    """The locks of all statements of a transaction."""
    modes: dict[str, str] = {}
    for lock in sorted(lock for each in observed for lock in each.locks):
        if lock.mode not in _OF_REQUESTS and (lock.kind not in "iI" or lock.mode != "ROW EXCLUSIVE"):
            modes[lock.relation] = strongest([lock.mode, *([modes[lock.relation]] if lock.relation in modes else [])])
    return Locks(modes=modes, blocks=most(each.blocks for each in observed), milliseconds=milliseconds)
