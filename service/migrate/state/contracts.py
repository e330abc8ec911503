"""The runs of `contract`: which revisions one run contracted, so that `contract --undo` undoes the last run."""

from sqlalchemy import Connection, delete, insert, select

from service.db.clock import now
from service.migrate.state.ledger import CONTRACTS


def begin(connection: Connection, revision: str, run: str) -> None:
    """Record the run that contracts a revision, so that the undo finds what the last run contracted."""
    end(connection, revision)
    connection.execute(insert(CONTRACTS), {"revision": revision, "run": run, "began_at": now()})


def end(connection: Connection, revision: str) -> None:
    connection.execute(delete(CONTRACTS).where(CONTRACTS.c.revision == revision))


def runs(connection: Connection) -> dict[str, str]:
    """The run that contracted each revision, the last run last."""
    asked = select(CONTRACTS.c.revision, CONTRACTS.c.run).order_by(CONTRACTS.c.began_at)
    return {row.revision: row.run for row in connection.execute(asked)}
