"""The database that the rivals share: PostgreSQL or a SQLite file, filled and emptied without the service."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from time import perf_counter
from typing import Any, Protocol, TypeVar

import asyncpg

from bench import data
from service.db.urls import parse_url
from service.migrate.entrypoints.aio import upgrade
from service.models import Department, DepartmentEmployee, Employee, Token, User, UserRole
from tests.postgres import SETTINGS, create_database, drop_database, ephemeral_server

T = TypeVar("T")

# PostgreSQL's defaults: every figure includes the cost of a durable COMMIT, and none of checkpoints each 64 MB.
_DURABLE = {
    "fsync": "on",
    "full_page_writes": "on",
    "shared_buffers": "128MB",
    "max_wal_size": "1GB",
    "min_wal_size": "80MB",
}


class Database(Protocol):
    """A database with the service's schema."""

    backend: str
    url: str

    def version(self) -> str: ...

    def copy(self, table: str, rows: Iterable[data.Row]) -> float:
        """Store the rows with COPY or executemany, and return the seconds that the database took."""

    def empty(self, table: str) -> None: ...

    def count(self, table: str) -> int: ...

    def settle(self) -> None:
        """VACUUM, ANALYZE and checkpoint, so that they do not run during a measurement."""


def fill(database: Database, *, users: int, employees: int) -> None:
    database.copy(User.__tablename__, data.users(users))
    database.copy(UserRole.__tablename__, data.user_roles())
    database.copy(Token.__tablename__, data.tokens())
    database.copy(Department.__tablename__, data.departments())
    database.copy(Employee.__tablename__, data.employees(employees))
    database.copy(DepartmentEmployee.__tablename__, data.links(employees))
    database.settle()


class Postgresql:
    """A database of a PostgreSQL server."""

    backend = "postgresql"

    def __init__(self, url: str) -> None:
        self.url = url

    def version(self) -> str:
        return f"PostgreSQL {self.run(lambda connection: connection.fetchval('SHOW server_version'))}"

    def copy(self, table: str, rows: Iterable[data.Row]) -> float:
        names, tuples = _ready(rows, lambda value: value)

        async def copy(connection: Any) -> float:
            started = perf_counter()
            await connection.copy_records_to_table(table, columns=names, records=tuples)
            seconds = perf_counter() - started
            sequence = (
                await connection.fetchval("SELECT pg_get_serial_sequence($1, 'id')", table) if "id" in names else None
            )
            if sequence:
                await connection.execute(f"SELECT setval('{sequence}', (SELECT max(id) FROM {table}))")
            return seconds

        return self.run(copy)

    def empty(self, table: str) -> None:
        self.run(lambda connection: connection.execute(f"TRUNCATE {table} CASCADE"))

    def count(self, table: str) -> int:
        count: int = self.run(lambda connection: connection.fetchval(f"SELECT count(*) FROM {table}"))
        return count

    def settle(self) -> None:
        self.run(lambda connection: connection.execute("VACUUM ANALYZE"))
        self.run(lambda connection: connection.execute("CHECKPOINT"))

    def run(self, work: Callable[[Any], Awaitable[T]]) -> T:
        """Run `work` on a new connection."""

        async def run() -> T:
            connection = await asyncpg.connect(self.url)
            try:
                return await work(connection)
            finally:
                await connection.close()

        return asyncio.run(run())


class Sqlite:
    """A SQLite file."""

    backend = "sqlite"

    def __init__(self, url: str) -> None:
        self.url = url
        self._file = parse_url(url).database or ""

    def version(self) -> str:
        return f"SQLite {sqlite3.sqlite_version}"

    def copy(self, table: str, rows: Iterable[data.Row]) -> float:
        names, tuples = _ready(rows, _as_text)
        sql = f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"

        def copy(connection: sqlite3.Connection) -> float:
            started = perf_counter()
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(sql, tuples)
            connection.execute("COMMIT")
            return perf_counter() - started

        return self._run(copy)

    def empty(self, table: str) -> None:
        self._run(lambda connection: connection.execute(f"DELETE FROM {table}"))

    def count(self, table: str) -> int:
        count: int = self._run(lambda connection: connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])
        return count

    def settle(self) -> None:
        self._run(lambda connection: connection.executescript("ANALYZE; PRAGMA wal_checkpoint(TRUNCATE)"))

    def _run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        connection = sqlite3.connect(self._file, isolation_level=None, timeout=30)
        try:
            return work(connection)
        finally:
            connection.close()


def _ready(rows: Iterable[data.Row], write: Callable[[Any], Any]) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Return the names of the columns, and the values in the form that the driver accepts."""
    rows = list(rows)
    return list(rows[0]), [tuple(map(write, row.values())) for row in rows]


def _as_text(value: Any) -> Any:
    """Return a time as the service writes it to SQLite."""
    return value.replace(tzinfo=None).isoformat(" ", "microseconds") if isinstance(value, datetime) else value


@contextmanager
def database(kind: str, folder: Path, *, durable: bool) -> Iterator[Database]:
    """A database at head: `sqlite`, `postgresql` (a temporary server) or the URL of a server's administrator."""
    if kind == "sqlite":
        made: Database = Sqlite(f"sqlite:///{folder / 'bench.db'}")
        asyncio.run(upgrade(made.url))
        yield made
        return
    with ExitStack() as stack:
        settings = SETTINGS | _DURABLE if durable else SETTINGS
        administrator = stack.enter_context(ephemeral_server(settings)).url if kind == "postgresql" else kind
        url = asyncio.run(create_database(administrator, "bench"))
        stack.callback(lambda: asyncio.run(drop_database(administrator, url)))
        asyncio.run(upgrade(url))
        yield Postgresql(url)
