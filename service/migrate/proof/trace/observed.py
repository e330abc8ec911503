"""What one statement did on the server: locks, rewrites, scans, drops, and whether its lock lasts as long as rows."""

from dataclasses import dataclass

from service.migrate.proof.trace.modes import BLOCKED, Blocks, most, strongest


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class RelationLock:
    """A lock on a table, view, sequence or index that existed before the statement."""

    relation: str
    mode: str
    # As pg_class.relkind has it.
    kind: str

    @property
    def blocks(self) -> Blocks:
        # Writers of a materialized view are other refreshes.
        if self.kind == "m" and self.mode != "ACCESS EXCLUSIVE":
            return Blocks.SCHEMA_CHANGES if BLOCKED[self.mode] is Blocks.WRITES else BLOCKED[self.mode]
        return BLOCKED[self.mode]


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """A statement and what the server did for it, on relations that existed before.

    `locks` are those that the statement took, the strongest of each relation; `held` are blocking locks that earlier
    statements of the transaction took. `rewritten` are tables and indexes with a new copy of their data, `scanned`
    tables of which the statement read at least half of the rows, `changed` those of which the transaction has updated,
    deleted or locked half. `milliseconds` are the time from the statement's start to the end of its transaction.
    """

    statement: str
    revision: str = ""
    phase: str = ""
    direction: str = ""
    file: str = ""
    line: int | None = None
    locks: tuple[RelationLock, ...] = ()
    held: tuple[RelationLock, ...] = ()
    rewritten: tuple[str, ...] = ()
    scanned: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    milliseconds: float = 0.0

    @property
    def blocks(self) -> Blocks:
        """Which requests wait until the transaction ends."""
        # Rows that are updated or deleted are locked against other writers.
        rows = [Blocks.WRITES] if self.changed else []
        return most([*(lock.blocks for lock in (*self.locks, *self.held)), *rows])

    @property
    def mode(self) -> str:
        """The strongest mode of the statement's own locks."""
        return strongest(lock.mode for lock in self.locks)

    @property
    def lasts(self) -> bool:
        """Whether requests wait for a time that grows with the rows: work on rows, under a blocking lock."""
        return self.blocks.keeps_requests_waiting and bool(self.rewritten or self.scanned or self.changed)
