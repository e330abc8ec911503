"""The pool serves its waiters in order, also when some of them are cancelled."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncEngine

from service.db.engine import Limits, Purpose, create_engine
from service.db.pool import Pool
from service.db.queue import FairQueue
from tests.db.conftest import checked_out, engine_on

TASKS = 60
CONNECTIONS = 4


@pytest.fixture
async def engine(shared_url: str) -> AsyncIterator[AsyncEngine]:
    engine = create_engine(shared_url, Purpose.READ, limits=Limits(pool_size=CONNECTIONS, pool_wait_seconds=10))
    yield engine
    assert checked_out(engine) == 0
    await engine.dispose()


def pool_of(engine: AsyncEngine) -> Pool:
    assert isinstance(engine.pool, Pool)
    return engine.pool


async def hold(engine: AsyncEngine, way: str, *, turns: int = 1) -> None:
    """Take a connection by one of the two ways, keep it for some turns of the loop, and return it."""
    if way == "borrow":
        entry = await pool_of(engine).borrow()
        try:
            for _ in range(turns):
                await asyncio.sleep(0)
        finally:
            pool_of(engine).give_back(entry)
    else:
        async with engine.connect():
            for _ in range(turns):
                await asyncio.sleep(0)


@pytest.mark.parametrize("ways", [["borrow"], ["connect"], ["borrow", "connect"]])
async def test_tasks_that_ask_again_at_once_overtake_nobody(engine: AsyncEngine, ways: list[str]) -> None:
    served: list[int] = []

    async def work(task: int) -> None:
        for _ in range(10):
            await hold(engine, ways[task % len(ways)])
            served.append(task)

    # Opening a connection takes longer than many turns.
    await asyncio.gather(*(hold(engine, "connect", turns=99) for _ in range(CONNECTIONS)))
    await asyncio.gather(*(work(task) for task in range(TASKS)))
    # Whenever a task is served, every other has been served as often, give or take those that hold a connection.
    counts: Counter[int] = Counter()
    for task in served[: -2 * TASKS]:
        counts[task] += 1
        assert counts[task] - min(counts[each] for each in range(TASKS)) <= 2
    assert set(Counter(served).values()) == {10}


async def test_waiters_of_both_ways_are_served_in_the_order_of_asking(engine: AsyncEngine) -> None:
    held = [await engine.connect() for _ in range(CONNECTIONS)]
    served: list[int] = []

    async def work(task: int) -> None:
        way = "borrow" if task % 3 else "connect"
        if way == "borrow":
            entry = await pool_of(engine).borrow()
            served.append(task)
            pool_of(engine).give_back(entry)
        else:
            async with engine.connect():
                served.append(task)

    tasks = []
    for number in range(20):
        tasks.append(asyncio.create_task(work(number)))
        await asyncio.sleep(0)
    # One connection goes round, and its returns come at the same time as new requests.
    await held[0].close()
    await asyncio.gather(*tasks)
    assert served == list(range(20))
    for connection in held[1:]:
        await connection.close()


@pytest.mark.parametrize("seed", range(5))
async def test_a_storm_of_waiters_that_leave_loses_no_place(engine: AsyncEngine, seed: int) -> None:
    chance = random.Random(seed)

    async def work() -> None:
        for _ in range(5):
            if chance.random() < 0.2:
                # As after a lost connection: the place is served again, with a new one.
                entry = await pool_of(engine).borrow()
                entry.invalidate()
                pool_of(engine).give_back(entry)
            with suppress(TimeoutError):
                async with asyncio.timeout(chance.choice([0, 0.0001, 0.001, 5])):
                    await hold(engine, chance.choice(["borrow", "connect"]), turns=chance.randrange(4))

    tasks = [asyncio.create_task(work()) for _ in range(TASKS)]
    for task in chance.sample(tasks, TASKS // 3):
        await asyncio.sleep(0)
        task.cancel()
    async with asyncio.timeout(20):
        await asyncio.gather(*tasks, return_exceptions=True)
    assert checked_out(engine) == 0
    async with asyncio.timeout(5):
        entries = [await pool_of(engine).borrow() for _ in range(CONNECTIONS)]
    assert len({id(entry) for entry in entries}) == CONNECTIONS
    for entry in entries:
        pool_of(engine).give_back(entry)


@pytest.mark.parametrize("way", ["borrow", "connect"])
async def test_a_connection_that_cannot_be_opened_leaves_its_place_to_the_next(engine: AsyncEngine, way: str) -> None:
    failures = iter([True] * CONNECTIONS + [False] * 100)

    @event.listens_for(engine.sync_engine, "connect")
    def refuse(*_: Any) -> None:
        if next(failures):
            raise OSError("refused")

    asked = [asyncio.create_task(hold(engine, way)) for _ in range(TASKS)]
    async with asyncio.timeout(5):
        answers = await asyncio.gather(*asked, return_exceptions=True)
    failed = [type(each) for each in answers if each is not None]
    assert failed == [OSError] * CONNECTIONS


async def test_a_waiter_whose_connection_has_to_be_opened_does_not_queue_again(engine: AsyncEngine) -> None:
    pool = pool_of(engine)
    held = [await pool.borrow() for _ in range(CONNECTIONS)]
    served: list[int] = []

    async def work(task: int) -> None:
        entry = await pool.borrow()
        served.append(task)
        entry.invalidate()
        pool.give_back(entry)

    tasks = [asyncio.create_task(work(number)) for number in range(5)]
    await asyncio.sleep(0)
    held[0].invalidate()
    pool.give_back(held[0])
    await asyncio.gather(*tasks)
    assert served == list(range(5))
    for entry in held[1:]:
        pool.give_back(entry)


async def test_a_wait_that_ends_too_late_takes_no_place(shared_url: str) -> None:
    async with engine_on(shared_url, Purpose.READ, pool_size=1, pool_wait_seconds=0.02) as engine:
        pool = pool_of(engine)
        held = await pool.borrow()
        answers = await asyncio.gather(
            *(hold(engine, way) for way in ["borrow", "connect"] * 5), return_exceptions=True
        )
        assert [type(each) for each in answers] == [PoolTimeoutError] * 10
        pool.give_back(held)
        await hold(engine, "borrow")
        await hold(engine, "connect")


async def test_writers_are_served_in_the_order_of_asking(fresh_url: str) -> None:
    async with engine_on(fresh_url, pool_size=1) as writing:
        served: list[int] = []

        async def write(task: int) -> None:
            async with writing.begin() as connection:
                await connection.execute(text("SELECT 1"))
                served.append(task)

        tasks = []
        for number in range(20):
            tasks.append(asyncio.create_task(write(number)))
            await asyncio.sleep(0)
        await asyncio.gather(*tasks)
        assert served == list(range(20))


async def test_an_item_handed_to_a_task_that_is_cancelled_goes_to_the_next_in_line() -> None:
    queue: FairQueue[str] = FairQueue(1)
    waiting = [asyncio.create_task(queue.wait(1)) for _ in range(3)]
    await asyncio.sleep(0)
    queue.put_nowait("connection")
    waiting[0].cancel()
    waiting[1].cancel()
    assert await waiting[2] == "connection"
    assert (queue.waiting(), queue.empty()) == (0, True)
    queue.put_nowait("connection")
    assert (queue.qsize(), queue.full()) == (1, True)


def test_the_newest_connection_is_reused_first_where_the_pool_says_so(tmp_path: Path) -> None:
    queue: FairQueue[Path] = FairQueue(2, use_lifo=True)
    queue.put(tmp_path)
    queue.put(tmp_path / "newest")
    assert queue.get(timeout=1) == tmp_path / "newest"
