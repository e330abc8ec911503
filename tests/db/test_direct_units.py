"""Units whose statements go to asyncpg itself keep every promise of those that go through SQLAlchemy."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from itertools import chain
from typing import Any

import asyncpg
import msgspec
import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from service.db.rows import insert_one, read_for_update, update_one
from service.db.session import UnitSession
from service.db.uow import Units
from service.errors import Conflict, NotFound, Unavailable
from tests.db.conftest import checked_out, engine_on
from tests.db.line import Cut, Line
from tests.db.tables import Counter, Debt, Mark, Tables, count, marks
from tests.db.test_units import Work
from tests.postgres import execute

ROUNDS = 10
WRITERS = 4


class MarkRow(msgspec.Struct, frozen=True):
    id: int
    text: str


class DebtRow(msgspec.Struct, frozen=True):
    id: int
    mark_id: int


class CounterRow(msgspec.Struct, frozen=True):
    id: int
    value: int
    version: int


def mark(words: str) -> Work:
    """Work that stores a mark by one statement of the driver, and answers with its text."""

    async def work(session: AsyncSession) -> str:
        stored = await insert_one(session, Mark, {"text": words}, MarkRow)
        assert isinstance(session, UnitSession)
        assert not session.uses_orm
        return stored.text

    return work


@pytest.fixture
async def writing(small_postgres_url: str) -> AsyncIterator[AsyncEngine]:
    async with engine_on(small_postgres_url, pool_size=2, pool_wait_seconds=0.5) as engine:
        yield engine


@pytest.fixture
def units(writing: AsyncEngine) -> Units:
    return Units(writing, Tables.metadata)


async def test_stores_nothing_when_the_work_fails_or_its_answer_is_not_kept(units: Units, writing: AsyncEngine) -> None:
    async def failing(session: AsyncSession) -> None:
        await insert_one(session, Mark, {"text": "lost"}, MarkRow)
        raise NotFound("There is no such thing.")

    for _ in range(3):
        with pytest.raises(NotFound):
            await units.run(failing)
        assert await units.run(mark("lost"), commit_if=lambda _: False) == "lost"
        assert checked_out(writing) == 0
    await units.run(mark("kept"))
    assert await marks(writing) == ["kept"]


async def test_the_orm_goes_on_in_the_same_transaction(units: Units, writing: AsyncEngine) -> None:
    async def work(session: AsyncSession) -> list[str]:
        await insert_one(session, Mark, {"text": "first"}, MarkRow)
        session.add(Mark(text="second"))
        await session.flush()
        await insert_one(session, Mark, {"text": "third"}, MarkRow)
        return [*await session.scalars(text("SELECT text FROM marks ORDER BY id"))]

    async def failing(session: AsyncSession) -> None:
        await work(session)
        raise NotFound("There is no such thing.")

    with pytest.raises(NotFound):
        await units.run(failing)
    assert await marks(writing) == []
    assert await units.run(work) == ["first", "second", "third"]
    assert await marks(writing) == ["first", "second", "third"]
    assert checked_out(writing) == 0


async def test_an_orm_session_that_was_only_made_commits_what_came_before(units: Units, writing: AsyncEngine) -> None:
    async def work(session: AsyncSession) -> None:
        await insert_one(session, Mark, {"text": "kept"}, MarkRow)
        assert session.is_active

    await units.run(work)
    assert await marks(writing) == ["kept"]


async def test_a_commit_that_fails_leaves_no_row_and_a_clean_connection(units: Units, writing: AsyncEngine) -> None:
    async def work(session: AsyncSession) -> None:
        await insert_one(session, Debt, {"mark_id": -1}, DebtRow)

    for _ in range(3):
        with pytest.raises(Conflict):
            await units.run(work)
        assert checked_out(writing) == 0
    assert await count(writing, Debt) == 0


async def test_a_failure_that_was_hidden_is_never_answered_as_success(writing: AsyncEngine) -> None:
    async def hidden(session: AsyncSession) -> None:
        await insert_one(session, Mark, {"text": "before"}, MarkRow)
        with suppress(asyncpg.IntegrityConstraintViolationError):
            await insert_one(session, Counter, {"value": None}, CounterRow)

    async def hidden_by_orm(session: AsyncSession) -> None:
        await insert_one(session, Mark, {"text": "before"}, MarkRow)
        with suppress(IntegrityError):
            await session.execute(text("INSERT INTO marks (id, text) SELECT id, 'twice' FROM marks"))

    units = Units(writing, Tables.metadata, deadline_seconds=0.1)
    for work in (hidden, hidden_by_orm):
        with pytest.raises(Unavailable):
            await units.run(work)
    assert await marks(writing) == []


@pytest.mark.parametrize("cut", [Cut.BEFORE, Cut.AFTER])
async def test_a_line_cut_at_commit_stores_exactly_once(small_postgres_url: str, cut: Cut) -> None:
    async with Line(small_postgres_url).open() as line, engine_on(line.url, pool_size=WRITERS) as writing:
        units = Units(writing, Tables.metadata)
        texts = [[f"{turn} {writer}" for writer in range(WRITERS)] for turn in range(ROUNDS)]
        for turn in texts:
            line.cuts += [cut] * (WRITERS - 1)
            assert await asyncio.gather(*(units.run(mark(text)) for text in turn)) == turn
        assert sorted(await marks(writing)) == sorted(chain(*texts))
        assert line.made == ROUNDS * (WRITERS - 1)


@pytest.mark.parametrize(
    "trouble",
    [
        "ALTER TABLE marks ALTER COLUMN text TYPE text",
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'roster serve'",
    ],
)
async def test_a_changed_type_and_a_lost_backend_run_the_unit_again(
    units: Units, writing: AsyncEngine, small_postgres_url: str, trouble: str
) -> None:
    tries = 0

    async def work(session: AsyncSession) -> None:
        nonlocal tries
        tries += 1
        assert isinstance(session, UnitSession)
        await session.direct()
        if tries == 1:
            await execute(small_postgres_url, trouble)
        await insert_one(session, Mark, {"text": "second"}, MarkRow)

    await units.run(mark("first"))
    await units.run(work)
    assert tries == 2
    assert await marks(writing) == ["first", "second"]


async def test_a_cancelled_statement_gives_its_connection_up(units: Units, writing: AsyncEngine) -> None:
    await units.run(mark("held"))
    async with writing.begin() as other:
        await other.execute(text("LOCK TABLE marks"))
        waiting: asyncio.Task[Any] = asyncio.create_task(units.run(mark("lost")))
        await asyncio.sleep(0.1)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert checked_out(writing) == 1
    await units.run(mark("next"))
    assert await marks(writing) == ["held", "next"]


async def test_a_row_that_another_changed_meanwhile_runs_the_unit_again(units: Units, writing: AsyncEngine) -> None:
    tries = 0

    async def start(session: AsyncSession) -> CounterRow:
        return await insert_one(session, Counter, {}, CounterRow)

    async def add(session: AsyncSession) -> CounterRow:
        nonlocal tries
        tries += 1
        row = await read_for_update(session, Counter, 1, CounterRow)
        if tries == 1:
            row = msgspec.structs.replace(row, version=7)
        return await update_one(session, Counter, row, {"value": row.value + 1})

    assert await units.run(start) == CounterRow(1, 0, 1)
    assert await units.run(add) == CounterRow(1, 1, 2)
    assert tries == 2
    with pytest.raises(NotFound):
        await units.run(lambda session: read_for_update(session, Counter, 2, CounterRow))
    assert checked_out(writing) == 0
