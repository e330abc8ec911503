"""Many rows for a table: made in the database, or sent to it where a value that must be unique has no expression."""

from collections.abc import Mapping
from itertools import count
from random import Random
from typing import Any

import pytest
from sqlalchemy import Connection

from service.migrate.proof import scratch
from service.migrate.proof.verify import bulk
from service.migrate.proof.verify.checks import is_unique
from service.migrate.proof.verify.literals import Literals
from service.migrate.proof.verify.rows import reflected
from tests.migrate.memory import in_memory

SHELVES = ("CREATE TABLE shelves (id INTEGER PRIMARY KEY, label TEXT)", "INSERT INTO shelves VALUES (1, 'a'), (5, 'b')")
SENT = """CREATE TABLE sent (k BLOB PRIMARY KEY, shelf_id INT REFERENCES shelves, none_id INT REFERENCES empty,
kind TEXT, mood TEXT, made TEXT DEFAULT 'then', n INT, twice INT GENERATED ALWAYS AS (n * 2) VIRTUAL)"""
ON_SQLITE = (
    *SHELVES,
    "CREATE TABLE empty (id INTEGER PRIMARY KEY)",
    # A BLOB that must be unique has no expression.
    SENT,
    "CREATE TABLE few_sent (k BLOB PRIMARY KEY, n INTEGER UNIQUE CHECK (n <= 10))",
    "CREATE TABLE made (n INTEGER PRIMARY KEY, shelf_id INT REFERENCES shelves, kind TEXT)",
    "CREATE TABLE few_made (n INTEGER PRIMARY KEY CHECK (n <= 20), kind TEXT)",
    "CREATE TABLE digits (digit VARCHAR(1) PRIMARY KEY)",
)
COMPUTED = """CREATE TABLE computed (a inet PRIMARY KEY, id int GENERATED ALWAYS AS IDENTITY, b cidr NOT NULL,
c macaddr NOT NULL, d macaddr8 NOT NULL, e timetz NOT NULL, f daterange NOT NULL, g tstzmultirange NOT NULL,
h pg_lsn NOT NULL)"""
ON_POSTGRESQL = (
    *SHELVES,
    "CREATE TABLE copied (k bytea UNIQUE, data json, at timestamptz, shelf_id int REFERENCES shelves)",
    # PostgreSQL computes these values from their literals, which COPY cannot have.
    COMPUTED,
    "CREATE TABLE few_copied (k bytea UNIQUE, n int UNIQUE CHECK (n <= 10))",
)


class Filled:
    """Fills tables, and remembers what was reported."""

    def __init__(self, connection: Connection, statements: tuple[str, ...]) -> None:
        for each in statements:
            connection.exec_driver_sql(each)
        self.connection = connection
        self.reports: dict[str, list[int]] = {}

    def rows(self, table: str, wanted: int, columns: str = "count(*)", **values: Any) -> list[tuple[Any, ...]]:
        """These columns of the rows of a table, into which so many are to be inserted, with fixed values."""
        self.insert(table, wanted, fixed=values)
        return [tuple(row) for row in self.connection.exec_driver_sql(f"SELECT {columns} FROM {table} ORDER BY 1")]

    def insert(self, name: str, wanted: int, fixed: Mapping[str, Any]) -> None:
        table = reflected(self.connection).tables[name]
        bulk.Bulk(
            connection=self.connection,
            table=table,
            random=Random(1),
            fixed=fixed,
            literals={"mood": ["glad"]},
            own=Literals(connection=self.connection, table=table),
            is_unique=is_unique,
            watch=lambda table, done: self.reports.setdefault(table, []).append(done),
        ).insert(wanted, count(1))


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "_CHUNK", 10)
    monkeypatch.setattr(bulk, "_SERVER_CHUNK", 10)


def test_rows_are_sent_to_sqlite_or_made_in_it() -> None:
    with in_memory() as connection:
        filled = Filled(connection, ON_SQLITE)
        columns = "CAST(k AS INT), shelf_id, none_id, kind, mood, made, n, twice"
        rows = filled.rows("sent", 15, columns, kind="novel")
        # As many as are wanted, though the last chunk is a part of one; keys of other tables are taken in turn.
        assert len(rows) == 15
        first = rows[0][0]
        assert rows[:2] == [
            (first, (1, 5)[first % 2], None, "novel", "glad", "then", first, first * 2),
            (first + 1, (1, 5)[(first + 1) % 2], None, "novel", "glad", "then", first + 1, first * 2 + 2),
        ]
        assert filled.rows("made", 15, "count(*), max(kind), count(DISTINCT shelf_id)", kind="x") == [(15, "x", 2)]
        assert filled.reports == {"sent": [10, 15], "made": [10, 15]}


def test_a_chunk_that_sqlite_refuses_is_left_out() -> None:
    with in_memory() as connection:
        filled = Filled(connection, ON_SQLITE)
        assert filled.rows("few_made", 35, kind="x") == [(20,)]
        assert filled.rows("few_sent", 35) == [(10,)]
        # There are ten values of this length, of which each is taken once.
        assert filled.rows("digits", 35) == [(10,)]
        assert filled.reports == {"few_made": [10, 20], "few_sent": [10], "digits": [10]}


def test_rows_are_copied_to_postgresql_or_computed_by_it(postgres_admin_url: str) -> None:
    def check(connection: Connection) -> None:
        filled = Filled(connection, ON_POSTGRESQL)
        columns = "k, data->>'serial', at IS NOT NULL, shelf_id IN (1, 5)"
        rows = filled.rows("copied", 15, columns)
        assert len(rows) == 15
        assert rows[0] == (rows[0][1].encode(), rows[0][1], True, True)
        counts = ", ".join(f"count(DISTINCT {each})" for each in "abcdefgh")
        assert filled.rows("computed", 15, counts) == [(15,) * 8]
        assert filled.rows("few_copied", 35) == [(10,)]
        assert filled.reports == {"copied": [10, 15], "computed": [10, 15], "few_copied": [10]}

    with scratch.postgresql_database(postgres_admin_url) as url:
        scratch.in_database(url, check)
