import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest
from sqlalchemy import select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from service.db.rows import get_for_update
from service.db.uow import Units
from service.errors import Conflict, NotFound, Stale, Unavailable
from tests.db.conftest import checked_out, engine_on
from tests.db.tables import Counter, Debt, Mark, Tables, count, marks

Work = Callable[[AsyncSession], Awaitable[Any]]


def mark(words: str) -> Work:
    """Work that stores a mark and answers with its text."""

    async def work(session: AsyncSession) -> str:
        session.add(Mark(text=words))
        return words

    return work


async def values(engine: AsyncEngine) -> list[int]:
    async with engine.connect() as connection:
        return list(await connection.scalars(select(Counter.value).order_by(Counter.id)))


async def start(engine: AsyncEngine, *, counters: int) -> None:
    async def work(session: AsyncSession) -> None:
        session.add_all([Counter() for _ in range(counters)])

    await Units(engine, Tables.metadata).run(work)


async def test_stores_what_the_work_added(units: Units, writing: AsyncEngine) -> None:
    assert await units.run(mark("kept")) == "kept"
    assert await marks(writing) == ["kept"]


async def test_stores_nothing_when_the_work_fails(units: Units, writing: AsyncEngine) -> None:
    async def work(session: AsyncSession) -> None:
        session.add(Mark(text="lost"))
        await session.flush()
        raise NotFound("There is no such thing.")

    with pytest.raises(NotFound):
        await units.run(work)
    assert await marks(writing) == []


async def test_stores_nothing_when_the_answer_is_not_one_to_keep(units: Units, writing: AsyncEngine) -> None:
    assert await units.run(mark("lost"), commit_if=lambda _: False) == "lost"
    assert await marks(writing) == []


async def test_a_unit_that_only_looked_ends_well(units: Units, writing: AsyncEngine) -> None:
    async def look(session: AsyncSession) -> list[str]:
        return list(await session.scalars(select(Mark.text)))

    async def think(session: AsyncSession) -> str:
        return "nothing"

    assert await units.run(look) == []
    assert await units.run(think) == "nothing"
    assert checked_out(writing) == 0


async def test_a_commit_that_fails_leaves_no_row_and_a_clean_connection(units: Units, writing: AsyncEngine) -> None:
    async def work(session: AsyncSession) -> None:
        session.add(Debt(mark_id=-1))

    for _ in range(3):
        with pytest.raises(Conflict):
            await units.run(work)
        assert checked_out(writing) == 0
    await units.run(mark("after"))
    assert await count(writing, Debt) == 0
    assert await marks(writing) == ["after"]


async def test_a_handlers_own_answer_to_a_conflict_stands(units: Units) -> None:
    calls = 0

    async def work(session: AsyncSession) -> None:
        nonlocal calls
        calls += 1
        try:
            await session.execute(text("SELECT nothing FROM nowhere"))
        except Exception as failure:
            raise Stale("Someone was faster.") from failure

    with pytest.raises(Stale, match="faster"):
        await units.run(work)
    assert calls == 1


async def test_a_failure_that_was_hidden_is_never_answered_as_success(writing: AsyncEngine) -> None:
    async def work(session: AsyncSession) -> None:
        session.add(Mark(text="before"))
        await session.flush()
        with suppress(IntegrityError):
            await session.execute(text("INSERT INTO marks (id, text) SELECT id, 'twice' FROM marks"))

    units = Units(writing, Tables.metadata, deadline_seconds=0.1)
    if writing.dialect.name == "sqlite":
        # A statement that fails there is undone alone; what came before may be kept.
        await units.run(work)
        return
    with pytest.raises(Unavailable):
        await units.run(work)
    assert await marks(writing) == []


async def test_two_units_that_lock_rows_in_opposite_order_both_end_well(units: Units, writing: AsyncEngine) -> None:
    await start(writing, counters=2)
    calls = 0
    # SQLite has one unit at a time.
    both_hold_a_row = asyncio.Barrier(2 if writing.dialect.name == "postgresql" else 1)

    def work(first: int, second: int) -> Work:
        async def add(session: AsyncSession) -> None:
            nonlocal calls
            calls += 1
            is_again = calls > 2
            (await get_for_update(session, Counter, first)).value += 1
            await session.flush()
            if not is_again:
                await both_hold_a_row.wait()
            (await get_for_update(session, Counter, second)).value += 1

        return add

    await asyncio.gather(units.run(work(1, 2)), units.run(work(2, 1)))
    assert await values(writing) == [2, 2]
    assert calls == (2 if writing.dialect.name == "sqlite" else 3)


async def test_a_serialization_failure_runs_the_unit_again(small_postgres_url: str) -> None:
    async with engine_on(small_postgres_url) as writing:
        units = Units(writing.execution_options(isolation_level="SERIALIZABLE"), Tables.metadata)
        await start(writing, counters=1)

        async def add(session: AsyncSession) -> None:
            value = (await session.scalars(select(Counter.value))).one()
            await asyncio.sleep(0.01)
            await session.execute(update(Counter).values(value=value + 1))

        await asyncio.gather(*(units.run(add) for _ in range(5)))
        assert await values(writing) == [5]


async def test_a_lock_that_takes_too_long_is_waited_for_again(small_postgres_url: str) -> None:
    async with engine_on(small_postgres_url, lock_wait_seconds=0.05) as writing:
        await start(writing, counters=1)
        calls = 0

        async def add(session: AsyncSession) -> None:
            nonlocal calls
            calls += 1
            (await get_for_update(session, Counter, 1)).value += 1

        async with writing.begin() as other:
            await other.execute(update(Counter).values(value=10))
            waiting = asyncio.create_task(Units(writing, Tables.metadata).run(add))
            while calls < 3:
                await asyncio.sleep(0.01)
        await waiting
        assert await values(writing) == [11]


async def test_a_lock_that_never_comes_free_ends_in_unavailable(small_postgres_url: str) -> None:
    async with engine_on(small_postgres_url, lock_wait_seconds=0.02) as writing:
        await start(writing, counters=1)

        async def add(session: AsyncSession) -> None:
            await get_for_update(session, Counter, 1)

        async with writing.begin() as other:
            await other.execute(update(Counter).values(value=10))
            with pytest.raises(Unavailable):
                await Units(writing, Tables.metadata, deadline_seconds=0.1).run(add)


async def test_a_row_changed_by_another_meanwhile_is_read_again(units: Units, writing: AsyncEngine) -> None:
    await start(writing, counters=1)
    calls = 0

    async def add(session: AsyncSession) -> None:
        nonlocal calls
        calls += 1
        counter = await session.get_one(Counter, 1)
        if calls == 1:
            # As if another process had been faster.
            await session.execute(text("UPDATE counters SET version = 2, value = 10"))
        counter.value += 1

    await units.run(add)
    # The first attempt was rolled back completely, its direct write included.
    assert (calls, await values(writing)) == (2, [1])


async def test_an_endless_statement_ends_in_unavailable(small_postgres_url: str) -> None:
    async with engine_on(small_postgres_url, statement_seconds=0.1) as writing:

        async def work(session: AsyncSession) -> None:
            await session.execute(text("SELECT pg_sleep(60)"))

        with pytest.raises(Unavailable, match="too long"):
            await Units(writing, Tables.metadata).run(work)
