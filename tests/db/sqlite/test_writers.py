import asyncio
import json
import sys
from time import perf_counter
from typing import Any

import pytest
from sqlalchemy import ExceptionContext, bindparam, event, select
from sqlalchemy.ext.asyncio import AsyncSession

from service.db.engine import Purpose
from service.db.reader import Query, Reader
from service.db.rows import get_for_update
from service.db.sqlite.unit import Regrouped
from service.db.uow import Units
from tests.db.conftest import engine_on
from tests.db.tables import Counter, Tables
from tests.programs import run
from tests.project.files import ROOT

pytestmark = pytest.mark.slow

WRITERS = 64
COUNTERS = 4
SECONDS = 1.5
VALUE = Query(lambda value: value, select(Counter.value).where(Counter.id == bindparam("id")))


async def count_up(url: str, *, writers: int, seconds: float) -> dict[str, Any]:
    """Increment counters, one unit after the other; return the counts, the failures and the longest wait."""
    failures: list[str] = []
    waits: list[float] = []
    added = [0] * COUNTERS
    async with engine_on(url, pool_wait_seconds=30) as writing:

        @event.listens_for(writing.sync_engine, "handle_error")
        def note(context: ExceptionContext) -> None:
            # On a machine that stands still for a second a unit is slow, and makes room for those before it.
            if not isinstance(context.original_exception, Regrouped):
                failures.append(str(context.original_exception))

        units = Units(writing, Tables.metadata)
        until = perf_counter() + seconds

        async def write(writer: int) -> None:
            at = writer % COUNTERS

            async def add(session: AsyncSession) -> None:
                counter = await get_for_update(session, Counter, at + 1)
                value = counter.value
                await asyncio.sleep(0)
                counter.value = value + 1

            while (started := perf_counter()) < until:
                await units.run(add)
                waits.append(perf_counter() - started)
                added[at] += 1

        await asyncio.gather(*(write(writer) for writer in range(writers)))
    return {"added": added, "failures": failures, "worst": max(waits)}


async def test_64_writers_lose_nothing_and_never_meet_a_lock(small_sqlite_url: str) -> None:
    await start(small_sqlite_url)
    told = await count_up(small_sqlite_url, writers=WRITERS, seconds=SECONDS)
    sys.stdout.write(f"{sum(told['added'])} updates, worst wait {told['worst']:.3f} s\n")
    assert told["failures"] == []
    assert await values(small_sqlite_url) == told["added"]


async def test_two_processes_of_writers_lose_nothing_and_never_meet_a_lock(small_sqlite_url: str) -> None:
    await start(small_sqlite_url)
    program = f"""
import asyncio, json
from tests.db.sqlite.test_writers import count_up
print(json.dumps(asyncio.run(count_up({small_sqlite_url!r}, writers={WRITERS // 2}, seconds={SECONDS}))))
"""
    other = asyncio.create_task(asyncio.to_thread(run, "-c", program, cwd=ROOT))
    # The other process starts later: this one writes until the other is done.
    told = [await count_up(small_sqlite_url, writers=WRITERS // 2, seconds=SECONDS * 2)]
    told.append(json.loads((await other).stdout))
    for each in told:
        sys.stdout.write(f"{sum(each['added'])} updates, worst wait {each['worst']:.3f} s\n")
    assert [each["failures"] for each in told] == [[], []]
    assert await values(small_sqlite_url) == [sum(each) for each in zip(*(each["added"] for each in told), strict=True)]


async def test_readers_do_not_wait_for_writers(small_sqlite_url: str) -> None:
    await start(small_sqlite_url)
    async with engine_on(small_sqlite_url) as writing, engine_on(small_sqlite_url, Purpose.READ) as reading:
        seen: list[int | None] = []

        async def write_and_look(session: AsyncSession) -> None:
            (await get_for_update(session, Counter, 1)).value = 7
            await session.flush()
            async with asyncio.timeout(1):
                seen.append(await Reader(reading).first(VALUE, id=1))

        await Units(writing, Tables.metadata).run(write_and_look)
        assert seen == [0]
        assert await Reader(reading).first(VALUE, id=1) == 7


async def start(url: str) -> None:
    async def work(session: AsyncSession) -> None:
        session.add_all([Counter() for _ in range(COUNTERS)])

    async with engine_on(url) as writing:
        await Units(writing, Tables.metadata).run(work)


async def values(url: str) -> list[int]:
    async with engine_on(url, Purpose.READ) as reading, reading.connect() as connection:
        return list(await connection.scalars(select(Counter.value).order_by(Counter.id)))
