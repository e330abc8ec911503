"""The database of a rehearsal: empty, upgraded to what the previous version has, and filled."""

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection, inspect, make_url, text

from service.db.engine import Purpose
from service.migrate.dialects import ddl
from service.migrate.entrypoints import commands, project
from service.migrate.errors import Unusable
from service.migrate.plan.config import Source
from service.migrate.proof import scratch
from service.migrate.proof.catalog import catalog
from service.migrate.proof.diagram.reading import is_own
from service.migrate.proof.server import Server, ephemeral_server
from service.migrate.proof.verify.rows import Rows
from service.migrate.state import ledger

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Database:
    """A database by its URL; `server` is the ephemeral one, which can be restarted."""

    backend: str
    url: str
    config: Source | None
    server: Server | None = None
    # The URL of an account that creates databases on the server.
    administrator: str = ""

    @property
    def file(self) -> str:
        """The path of a SQLite file."""
        return make_url(self.url).database or ""

    def prepare(self, base: list[str], rows: Rows) -> int:
        """Run every phase up to the base revisions, and fill the tables; return the number of rows."""
        self.upgrade(base)
        empty = self.run(rows.fill, writes=True)
        if empty:
            table, error = next(iter(empty.items()))
            raise Unusable(
                f"No row could be generated for {table} ({error}): give a value under [columns], or 0 under [rows] of "
                "the traffic file."
            )
        return self.run(_settle, writes=True)

    def upgrade(self, base: list[str]) -> None:
        """Run every phase up to the base revisions."""
        for revision in base:
            commands.upgrade(self.url, revision, config=self.config, report=_unsaid)
        for command in (commands.backfill, commands.contract, commands.purge):
            command(self.url, config=self.config, report=_unsaid)

    @contextmanager
    def empty_one(self) -> Iterator["Database"]:
        """Another empty database of the same kind, gone afterwards."""
        is_sqlite = self.backend == "sqlite"
        with scratch.sqlite_file() if is_sqlite else scratch.postgresql_database(self.administrator) as url:
            yield replace(self, url=url)

    @contextmanager
    def copy(self) -> Iterator["Database"]:
        """A copy with every row, gone afterwards."""
        if self.backend == "sqlite":
            with scratch.sqlite_file() as url:
                other = replace(self, url=url)
                with closing(sqlite3.connect(self.file)) as source, closing(sqlite3.connect(other.file)) as target:
                    source.backup(target)
                    target.execute("PRAGMA journal_mode = WAL")
                yield other
            return
        with scratch.postgresql_database(self.administrator, template=make_url(self.url).database) as url:
            yield replace(self, url=url)

    def catalog(self) -> frozenset[str]:
        """Every object of the schema, as one line each.

        Left out is what the data decides about: partitions, and objects in the trash, which keep values.
        """
        found = self.run(catalog.objects)
        return frozenset(each.line.strip() for each in found if ddl.TRASH not in each.line)

    def tables(self) -> list[str]:
        """The project's own tables."""
        return [each for each in self.run(lambda connection: inspect(connection).get_table_names()) if not is_own(each)]

    def wal_bytes(self) -> int:
        """The position in the write-ahead log; on SQLite the size of its file, which a checkpoint ends."""
        if self.backend == "sqlite":
            wal = Path(f"{self.file}-wal")
            return wal.stat().st_size if wal.exists() else 0
        asked = text("SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint")
        return int(self.run(lambda connection: connection.execute(asked).scalar_one()))

    def attempts(self) -> int:
        """How often steps of the migrator were tried again so far, as the audit has it."""
        asked = text("SELECT coalesce(sum(attempts - 1), 0) FROM migration_audit WHERE attempts > 1")

        def read(connection: Connection) -> int:
            # Revisions in the plain style alone have no audit.
            if not inspect(connection).has_table(ledger.AUDIT.name):
                return 0
            return int(connection.execute(asked).scalar_one())

        return self.run(read)

    def run(self, function: Callable[[Connection], T], *, writes: bool = False) -> T:
        return asyncio.run(self._run(function, writes=writes))

    async def _run(self, function: Callable[[Connection], T], *, writes: bool) -> T:
        engine = project.read(self.config).engine(Purpose.MIGRATE, self.url)
        try:
            async with engine.begin() if writes else engine.connect() as connection:
                return await connection.run_sync(function)
        finally:
            await engine.dispose()


@contextmanager
def made(backend: str, server: str | None, config: Source | None) -> Iterator[Database]:
    """An empty database: a SQLite file, or one of the PostgreSQL server (an ephemeral one without a URL)."""
    with ExitStack() as stack:
        if backend == "sqlite":
            yield Database(backend=backend, url=stack.enter_context(scratch.sqlite_file()), config=config)
            return
        own = stack.enter_context(ephemeral_server()) if server is None else None
        administrator = own.url if own else stack.enter_context(scratch.postgresql_server(server))
        url = stack.enter_context(scratch.postgresql_database(administrator))
        yield Database(backend=backend, url=url, config=config, server=own, administrator=administrator)


def _settle(connection: Connection) -> int:
    """Let generated keys go on after the rows, and the planner know them; return the number of rows."""
    inspector = inspect(connection)
    total = 0
    for table in inspector.get_table_names():
        if is_own(table):
            continue
        name = ddl.quoted(table)
        total += connection.exec_driver_sql(f"SELECT count(*) FROM {name}").scalar_one()
        if connection.dialect.name == "postgresql":
            for column in inspector.get_columns(table):
                if column.get("identity") or column.get("autoincrement") is True:
                    _set_sequence(connection, name, column["name"])
    connection.exec_driver_sql("ANALYZE")
    return total


def _set_sequence(connection: Connection, table: str, column: str) -> None:
    connection.execute(
        text(
            f"SELECT setval(s, (SELECT greatest(max({ddl.quoted(column)}), 1) FROM {table})) "
            "FROM pg_get_serial_sequence(:table, :column) AS s WHERE s IS NOT NULL"
        ),
        {"table": table, "column": column},
    )


def _unsaid(_sentence: str) -> None:
    """A rehearsal reports what the callers felt, not the steps."""
