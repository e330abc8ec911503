"""Sessions that block a migrator on PostgreSQL, long transactions, lagging replicas, poolers and standbys."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, text

from service.migrate.dialects import ddl
from service.migrate.errors import Refused, through_a_pooler
from service.migrate.operations.step import Lock, Step

_MOST = 3
_LONGEST_QUERY = 80
# No request has a transaction this old.
LONG_SECONDS = 2.0

_WHO = """
    a.pid, a.application_name, a.state, a.query,
    extract(epoch FROM clock_timestamp() - coalesce(a.xact_start, a.query_start)) AS age
"""
# A copy of a database (CREATE DATABASE … TEMPLATE) has the same oids: compare the database too.
_HOLDS = """
    EXISTS (
      SELECT FROM pg_locks AS l WHERE l.pid = a.pid AND l.granted AND l.mode <> ALL (CAST(:harmless AS text[]))
      AND l.relation IN (SELECT to_regclass(name) FROM unnest(CAST(:tables AS text[])) AS name)
      AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()))
"""
_HOLDERS = text(f"""
    SELECT {_WHO} FROM pg_stat_activity AS a WHERE pid <> pg_backend_pid() AND {_HOLDS} ORDER BY age DESC NULLS LAST
""")
_SESSIONS = text(f"SELECT {_WHO} FROM pg_stat_activity AS a WHERE pid = ANY (:pids) ORDER BY age DESC NULLS LAST")
_LONG = text(f"""
    SELECT {_WHO} FROM pg_stat_activity AS a
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
      AND xact_start < clock_timestamp() - make_interval(secs => :seconds) AND (:anywhere OR {_HOLDS})
    ORDER BY age DESC
""")
# Of pg_stat_activity only the columns of its function: the view's joins cost as much again.
_OLDER = text("""SELECT EXISTS (
  SELECT FROM pg_stat_activity
  WHERE datid = (SELECT oid FROM pg_database WHERE datname = current_database()) AND pid <> pg_backend_pid()
    AND backend_type = 'client backend' AND xact_start < clock_timestamp() - make_interval(secs => :seconds))
""")
# replay_lag is as of the replica's last message, and stays there after the replica has replayed everything.
_REPLICAS = text("""
    SELECT coalesce(nullif(application_name, ''), host(client_addr), 'a replica') AS name,
           coalesce(extract(epoch FROM replay_lag), 0)::float AS lag
    FROM pg_stat_replication
    WHERE replay_lsn < pg_current_wal_lsn() AND (replay_lag > make_interval(secs => :seconds) OR state = 'catchup')
    ORDER BY lag DESC
""")
_FITNESS = """
    SELECT pg_backend_pid() AS pid, pg_is_in_recovery() AS is_standby,
           current_setting('default_transaction_read_only') = 'on' AS is_read_only
"""
# https://www.postgresql.org/docs/current/explicit-locking.html#LOCKING-TABLES: the modes that do not conflict.
HARMLESS = {
    Lock.ACCESS_EXCLUSIVE: [],
    Lock.SHARE_ROW_EXCLUSIVE: ["AccessShareLock", "RowShareLock"],
    Lock.SHARE_UPDATE_EXCLUSIVE: ["AccessShareLock", "RowShareLock", "RowExclusiveLock"],
    Lock.NONE: [],
}


class Blocker(NamedTuple):
    """A database session, described by application, pid, age, state and query."""

    pid: int
    described: str


class Replica(NamedTuple):
    """A replica and its lag in seconds."""

    name: str
    lag: float


def holders(connection: Connection, step: Step) -> list[Blocker]:
    """The sessions that block a step, oldest transaction first; an index build waits for every open transaction."""
    if step.alone:
        return long_transactions(connection, step, seconds=0)
    return _sessions(connection.execute(_HOLDERS, _locks(step)))


def row_holders(connection: Connection, table: str) -> list[Blocker]:
    """The sessions that may have locked rows of a table, oldest transaction first."""
    values = {"tables": [ddl.quoted(table)], "harmless": ["AccessShareLock"]}
    return _sessions(connection.execute(_HOLDERS, values))


def sessions(connection: Connection, pids: Sequence[int]) -> list[Blocker]:
    """These sessions, oldest transaction first."""
    return _sessions(connection.execute(_SESSIONS, {"pids": list(pids)})) if pids else []


def long_transactions(connection: Connection, step: Step, seconds: float = LONG_SECONDS) -> list[Blocker]:
    """The transactions older than this that a step waits for, oldest first."""
    return _sessions(connection.execute(_LONG, {"seconds": seconds, "anywhere": step.alone, **_locks(step)}))


def has_older(connection: Connection, seconds: float) -> bool:
    """Whether another session of the database has a transaction older than this."""
    return bool(connection.execute(_OLDER, {"seconds": seconds}).scalar())


def lagging_replicas(connection: Connection, seconds: float) -> list[Replica]:
    """The replicas whose replay lags by more than these seconds."""
    return [Replica(row.name, row.lag) for row in connection.execute(_REPLICAS, {"seconds": seconds})]


def listed(found: Sequence[Blocker]) -> str:
    """The first three as text, and the number of the others."""
    shown = "; ".join(each.described for each in found[:_MOST])
    return f"{shown}; and {len(found) - _MOST} more" if len(found) > _MOST else shown


def refuse_unfit(connection: Connection) -> None:
    """Raises Refused behind a pooler, on a standby, and for a database that is set read-only.

    A pooler shares sessions and their advisory locks between clients.
    """
    driver: Any = connection.connection.driver_connection
    connected_to = getattr(driver, "get_server_pid", lambda: None)()
    found = connection.exec_driver_sql(_FITNESS).one()
    if connected_to not in (None, found.pid):
        raise through_a_pooler()
    if found.is_standby:
        raise Refused("This PostgreSQL server is a standby, which is read-only. Migrate on the primary.")
    if found.is_read_only:
        raise Refused(
            "This database is read-only (default_transaction_read_only = on). Set it to off for the role that migrates."
        )


def _locks(step: Step) -> dict[str, list[str]]:
    return {"tables": [ddl.quoted(each) for each in step.tables], "harmless": HARMLESS[step.lock]}


def _sessions(rows: Iterable[Any]) -> list[Blocker]:
    return [Blocker(row.pid, _described(row)) for row in rows]


def _described(row: Any) -> str:
    query = " ".join((row.query or "").split())
    query = f"{query[:_LONGEST_QUERY]}…" if len(query) > _LONGEST_QUERY else query
    age = f", open for {row.age:.1f} s" if row.age is not None else ""
    state = row.state or "state unknown"
    return f"{row.application_name or 'a session'} (pid {row.pid}{age}, {state}): {query or 'no query yet'}"
