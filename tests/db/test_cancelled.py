import asyncio
import gc
import random
import sqlite3
import threading
from collections import Counter as Tally
from contextlib import suppress
from typing import Any

import pytest
from sqlalchemy import bindparam, make_url, select, text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from service.db.engine import Purpose
from service.db.reader import Query, Reader
from service.db.uow import Units
from tests.db.conftest import checked_out, engine_on
from tests.db.tables import Mark, Tables, marks
from tests.db.test_units import Work, mark

SLOW = {
    "postgresql": "(SELECT pg_sleep(20)::text)",
    # SQLite is not interrupted: the next writer waits until the statement ends.
    "sqlite": "(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 1000000) SELECT max(i) FROM n)",
}
STORMS = 6
WRITERS = 20


async def cancel(task: asyncio.Future[Any]) -> None:
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def slow_mark(engine: AsyncEngine, reached: asyncio.Event) -> Work:
    async def work(session: AsyncSession) -> None:
        session.add(Mark(text="lost"))
        await session.flush()
        reached.set()
        await session.execute(select(text(SLOW[engine.dialect.name])))

    return work


async def test_a_request_cancelled_inside_a_statement_stores_nothing(units: Units, writing: AsyncEngine) -> None:
    reached = asyncio.Event()
    task = asyncio.create_task(units.run(slow_mark(writing, reached)))
    await reached.wait()
    await asyncio.sleep(0.05)
    await cancel(task)
    assert checked_out(writing) == 0
    async with asyncio.timeout(5):
        await units.run(mark("next"))
    assert await marks(writing) == ["next"]


async def test_a_request_cancelled_between_statements_stores_nothing(units: Units, writing: AsyncEngine) -> None:
    reached = asyncio.Event()

    async def work(session: AsyncSession) -> None:
        session.add(Mark(text="lost"))
        await session.flush()
        reached.set()
        await asyncio.sleep(20)

    task = asyncio.create_task(units.run(work))
    await reached.wait()
    await cancel(task)
    async with asyncio.timeout(5):
        await units.run(mark("next"))
    assert await marks(writing) == ["next"]


async def test_a_request_cancelled_while_it_waits_for_the_pool_takes_no_connection(small_url: str) -> None:
    async with engine_on(small_url, pool_size=1) as writing:
        units = Units(writing, Tables.metadata)
        async with writing.connect():
            waiting = [asyncio.create_task(units.run(mark("lost"))) for _ in range(5)]
            await asyncio.sleep(0.02)
            assert checked_out(writing) == 1
            for task in waiting:
                await cancel(task)
        await units.run(mark("next"))
        assert await marks(writing) == ["next"]


async def test_a_request_cancelled_while_sqlite_lets_another_write_leaves_no_lock(small_sqlite_url: str) -> None:
    other = sqlite3.connect(make_url(small_sqlite_url).database or "", isolation_level=None, timeout=0)
    async with engine_on(small_sqlite_url) as writing:
        units = Units(writing, Tables.metadata)
        await units.run(mark("first"))
        other.execute("BEGIN IMMEDIATE")
        waiting = asyncio.create_task(units.run(mark("lost")))
        await asyncio.sleep(0.05)
        waiting.cancel()
        await asyncio.sleep(0.05)
        other.execute("ROLLBACK")
        with pytest.raises(asyncio.CancelledError):
            await waiting
        async with asyncio.timeout(5):
            await units.run(mark("next"))
        other.execute("BEGIN IMMEDIATE")
        other.close()
        assert await marks(writing) == ["first", "next"]


async def test_a_request_cancelled_during_commit_waits_for_its_end(small_postgres_url: str) -> None:
    slow_commit = [
        "CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.3); RETURN NULL; END'",
        """CREATE CONSTRAINT TRIGGER dawdles AFTER INSERT ON marks DEFERRABLE INITIALLY DEFERRED
           FOR EACH ROW EXECUTE FUNCTION dawdle()""",
    ]
    async with engine_on(small_postgres_url) as writing:
        async with writing.begin() as connection:
            for statement in slow_commit:
                await connection.execute(text(statement))
        task = asyncio.create_task(Units(writing, Tables.metadata).run(mark("once")))
        await asyncio.sleep(0.15)
        for _ in range(3):
            task.cancel()
            await asyncio.sleep(0.01)
        with pytest.raises(asyncio.CancelledError):
            await task
        assert checked_out(writing) == 0
        assert await marks(writing) == ["once"]


