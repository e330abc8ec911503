import sqlite3
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError

from service.app import create_app
from service.db.engine import Purpose
from service.db.reader import Query, Reader
from service.errors import Unavailable
from service.settings import Settings
from tests.conftest import client_of
from tests.db.conftest import create_tables, engine_on
from tests.db.tables import marks

WRITES = {
    "postgresql": [
        "INSERT INTO marks (text) VALUES ('written')",
        "UPDATE marks SET text = 'written'",
        "DELETE FROM marks",
        "TRUNCATE marks",
        "CREATE TABLE written (id integer)",
        "CREATE TEMP TABLE written (id integer)",
        "DROP TABLE marks",
        "SELECT write_a_mark()",
        "SELECT nextval('marks_id_seq')",
        "SELECT * FROM marks FOR UPDATE",
        "WITH written AS (INSERT INTO marks (text) VALUES ('written') RETURNING id) SELECT id FROM written",
    ],
    "sqlite": [
        "INSERT INTO marks (text) VALUES ('written')",
        "UPDATE marks SET text = 'written'",
        "DELETE FROM marks",
        "CREATE TABLE written (id integer)",
        "CREATE TEMP TABLE written (id integer)",
        "DROP TABLE marks",
        "PRAGMA user_version = 7",
        "INSERT INTO marks (text) VALUES ('written') RETURNING id",
    ],
}
SIDE_EFFECT = (
    "CREATE FUNCTION write_a_mark() RETURNS text LANGUAGE sql AS"
    " 'INSERT INTO marks (text) VALUES (''written'') RETURNING text'"
)


@pytest.fixture
async def marked_url(small_url: str) -> str:
    """A database with one mark and, on PostgreSQL, a function that writes another."""
    async with engine_on(small_url) as writing, writing.begin() as connection:
        await connection.execute(text("INSERT INTO marks (text) VALUES ('first')"))
        if writing.dialect.name == "postgresql":
            await connection.execute(text(SIDE_EFFECT))
    return small_url


async def test_no_statement_writes_through_the_reading_engine(marked_url: str, backend: str) -> None:
    async with engine_on(marked_url, Purpose.READ) as reading:
        for statement in WRITES[backend]:
            with pytest.raises(DBAPIError, match=r"read-?only"):
                async with reading.begin() as connection:
                    await connection.exec_driver_sql(statement)
        assert await marks(reading) == ["first"]


async def test_no_statement_writes_through_the_reading_engines_own_driver(marked_url: str, backend: str) -> None:
    async with engine_on(marked_url, Purpose.READ) as reading:
        for statement in WRITES[backend]:
            connection = await reading.raw_connection()
            driver: Any = connection.driver_connection
            with pytest.raises(Exception, match=r"read-?only"):
                await driver.execute(statement)
            connection.close()
        assert await marks(reading) == ["first"]


async def test_a_function_with_side_effects_is_refused_by_the_reader(empty_postgres_url: str) -> None:
    await create_tables(empty_postgres_url)
    async with engine_on(empty_postgres_url) as writing, writing.begin() as connection:
        await connection.execute(text(SIDE_EFFECT))
    async with engine_on(empty_postgres_url, Purpose.READ) as reading:
        with pytest.raises(Unavailable):
            await Reader(reading, deadline_seconds=0.1).all(Query(str, select(func.write_a_mark())))
        assert await marks(reading) == []


async def test_a_sqlite_file_that_is_not_there_is_unavailable_and_is_not_made(tmp_path: Path) -> None:
    roster = create_app(Settings(database_url=f"sqlite:///{tmp_path / 'missing.db'}", unit_deadline_seconds=0.1))
    async with client_of(roster) as client:
        answer = await client.get("/v1/users")
    await roster.database.close()
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert "Traceback" not in answer.text
    assert list(tmp_path.iterdir()) == []


async def test_a_sqlite_file_whose_writers_are_gone_can_be_read(small_sqlite_url: str) -> None:
    # The last writer takes the WAL and its index away with it.
    async with engine_on(small_sqlite_url) as writing, writing.begin() as connection:
        await connection.execute(text("INSERT INTO marks (text) VALUES ('first')"))
    async with engine_on(small_sqlite_url, Purpose.READ) as reading:
        assert await marks(reading) == ["first"]


async def test_another_sqlite_file_is_not_written_through_the_reading_engine(
    small_sqlite_url: str, tmp_path: Path
) -> None:
    async with engine_on(small_sqlite_url, Purpose.READ) as reading:
        connection = await reading.raw_connection()
        driver: Any = connection.driver_connection
        with pytest.raises(sqlite3.OperationalError):
            await driver.executescript(f"ATTACH '{tmp_path / 'other.db'}' AS other; CREATE TABLE other.t (id integer)")
        connection.close()
    assert (tmp_path / "other.db").stat().st_size == 0
