"""Sizes of tables: bytes, and rows, counted within a time limit or estimated."""

import re
import time
from dataclasses import dataclass

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from service.migrate.dialects import ddl, reflected
from service.migrate.operations.step import Backfill

_BYTES = {
    "postgresql": "SELECT sum(pg_total_relation_size(relid)) FROM (SELECT {0} AS relid UNION "
    "SELECT relid FROM pg_partition_tree({0})) AS parts",
    "sqlite": "SELECT coalesce(sum(pgsize), 0) FROM dbstat WHERE name = {0} OR name IN ("
    "SELECT name FROM sqlite_schema WHERE type = 'index' AND tbl_name = {0})",
}
_ESTIMATE = (
    "SELECT sum(greatest(reltuples, 0))::bigint FROM pg_class "
    "WHERE oid = {0} AND relkind <> 'p' OR oid IN (SELECT relid FROM pg_partition_tree({0}) WHERE isleaf)"
)
_PARTITIONS = "SELECT relid::regclass::text FROM pg_partition_tree({}) WHERE isleaf AND level > 0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table; `is_exact` says whether the rows were counted, in `seconds`, or are the planner's estimate."""

    name: str
    rows: int
    bytes: int | None
    is_exact: bool
    seconds: float


@dataclass(kw_only=True)
class Sizes:
    """The sizes of tables on one connection, each read once; a count is given up after `seconds`."""

    connection: Connection
    seconds: float

    def __post_init__(self) -> None:
        self._known: dict[str, Table | None] = {}

    def of(self, table: str) -> Table | None:
        """The size; `None` if there is no such table."""
        if table not in self._known:
            self._known[table] = self._read(table)
        return self._known[table]

    def add_partitions(self) -> None:
        """Read the partitions of the tables that were read, too."""
        if self.connection.dialect.name == "postgresql":
            for name in [each.name for each in self._known.values() if each is not None]:
                for part in self.connection.exec_driver_sql(_PARTITIONS.format(ddl.regclass(name))).scalars().all():
                    self.of(part)

    def known(self) -> list[Table]:
        return sorted((each for each in self._known.values() if each is not None), key=lambda each: each.name)

    def to_fill(self, fill: Backfill) -> tuple[int | None, bool]:
        """The rows of a backfill, and whether they were counted; `None` where its table does not exist yet."""
        table = self.of(fill.table)
        if table is None:
            return None, False
        there = reflected.columns(self.connection, fill.table)
        names = [*(fill.assign or ()), *fill.write]
        missing = [name for name in names if reflected.folded(self.connection.dialect.name, name) not in there]
        left = fill.left
        for name in missing:
            # A column that the upgrade adds is NULL in every row until then.
            left = re.sub(rf'(?<![\w".])(?:\w+\.)?(?:"{re.escape(name)}"|{re.escape(name)}\b)', "NULL", left)
        counted = self._timed(f"SELECT count(*) FROM {ddl.quoted(fill.table)} WHERE {left}")
        return (table.rows, False) if counted is None else (counted, True)

    def _read(self, table: str) -> Table | None:
        if reflected.table_name(self.connection, table) is None:
            return None
        began = time.monotonic()
        rows = self._timed(f"SELECT count(*) FROM {ddl.quoted(table)}")
        seconds = time.monotonic() - began
        estimate = rows if rows is not None else self._one(_ESTIMATE.format(ddl.regclass(table)))
        is_postgresql = self.connection.dialect.name == "postgresql"
        asked = _BYTES[self.connection.dialect.name].format(
            ddl.regclass(table) if is_postgresql else ddl.literal(table)
        )
        return Table(name=table, rows=estimate or 0, bytes=self._one(asked), is_exact=rows is not None, seconds=seconds)

    def _one(self, statement: str) -> int | None:
        # SQLite may be built without dbstat.
        try:
            with self.connection.begin_nested():
                return int(self.connection.exec_driver_sql(statement).scalar_one())
        except DBAPIError:
            return None

    def _timed(self, statement: str) -> int | None:
        """A count; `None` where it takes too long or cannot be asked."""
        if self.connection.dialect.name == "postgresql":
            self.connection.exec_driver_sql(f"SET LOCAL statement_timeout = {max(round(1000 * self.seconds), 1)}")
        try:
            return self._one(statement)
        finally:
            if self.connection.dialect.name == "postgresql":
                self.connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