@pytest.mark.slow
async def test_storms_of_cancelled_writers_leave_no_lock_and_no_doubt(small_url: str) -> None:
    async with engine_on(small_url, pool_size=4) as writing:
        units = Units(writing, Tables.metadata)
        answered: list[str] = []

        async def write(words: str) -> None:
            answered.append(await units.run(mark(words)))

        for storm in range(STORMS):
            tasks = [asyncio.create_task(write(f"{storm} {writer}")) for writer in range(WRITERS)]
            for task in random.sample(tasks, WRITERS):
                await asyncio.sleep(random.uniform(0, 0.004))
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            gc.collect()
            async with asyncio.timeout(5):
                await units.run(mark(f"after {storm}"))
            if writing.dialect.name == "sqlite":
                other = sqlite3.connect(make_url(small_url).database or "", isolation_level=None, timeout=0.2)
                other.execute("BEGIN IMMEDIATE")
                other.close()
            assert checked_out(writing) == 0
        stored = Tally(await marks(writing))
        assert set(stored.values()) == {1}
        assert set(answered) <= set(stored)


async def test_cancelled_readers_leave_the_pool_whole(small_url: str) -> None:
    async with engine_on(small_url) as writing, engine_on(small_url, Purpose.READ, pool_size=2) as reading:
        await Units(writing, Tables.metadata).run(mark("here"))
        reader = Reader(reading)
        query = Query(lambda *row: row, select(Mark.text).where(Mark.id > bindparam("id")))
        for _ in range(STORMS):
            tasks = [asyncio.create_task(reader.all(query, id=0)) for _ in range(WRITERS)]
            for task in random.sample(tasks, WRITERS):
                await asyncio.sleep(random.uniform(0, 0.002))
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        async with asyncio.timeout(5):
            assert await asyncio.gather(*(reader.all(query, id=0) for _ in range(5))) == [[("here",)]] * 5
        assert checked_out(reading) == 0


async def test_a_reader_cancelled_inside_a_statement_gives_its_connection_up(small_url: str) -> None:
    async with engine_on(small_url, Purpose.READ, pool_size=1) as reading:
        reader = Reader(reading)
        quick = Query(lambda *row: row, select(Mark.text))
        assert await reader.all(quick) == []
        query = Query(lambda *row: row, select(text(SLOW[reading.dialect.name])))
        task = asyncio.create_task(reader.all(query))
        await asyncio.sleep(0.05)
        await cancel(task)
        assert checked_out(reading) == 0
        async with asyncio.timeout(5):
            assert await reader.all(quick) == []


async def test_connections_given_up_end_their_threads(small_sqlite_url: str) -> None:
    before = set(threading.enumerate())
    slow = Query(lambda *row: row, select(text(SLOW["sqlite"])))
    async with engine_on(small_sqlite_url) as writing, engine_on(small_sqlite_url, Purpose.READ) as reading:
        for run in (
            Reader(reading).all(slow),
            Units(writing, Tables.metadata).run(slow_mark(writing, asyncio.Event())),
        ):
            task = asyncio.ensure_future(run)
            await asyncio.sleep(0.05)
            await cancel(task)
    async with asyncio.timeout(10):
        while set(threading.enumerate()) - before:
            await asyncio.sleep(0.01)


async def test_the_first_writer_cancelled_while_it_connects_keeps_nobody_waiting(small_url: str) -> None:
    async with engine_on(small_url, pool_size=1) as writing:
        units = Units(writing, Tables.metadata)
        first = asyncio.create_task(units.run(mark("lost")))
        others = [asyncio.create_task(units.run(mark("kept"))) for _ in range(5)]
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(0)
            first.cancel()
            await first
        async with asyncio.timeout(5):
            await asyncio.gather(*others)
        assert await marks(writing) == ["kept"] * 5
