"""The revisions that a database has, in their order, and what they would do in each phase."""

from collections.abc import Collection, Iterable, Sequence

from alembic.runtime.migration import MigrationContext
from alembic.script import Script, ScriptDirectory
from alembic.script.revision import RevisionError
from alembic.util import CommandError
from sqlalchemy import Connection

from service.migrate.errors import Refused
from service.migrate.plan import checksum
from service.migrate.plan.config import scripts
from service.migrate.plan.plan import Plan, plan
from service.migrate.run.baseline import adopt
from service.migrate.run.session import Turn
from service.migrate.state import ledger


def applied_scripts(connection: Connection) -> list[Script]:
    """The scripts of the revisions that are applied, the oldest first; raises Refused as `below` does."""
    return below(MigrationContext.configure(connection).get_current_heads(), scripts())


def below(heads: Iterable[str], directory: ScriptDirectory) -> list[Script]:
    """The scripts of the revisions that a database at these heads has, the oldest first.

    Raises:
        Refused: one of them is none of ours: the database is ahead of this code.
    """
    for head in heads:
        try:
            directory.get_revision(head)
        except (CommandError, RevisionError) as unknown:
            raise Refused(
                f"The database is at revision {head}, which this code does not know: newer code upgraded it. "
                "Run this with that code."
            ) from unknown
    return list(reversed(list(directory.iterate_revisions(tuple(heads), "base")))) if heads else []


def plans(revisions: Collection[Script], dialect: str) -> list[Plan]:
    """The plans of those that are written in safe steps."""
    return [found for script in revisions if (found := plan(script, dialect)) is not None]


def adopt_applied(turn: Turn, applied: Sequence[Script]) -> None:
    """Write down of these revisions, where the ledger does not know of them, how far they have come."""
    with turn.reading():
        known = ledger.known(turn.connection)
    for script in applied:
        found = None if script.revision in known else plan(script, turn.dialect)
        if found is not None:
            adopt(turn, found, checksum.content(script))
