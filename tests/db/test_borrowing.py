"""Connections lent for one statement: each comes back, none is lent that is closed, and who waits is served."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import bindparam, literal, select
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncEngine

from service.db.engine import Limits, Purpose, create_engine
from service.db.pool import Pool
from service.db.reader import Query, Reader
from tests.db.conftest import checked_out

ONE = Query(lambda value: value, select(literal(1) + bindparam("n", type_=literal(1).type)))


@pytest.fixture
async def engine(shared_url: str) -> AsyncIterator[AsyncEngine]:
    """A reading engine with two connections."""
    engine = create_engine(shared_url, Purpose.READ, limits=Limits(pool_size=2))
    yield engine
    await engine.dispose()


def pool_of(engine: AsyncEngine) -> Pool:
    assert isinstance(engine.pool, Pool)
    return engine.pool


async def opened(engine: AsyncEngine, count: int = 2) -> None:
    """Open connections on the usual way."""
    connections = [await engine.connect() for _ in range(count)]
    for connection in connections:
        await connection.close()


async def test_the_first_loan_opens_a_connection(engine: AsyncEngine) -> None:
    entry = await pool_of(engine).borrow()
    assert entry.driver_connection is not None
    assert checked_out(engine) == 1
    pool_of(engine).give_back(entry)
    assert checked_out(engine) == 0


async def test_what_is_lent_counts_as_busy_until_it_is_given_back(engine: AsyncEngine) -> None:
    await opened(engine)
    pool = pool_of(engine)
    one, two = await pool.borrow(), await pool.borrow()
    assert one is not two
    assert checked_out(engine) == 2
    pool.give_back(one)
    pool.give_back(two)
    assert (checked_out(engine), pool.checkedin()) == (0, 2)


async def test_who_waits_gets_the_next_that_is_free(engine: AsyncEngine) -> None:
    await opened(engine)
    pool = pool_of(engine)
    one, two = await pool.borrow(), await pool.borrow()
    waiting = asyncio.create_task(pool.borrow())
    await asyncio.sleep(0)
    pool.give_back(one)
    assert await waiting is one
    pool.give_back(one)
    pool.give_back(two)
    assert checked_out(engine) == 0


async def test_who_waits_too_long_hears_so(shared_url: str) -> None:
    engine = create_engine(shared_url, Purpose.READ, limits=Limits(pool_size=1, pool_wait_seconds=0.01))
    async with engine.connect():
        with pytest.raises(PoolTimeoutError):
            await pool_of(engine).borrow()
    await engine.dispose()


async def test_who_stops_waiting_takes_nothing_along(engine: AsyncEngine) -> None:
    await opened(engine)
    pool = pool_of(engine)
    one, two = await pool.borrow(), await pool.borrow()
    waiting = [asyncio.create_task(pool.borrow()) for _ in range(5)]
    await asyncio.sleep(0)
    # At the very moment that a connection comes back.
    pool.give_back(one)
    waiting[0].cancel()
    pool.give_back(two)
    waiting[1].cancel()
    served = await asyncio.gather(*waiting[2:4])
    for entry in served:
        pool.give_back(entry)
    last = await waiting[4]
    pool.give_back(last)
    await asyncio.gather(*waiting[:2], return_exceptions=True)
    assert (checked_out(engine), pool.checkedin()) == (0, 2)


async def test_a_connection_that_was_given_up_is_opened_anew_before_it_is_lent(engine: AsyncEngine) -> None:
    await opened(engine, 1)
    pool = pool_of(engine)
    entry = await pool.borrow()
    closed = entry.driver_connection
    entry.invalidate()
    pool.give_back(entry)
    assert await pool.borrow() is entry
    assert entry.driver_connection not in (None, closed)
    pool.give_back(entry)
    assert checked_out(engine) == 0
    assert await Reader(engine).first(ONE, n=1) == 2


async def test_when_the_pool_gave_up_all_its_connections_none_of_them_is_lent(engine: AsyncEngine) -> None:
    await opened(engine)
    pool = pool_of(engine)
    entry = await pool.borrow()
    given_up = entry.driver_connection
    pool.give_back(entry)
    async with engine.connect() as connection:
        # As after a network that swallowed a packet.
        pool._invalidate(await connection.get_raw_connection(), _checkin=False)
    lent = [await pool.borrow() for _ in range(2)]
    assert given_up not in [each.driver_connection for each in lent]
    for each in lent:
        pool.give_back(each)
    assert await Reader(engine).first(ONE, n=1) == 2


async def test_a_reader_that_is_cancelled_gives_its_connection_up(engine: AsyncEngine) -> None:
    await opened(engine)
    reader = Reader(engine)
    for _ in range(20):
        reading = [asyncio.create_task(reader.first(ONE, n=n)) for n in range(6)]
        await asyncio.sleep(0)
        for task in reading[::2]:
            task.cancel()
        await asyncio.gather(*reading, return_exceptions=True)
        assert [task.result() for task in reading[1::2]] == [2, 4, 6]
    assert checked_out(engine) == 0


async def test_readers_of_both_ways_share_the_pool(engine: AsyncEngine) -> None:
    reader = Reader(engine)

    async def connect(n: int) -> int:
        async with engine.connect() as connection:
            return int(await connection.scalar(select(literal(n))) or 0)

    answers = await asyncio.gather(*(reader.first(ONE, n=n) if n % 2 else connect(n) for n in range(200)))
    assert answers == [n + 1 if n % 2 else n for n in range(200)]
    assert checked_out(engine) == 0
