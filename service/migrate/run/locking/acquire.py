"""The locks of a step on several tables: all of them within the time for one, the more contended table first."""

import time

from sqlalchemy import text

from service.migrate.dialects import ddl
from service.migrate.operations.step import Step
from service.migrate.run.locking.blockers import HARMLESS
from service.migrate.run.session import Session

# While a step waits for its second lock it holds the first: requests of that table wait for as long.
_HOLD_SECONDS = 0.01

# LOCK TABLE needs privileges that a referenced table of another owner may lack: the statement itself locks it then.
_TABLES = text("""
SELECT c.oid::regclass::text AS name FROM pg_class AS c WHERE c.oid IN (
  SELECT to_regclass(name) FROM unnest(CAST(:tables AS text[])) AS name) AND relkind IN ('r', 'p')
AND (pg_has_role(relowner, 'USAGE') OR has_table_privilege(c.oid, 'UPDATE') OR has_table_privilege(c.oid, 'DELETE'))
ORDER BY (
  SELECT count(*) FROM pg_locks AS l WHERE l.relation = c.oid AND l.pid <> pg_backend_pid()
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND l.mode <> ALL (CAST(:harmless AS text[]))) DESC, c.oid
""")


def acquire(session: Session, step: Step) -> None:
    """Lock the tables of a blocking step on PostgreSQL; nothing for a step on one table, whose statement does it.

    Raises:
        DBAPIError: a lock was not granted in time, or a later one not at once; the caller rolls back and tries again.
    """
    if len(set(step.tables)) < 2 or not step.lock.keeps_requests_waiting:
        return
    given = {"tables": [ddl.quoted(each) for each in step.tables], "harmless": HARMLESS[step.lock]}
    names = list(session.connection.execute(_TABLES, given).scalars())
    ends = time.monotonic() + session.lock_wait_seconds
    for number, name in enumerate(names):
        if number:
            session.limit(lock=_left(ends))
        session.connection.exec_driver_sql(f"LOCK TABLE ONLY {name} IN {step.lock} MODE")
    # What the statements lock besides: partitions, for instance.
    session.limit(lock=_left(ends))


def _left(ends: float) -> float:
    """The seconds for the next lock, of which at least a millisecond."""
    return max(min(ends - time.monotonic(), _HOLD_SECONDS), 0.001)
