"""One engine configuration, for the service, Alembic's env.py, the command line and the tests."""

from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Any

import msgspec
from sqlalchemy import URL, Connection, ExceptionContext, event
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from service.db import commits, program
from service.db.failures import Cure, cure
from service.db.pool import Pool
from service.db.sqlite import pooled
from service.db.sqlite.adapter import Dbapi
from service.db.sqlite.connection import BEGIN_IMMEDIATE, FileConnection
from service.db.sqlite.file import SqliteFile
from service.db.sqlite.member import WriterDbapi
from service.db.sqlite.reads import ShortReads
from service.db.url_parameters import connect_arguments, leads_through_pooler
from service.db.urls import parse_url, sqlite_file
from service.errors import Misconfigured

_CONNECT_SECONDS = 5.0


class Purpose(StrEnum):
    """The purpose of an engine; limits, pool and pragmas depend on the purpose."""

    SERVE = "serve"
    READ = "read"
    MIGRATE = "migrate"
    BACKFILL = "backfill"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Waits that every engine ends by itself, in seconds; `None` waits for ever."""

    statement_seconds: float | None = 10.0
    lock_wait_seconds: float | None = 2.0
    idle_in_transaction_seconds: float | None = 30.0
    busy_seconds: float = 10.0
    pool_size: int = 10
    pool_wait_seconds: float = 5.0


_PATIENT = Limits(statement_seconds=None, idle_in_transaction_seconds=None, pool_size=2, pool_wait_seconds=30.0)


def create_engine(
    url: str | URL, purpose: Purpose, *, limits: Limits | None = None, pooler: bool = False
) -> AsyncEngine:
    """Return the engine for a purpose; it connects on first use.

    On PostgreSQL `application_name` is the program's name and the purpose: `shop migrate`.

    A READ engine cannot write: PostgreSQL refuses every write of its sessions, SQLite opens the file read-only.
    On SQLite the connections of a SERVE engine are members of one: this process's writers take turns on it.

    Raises:
        Misconfigured: see `parse_url` and `connect_arguments`.
    """
    parsed = parse_url(url) if isinstance(url, str) else url
    if limits is None:
        limits = Limits() if purpose in (Purpose.SERVE, Purpose.READ) else _PATIENT
    if parsed.get_backend_name() == "sqlite":
        return _sqlite_engine(parsed, purpose, limits, pooler=pooler)
    return _postgresql_engine(parsed, purpose, limits, pooler=pooler)


def _engine(url: URL, limits: Limits, *, pool_size: int, **more: Any) -> AsyncEngine:
    engine = create_async_engine(
        url,
        poolclass=Pool,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=limits.pool_wait_seconds,
        json_serializer=lambda value: msgspec.json.encode(value).decode(),
        json_deserializer=msgspec.json.decode,
        **more,
    )
    event.listen(engine.sync_engine, "handle_error", _give_up_doubtful_connection)
    return engine


def _give_up_doubtful_connection(context: ExceptionContext) -> None:
    """Close a connection whose plans are stale, or whose server is read-only now, instead of pooling it."""
    if context.is_disconnect or cure(context.original_exception) is Cure.RECONNECT:
        context.is_disconnect = True
        # The pool knows which of its connections are closed; those that lead into a silent network it does not.
        context.invalidate_pool_on_disconnect = isinstance(context.original_exception, TimeoutError)


def _postgresql_engine(url: URL, purpose: Purpose, limits: Limits, *, pooler: bool) -> AsyncEngine:
    pooler = pooler or leads_through_pooler(url)
    url, asked = connect_arguments(url)
    server_settings = {"application_name": f"{program.current().application} {purpose}"}
    connect_args: dict[str, Any] = {"timeout": _CONNECT_SECONDS, "server_settings": server_settings} | asked
    if limits.statement_seconds is not None:
        # The server gives up first; this one is for a network that swallows packets without a word.
        connect_args["command_timeout"] = limits.statement_seconds + _CONNECT_SECONDS
    session = _session_settings(purpose, limits)
    if pooler:
        # PgBouncer refuses these settings at startup and shares prepared statements: none is kept or named.
        connect_args |= {
            "statement_cache_size": 0,
            "prepared_statement_cache_size": 0,
            "prepared_statement_name_func": str,
        }
    else:
        server_settings |= session
    engine = _engine(url, limits, pool_size=limits.pool_size, connect_args=connect_args, pool_use_lifo=True)
    if purpose is not Purpose.READ:
        commits.listen(engine)
    if pooler:
        # set_config(…, true) sets the value for one transaction: no default_ in the names.
        local = {name.removeprefix("default_"): value for name, value in session.items()}
        calls = ", ".join(f"set_config('{name}', '{value}', true)" for name, value in local.items())
        _on_begin(engine, f"SELECT {calls}")
    return engine


def _session_settings(purpose: Purpose, limits: Limits) -> dict[str, str]:
    settings = {"jit": "off"}
    waits = {
        "statement_timeout": limits.statement_seconds,
        "lock_timeout": limits.lock_wait_seconds,
        "idle_in_transaction_session_timeout": limits.idle_in_transaction_seconds,
    }
    settings |= {name: f"{seconds * 1000:.0f}" for name, seconds in waits.items() if seconds is not None}
    if purpose is Purpose.READ:
        settings["default_transaction_read_only"] = "on"
    return settings


def _sqlite_engine(url: URL, purpose: Purpose, limits: Limits, *, pooler: bool) -> AsyncEngine:
    if pooler:
        name = program.current().settings.get("pooler", "pooler")
        raise Misconfigured(f"{name} is set, but the database is SQLite, which has no pooler.")
    reads = purpose is Purpose.READ
    pragmas = {"foreign_keys": "OFF" if purpose is Purpose.MIGRATE else "ON", "query_only": "ON" if reads else "OFF"}
    file = SqliteFile.of(str(sqlite_file(url)))
    opened = pooled.opener(
        file,
        pragmas if reads else {"journal_mode": "WAL"} | pragmas,
        writes=not reads,
        creates=purpose in (Purpose.MIGRATE, Purpose.BACKFILL),
        busy_seconds=limits.busy_seconds,
    )
    if purpose is Purpose.SERVE:
        module: Any = WriterDbapi(limits.pool_wait_seconds)
        pool_size = limits.pool_size
    elif reads:
        short_reads = ShortReads(partial(FileConnection.open, file, pragmas, writes=False, busy_seconds=0))
        module, pool_size = Dbapi(short_reads), min(limits.pool_size, 4)
    else:
        module, pool_size = Dbapi(), 1
    engine = _engine(url, limits, pool_size=pool_size, module=module, async_creator=opened, pool_reset_on_return=None)
    pooled.prepare(engine.sync_engine)
    if reads:
        event.listen(engine.sync_engine, "engine_disposed", lambda _engine: short_reads.close())
    if purpose is not Purpose.SERVE:
        pooled.roll_back_returned(engine.sync_engine)
    # A writer waits for the lock here, at the start, instead of failing halfway through.
    if purpose in (Purpose.SERVE, Purpose.READ):
        _begin_with_first_statement(engine, "BEGIN DEFERRED" if reads else BEGIN_IMMEDIATE)
    else:
        _on_begin(engine, BEGIN_IMMEDIATE)
    return engine


def _begin_with_first_statement(engine: AsyncEngine, sql: str) -> None:
    @event.listens_for(engine.sync_engine, "begin")
    def begin(connection: Connection) -> None:
        adapted: Any = connection.connection.dbapi_connection
        adapted.begin_with_next(sql)


def _on_begin(engine: AsyncEngine, sql: str) -> None:
    @event.listens_for(engine.sync_engine, "begin")
    def begin(connection: Connection) -> None:
        # The execution option `begin` replaces the statement for one connection.
        connection.exec_driver_sql(connection.get_execution_options().get("begin") or sql)
