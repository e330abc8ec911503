"""The recorded steps of revisions, all phases in one query."""

from collections import defaultdict
from collections.abc import Mapping
from typing import NamedTuple

from sqlalchemy import Connection, select

from service.migrate.plan.plan import Phase
from service.migrate.state.ledger import STEPS


class Record(NamedTuple):
    """A step in the ledger; `half` is incomplete, neither done nor undone."""

    title: str
    half: bool


class Progress(dict[tuple[str, int], Record]):
    """The recorded steps of a revision, by phase and position."""

    def begun(self, phase: Phase) -> dict[int, str]:
        """The titles of the steps that are done or incomplete, by position."""
        return {position: record.title for (of, position), record in self.items() if of == phase}

    def done(self, phase: Phase) -> set[int]:
        """The positions of the steps that are done."""
        return {position for (of, position), record in self.items() if of == phase and not record.half}


def of_revision(connection: Connection, revision: str) -> Progress:
    return _read(connection, revision)[revision]


def of_all(connection: Connection) -> Mapping[str, Progress]:
    """The progress of each revision; empty for one without a record."""
    return _read(connection)


def _read(connection: Connection, revision: str | None = None) -> Mapping[str, Progress]:
    asked = select(STEPS.c.revision, STEPS.c.phase, STEPS.c.position, STEPS.c.title, STEPS.c.half)
    if revision is not None:
        asked = asked.where(STEPS.c.revision == revision)
    found: Mapping[str, Progress] = defaultdict(Progress)
    for row in connection.execute(asked):
        found[row.revision][row.phase, row.position] = Record(row.title, row.half)
    return found
