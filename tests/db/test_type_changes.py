import asyncio
import sys
from itertools import cycle
from time import perf_counter, time
from types import SimpleNamespace

import asyncpg
import pytest
from sqlalchemy import bindparam, event, select, text
from sqlalchemy.dialects.postgresql import asyncpg as dialect
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from service.app import create_app
from service.db.engine import Purpose
from service.db.reader import Query, Reader
from service.db.uow import Units
from service.settings import Settings
from tests.db.conftest import checked_out, engine_on
from tests.db.load import durations, load_on, stored
from tests.db.tables import Mark, Tables
from tests.db.test_units import mark
from tests.postgres import execute

SECONDS = 3.0
CHANGES = [
    "ALTER TABLE records ALTER COLUMN title TYPE text",
    "ALTER TABLE records ADD COLUMN extra integer",
    "ALTER TABLE records ALTER COLUMN duration TYPE bigint",
    "DROP INDEX ix_records_title_key_id",
    "ALTER TABLE records ALTER COLUMN title TYPE varchar(250)",
    "ALTER TABLE records DROP COLUMN extra",
    "CREATE INDEX ix_records_title_key_id ON records (title_key, id)",
    "ALTER TABLE records ALTER COLUMN duration TYPE integer",
    "ALTER TABLE records ALTER COLUMN title TYPE varchar(200)",
]
MARKS = Query(lambda *row: row, select(Mark.id, Mark.text).where(Mark.id > bindparam("id")).order_by(Mark.id))


async def test_types_that_change_all_the_time_fail_no_request(fresh_postgres_url: str) -> None:
    roster = create_app(Settings(database_url=fresh_postgres_url))
    met: list[str] = []
    event.listen(roster.database.writing.pool, "invalidate", lambda _driver, _record, failure: met.append(str(failure)))
    changes = 0
    async with load_on(roster) as load:
        migrator = await asyncpg.connect(fresh_postgres_url)
        until = perf_counter() + SECONDS
        for change in cycle(CHANGES):
            await migrator.execute(change)
            changes += 1
            if perf_counter() > until:
                break
            await asyncio.sleep(0.01)
        await migrator.close()
    stale = [each for each in met if "cached statement plan is invalid" in each]
    sys.stdout.write(f"{changes} changes, {len(stale)} stale plans, {len(met)} failures met; {load}\n")
    assert stale != []
    assert [answer.text for answer in load.failed] == []
    assert await stored(roster) == dict.fromkeys(load.created, 1)
    assert await durations(roster) == load.changed
    assert checked_out(roster.database.reading) == checked_out(roster.database.writing) == 0
    await roster.database.close()


async def read_through(engine: AsyncEngine) -> list[tuple[int, str]]:
    """The marks as a unit of work sees them."""

    async def work(session: AsyncSession) -> list[tuple[int, str]]:
        return [tuple(row) for row in await session.execute(MARKS.statement, {"id": 0})]

    return await Units(engine, Tables.metadata).run(work)


async def warm(engine: AsyncEngine, reader: Reader) -> None:
    """Prepare the statement on both connections."""
    await asyncio.gather(*(read_through(engine) for _ in range(2)), *(reader.all(MARKS, id=0) for _ in range(2)))


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE marks ALTER COLUMN text TYPE varchar(100)",
        "ALTER TABLE marks ALTER COLUMN text TYPE text",
        "ALTER TABLE marks ALTER COLUMN id TYPE bigint",
        "ALTER TABLE marks DROP COLUMN text, ADD COLUMN text text DEFAULT 'first' NOT NULL",
    ],
)
async def test_a_change_of_type_costs_a_second_try_and_no_more(small_postgres_url: str, change: str) -> None:
    async with (
        engine_on(small_postgres_url, pool_size=2) as writing,
        engine_on(small_postgres_url, Purpose.READ, pool_size=2) as reading,
    ):
        reader = Reader(reading)
        await Units(writing, Tables.metadata).run(mark("first"))
        await warm(writing, reader)
        await execute(small_postgres_url, change)
        for _ in range(4):
            assert await read_through(writing) == [(1, "first")]
            assert await reader.all(MARKS, id=0) == [(1, "first")]


async def test_an_enum_swapped_under_a_plan_costs_a_second_try_and_no_more(small_postgres_url: str) -> None:
    swap = """
        ALTER TABLE marks ALTER COLUMN text TYPE varchar(50) USING text::varchar;
        DROP TYPE IF EXISTS word;
        CREATE TYPE word AS ENUM ('first', 'second');
        ALTER TABLE marks ALTER COLUMN text TYPE word USING text::word;
    """
    async with (
        engine_on(small_postgres_url, pool_size=2) as writing,
        engine_on(small_postgres_url, Purpose.READ, pool_size=2) as reading,
    ):
        reader = Reader(reading)
        await Units(writing, Tables.metadata).run(mark("first"))
        for _ in range(3):
            await execute(small_postgres_url, swap)
            await warm(writing, reader)
            assert await read_through(writing) == [(1, "first")]
            assert await reader.all(MARKS, id=0) == [(1, "first")]


async def test_a_composite_type_that_grew_costs_a_second_try_and_no_more(small_postgres_url: str) -> None:
    await execute(small_postgres_url, "CREATE TYPE pair AS (one integer, other integer)")
    pair = Query(lambda *row: row, select(text("CAST(ROW(1, 2) AS pair)")))
    grown = Query(lambda *row: row, select(text("pairs.pair FROM (SELECT CAST('(1,2,)' AS pair) AS pair) AS pairs")))
    async with engine_on(small_postgres_url, Purpose.READ, pool_size=1) as reading:
        reader = Reader(reading)
        assert [tuple(value) for (value,) in await reader.all(pair)] == [(1, 2)]
        await execute(small_postgres_url, "ALTER TYPE pair ADD ATTRIBUTE third integer")
        assert [tuple(value) for (value,) in await reader.all(grown)] == [(1, 2, None)]


async def test_a_stale_plan_is_cured_though_the_clock_steps_back(
    small_postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with engine_on(small_postgres_url, pool_size=2) as writing:
        await asyncio.gather(read_through(writing), read_through(writing))
        monkeypatch.setattr(dialect, "time", SimpleNamespace(time=lambda: time() - 3600))
        await execute(small_postgres_url, "ALTER TABLE marks ALTER COLUMN text TYPE text")
        failures: list[object] = []
        event.listen(writing.sync_engine, "handle_error", failures.append)
        for _ in range(5):
            assert await read_through(writing) == []
        # One for each connection, which is given up for it.
        assert len(failures) <= 2


async def test_a_value_of_another_type_arrives_as_what_it_is(small_postgres_url: str) -> None:
    async with engine_on(small_postgres_url, Purpose.READ, pool_size=1) as reading:
        await execute(small_postgres_url, "INSERT INTO marks (text) VALUES ('7')")
        reader = Reader(reading)
        query = Query(lambda value: value, select(text("text")).select_from(Mark))
        assert await reader.all(query) == ["7"]
        await execute(small_postgres_url, "ALTER TABLE marks ALTER COLUMN text TYPE integer USING text::integer")
        assert await reader.all(query) == [7]
