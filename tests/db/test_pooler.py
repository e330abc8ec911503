from collections.abc import AsyncIterator

import pytest
from sqlalchemy import event, func, select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from service.app import create_app
from service.db.engine import Purpose, create_engine
from service.db.reader import Query, Reader
from service.db.uow import Units
from service.errors import Misconfigured, Unavailable
from service.settings import Settings
from tests.conftest import client_of
from tests.db.conftest import checked_out
from tests.db.line import Line
from tests.db.tables import Mark, Tables, marks
from tests.db.test_units import mark
from tests.postgres import execute

LIMITS = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "transaction_read_only", "jit")


@pytest.fixture
async def pooled(small_postgres_url: str) -> AsyncIterator[AsyncEngine]:
    """The writing engine as it is behind a pooler."""
    engine = create_engine(small_postgres_url, Purpose.SERVE, pooler=True)
    yield engine
    assert checked_out(engine) == 0
    await engine.dispose()


@pytest.fixture
async def pooled_reading(small_postgres_url: str) -> AsyncIterator[AsyncEngine]:
    engine = create_engine(small_postgres_url, Purpose.READ, pooler=True)
    yield engine
    assert checked_out(engine) == 0
    await engine.dispose()


async def test_nothing_is_asked_at_startup_that_a_pooler_refuses(small_postgres_url: str) -> None:
    async with Line(small_postgres_url).open() as line:
        for purpose in Purpose:
            engine = create_engine(line.url, purpose, pooler=True)
            raw = await engine.raw_connection()
            raw.close()
            await engine.dispose()
            assert f"application_name\0roster {purpose}\0".encode() in line.said
        # PgBouncer accepts these parameters, and others only if it is configured to.
        for parameter in (b"statement_timeout", b"lock_timeout", b"read_only", b"jit", b"search_path", b"options"):
            assert parameter not in line.said


async def shown(engine: AsyncEngine) -> dict[str, str]:
    async with engine.connect() as connection:
        return {name: str(await connection.scalar(text(f"SHOW {name}"))) for name in LIMITS}


async def test_limits_hold_in_each_transaction_and_no_longer(pooled: AsyncEngine, pooled_reading: AsyncEngine) -> None:
    assert await shown(pooled) == dict(zip(LIMITS, ("10s", "2s", "30s", "off", "off"), strict=True))
    assert await shown(pooled_reading) == dict(zip(LIMITS, ("10s", "2s", "30s", "on", "off"), strict=True))
    raw = await pooled.raw_connection()
    assert raw.driver_connection is not None
    assert await raw.driver_connection.fetchval("SHOW lock_timeout") == "0"
    raw.close()


async def test_no_prepared_statement_is_left_to_strangers(pooled: AsyncEngine) -> None:
    await Units(pooled, Tables.metadata).run(mark("first"))
    async with pooled.connect() as connection:
        await connection.execute(select(Mark.text))
        left = await connection.execute(text("SELECT name FROM pg_prepared_statements"))
        assert left.all() == []


async def test_a_change_of_type_costs_not_even_a_second_try(
    pooled: AsyncEngine, pooled_reading: AsyncEngine, small_postgres_url: str
) -> None:
    failures: list[object] = []
    event.listen(pooled.sync_engine, "handle_error", failures.append)
    units, reader = Units(pooled, Tables.metadata), Reader(pooled_reading, pooler=True)
    query = Query(lambda value: value, select(Mark.text))
    for change in ("varchar(100)", "text", "varchar(50)"):
        await units.run(mark(change))
        assert (await reader.all(query))[-1] == change
        await execute(small_postgres_url, f"ALTER TABLE marks ALTER COLUMN text TYPE {change}")
        assert (await marks(pooled))[-1] == change
        assert (await reader.all(query))[-1] == change
    assert failures == []


async def test_the_reader_only_reads(pooled_reading: AsyncEngine, small_postgres_url: str) -> None:
    side_effect = "INSERT INTO marks (text) VALUES (''written'') RETURNING text"
    await execute(small_postgres_url, f"CREATE FUNCTION write_a_mark() RETURNS text LANGUAGE sql AS '{side_effect}'")
    reader = Reader(pooled_reading, deadline_seconds=0.1, pooler=True)
    with pytest.raises(Unavailable):
        await reader.all(Query(str, select(func.write_a_mark())))
    assert await marks(pooled_reading) == []


async def test_the_service_works_as_it_does_without(fresh_postgres_url: str) -> None:
    roster = create_app(Settings(database_url=fresh_postgres_url, pooler=True))
    async with client_of(roster) as client:
        created = await client.post("/v1/users", json={"name": "Ann", "email": "ann@example.org"})
        read = await client.get(created.headers["location"])
    await roster.database.close()
    assert (created.status_code, read.status_code) == (201, 200)
    assert read.json() == created.json()


def test_sqlite_has_no_pooler() -> None:
    with pytest.raises(Misconfigured, match="no pooler"):
        create_engine("sqlite:///roster.db", Purpose.SERVE, pooler=True)
