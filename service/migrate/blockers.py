"""Who is in a migrator's way on PostgreSQL, by name, and what would make it wait for long."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, text

from service.migrate import sql
from service.migrate.errors import Refused

_MOST = 3
_LONGEST_QUERY = 80
# A transaction this old is none of a request.
LONG_SECONDS = 2.0

_HOLDERS = text("""
    SELECT DISTINCT a.pid, a.application_name, a.state, a.query,
           extract(epoch FROM clock_timestamp() - coalesce(a.xact_start, a.query_start)) AS age
    FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid)
    WHERE l.relation IN (SELECT to_regclass(name) FROM unnest(CAST(:tables AS text[])) AS name)
      AND l.granted AND l.pid <> pg_backend_pid()
    ORDER BY age DESC NULLS LAST
""")
_SESSIONS = text("""
    SELECT pid, application_name, state, query, extract(epoch FROM clock_timestamp() - xact_start) AS age
    FROM pg_stat_activity WHERE pid = ANY (:pids) ORDER BY age DESC NULLS LAST
""")
_LONG = text("""
    SELECT pid, application_name, state, query, extract(epoch FROM clock_timestamp() - xact_start) AS age
    FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
      AND xact_start < clock_timestamp() - make_interval(secs => :seconds)
    ORDER BY age DESC
""")
_REPLICAS = text("""
    SELECT coalesce(application_name, host(client_addr)) AS name, extract(epoch FROM replay_lag) AS lag
    FROM pg_stat_replication WHERE replay_lag > make_interval(secs => :seconds) ORDER BY lag DESC
""")


def described(connection: Connection, tables: Sequence[str]) -> str:
    """Who holds a lock on one of the tables, the oldest first: application, pid, age, and what it does; or nothing."""
    return _listed(connection.execute(_HOLDERS, {"tables": [sql.quoted(each) for each in tables]}).all())


def sessions(connection: Connection, pids: Sequence[int]) -> str:
    """These sessions, by name; empty if there are none."""
    return _listed(connection.execute(_SESSIONS, {"pids": list(pids)}).all()) if pids else ""


def long_transactions(connection: Connection, seconds: float = LONG_SECONDS) -> str:
    """The transactions that are open for longer, the oldest first; an index build waits for each of them."""
    return _listed(connection.execute(_LONG, {"seconds": seconds}).all())


def lagging_replicas(connection: Connection, seconds: float) -> list[tuple[str, float]]:
    """The replicas that are behind by more, and by how many seconds: someone reads there, and what is sent waits."""
    return [(row.name, float(row.lag)) for row in connection.execute(_REPLICAS, {"seconds": seconds})]


def refuse_pooler(connection: Connection) -> None:
    """Raises Refused if the connection leads through a pooler: there neither locks nor sessions are one's own."""
    driver: Any = connection.connection.driver_connection
    connected_to = getattr(driver, "get_server_pid", lambda: None)()
    if connected_to is None:
        return
    if connected_to != connection.exec_driver_sql("SELECT pg_backend_pid()").scalar():
        raise Refused(
            "This URL leads through a pooler, which keeps neither locks nor sessions. Say in ROSTER_MIGRATE_URL where "
            "PostgreSQL itself is, for migrations."
        )


def refuse_read_only(connection: Connection) -> None:
    """Raises Refused if nothing can be written here: a standby, or a database set read-only."""
    if connection.exec_driver_sql("SELECT pg_is_in_recovery()").scalar():
        raise Refused("This PostgreSQL is a standby, which cannot be changed: migrate on its primary.")
    if connection.exec_driver_sql("SHOW default_transaction_read_only").scalar() == "on":
        raise Refused("This database is set read-only (default_transaction_read_only): nothing can be changed here.")


def _listed(rows: Sequence[Any]) -> str:
    shown = "; ".join(_one(row) for row in rows[:_MOST])
    return f"{shown}; and {len(rows) - _MOST} more" if len(rows) > _MOST else shown


def _one(row: Any) -> str:
    query = " ".join(row.query.split())
    query = f"{query[:_LONGEST_QUERY]}…" if len(query) > _LONGEST_QUERY else query
    age = f", open for {row.age:.1f} s" if row.age is not None else ""
    return f"{row.application_name or 'a session'} (pid {row.pid}{age}, {row.state}): {query or 'no query yet'}"
