"""Units of work that share one COMMIT on SQLite: what befalls one of them befalls no other."""

import asyncio
import shutil
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url, select, text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from service.db.engine import Purpose
from service.db.sqlite import group
from service.db.sqlite.member import Member
from service.db.uow import Units
from service.errors import Conflict, NotFound, Unavailable
from tests.db.conftest import engine_on
from tests.db.tables import Counter, Debt, Mark, Pledge, marks
from tests.db.test_units import mark

CALLERS = 16


@pytest.fixture
async def writing(small_sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[AsyncEngine]:
    # A busy machine must not divide the groups that are counted here.
    monkeypatch.setattr(group, "_LONGEST_SECONDS", 60.0)
    async with engine_on(small_sqlite_url, pool_size=CALLERS) as engine:
        # A unit that has to open its connection comes later than others.
        connections = [await engine.connect() for _ in range(CALLERS)]
        for connection in connections:
            await connection.close()
        yield engine


@pytest.fixture
async def commits(writing: AsyncEngine) -> list[str]:
    """The statements that end and begin transactions, as SQLite runs them."""
    found: list[str] = []

    def trace(sql: str) -> None:
        if sql.startswith(("BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT")):
            found.append(sql)

    (await driver(writing))._connection.set_trace_callback(trace)
    return found


async def driver(engine: AsyncEngine) -> Any:
    """The one connection of the writers, which stays open while the pool holds a member."""
    async with engine.connect() as connection:
        raw = await connection.get_raw_connection()
        assert isinstance(raw.dbapi_connection, Member)
        return raw.driver_connection


async def together(units: Units, *works: Callable[[AsyncSession], Awaitable[Any]]) -> list[Any]:
    """What the works answer or raise; the first holds the turn while the others begin to wait."""
    return await asyncio.gather(*(units.run(work) for work in works), return_exceptions=True)


async def test_units_that_wait_share_one_commit(units: Units, commits: list[str], writing: AsyncEngine) -> None:
    answers = await together(units, *(mark(str(n)) for n in range(CALLERS)))
    assert answers == [str(n) for n in range(CALLERS)]
    assert (commits.count("BEGIN IMMEDIATE"), commits.count("COMMIT")) == (1, 1)
    # First come, first served.
    assert await marks(writing) == answers


async def test_a_checkpoint_follows_the_answers_to_many_commits(
    units: Units, writing: AsyncEngine, small_sqlite_url: str, tmp_path: Path
) -> None:
    stored = 0
    checkpoints: list[str] = []
    connection = (await driver(writing))._connection
    connection.set_trace_callback(lambda sql: checkpoints.append(sql) if "checkpoint" in sql else None)
    while not checkpoints:
        await units.run(mark(str(stored)))
        stored += 1
        # SQLite's own checkpoint comes with the 1,000th page.
        assert stored < 60
    # The next statement runs behind the checkpoint.
    await marks(writing)
    copied = shutil.copy(str(make_url(small_sqlite_url).database), tmp_path / "copied")
    with closing(sqlite3.connect(copied)) as without_wal:
        assert without_wal.execute("SELECT count(*) FROM marks").fetchone()[0] >= stored - 1


async def test_a_unit_that_fails_leaves_nothing_and_harms_no_other(
    units: Units, commits: list[str], writing: AsyncEngine
) -> None:
    async def fail(session: AsyncSession) -> None:
        session.add(Mark(text="lost"))
        await session.flush()
        raise NotFound("There is no such thing.")

    async def refused(session: AsyncSession) -> None:
        session.add(Mark(text="lost too"))
        await session.flush()
        session.add(Pledge(mark_id=99))
        await session.flush()

    answers = await together(units, mark("a"), fail, mark("b"), refused, fail, mark("c"))
    assert [type(each) for each in answers] == [str, NotFound, str, Conflict, NotFound, str]
    assert commits.count("COMMIT") == 1
    assert await marks(writing) == ["a", "b", "c"]


async def test_a_first_unit_that_fails_is_rolled_back_alone(units: Units, writing: AsyncEngine) -> None:
    async def fail(session: AsyncSession) -> None:
        session.add(Mark(text="lost"))
        await session.flush()
        raise NotFound("There is no such thing.")

    answers = await together(units, fail, mark("a"), mark("b"))
    assert isinstance(answers[0], NotFound)
    assert await marks(writing) == ["a", "b"]


async def test_a_constraint_that_refuses_the_commit_is_told_to_its_unit_alone(
    units: Units, writing: AsyncEngine
) -> None:
    async def owe(session: AsyncSession) -> str:
        session.add(Debt(mark_id=99))
        await session.flush()
        return "owed"

    answers = await together(units, mark("a"), owe, mark("b"), owe)
    assert [type(each) for each in answers] == [str, Conflict, str, Conflict]
    assert sorted(await marks(writing)) == ["a", "b"]


async def test_a_commit_that_fails_fails_each_of_its_units(
    units: Units, commits: list[str], writing: AsyncEngine
) -> None:
    connection = (await driver(writing))._connection

    def refuse(action: int, what: str | None, *_: Any) -> int:
        is_commit = (action, what) == (sqlite3.SQLITE_TRANSACTION, "COMMIT")
        return sqlite3.SQLITE_DENY if is_commit else sqlite3.SQLITE_OK

    connection.set_authorizer(refuse)
    failures = await together(units, mark("a"), mark("b"), mark("c"))
    connection.set_authorizer(None)
    assert ["not authorized" in str(each) for each in failures] == [True] * 3
    assert len({id(each) for each in failures}) == 3
    assert commits.count("BEGIN IMMEDIATE") == 1
    await units.run(mark("next"))
    assert await marks(writing) == ["next"]


async def test_a_refusal_waits_until_what_it_is_about_is_stored(units: Units, writing: AsyncEngine) -> None:
    connection = (await driver(writing))._connection
    refusals = 0

    def refuse_once(action: int, what: str | None, *_: Any) -> int:
        nonlocal refusals
        if (action, what) != (sqlite3.SQLITE_TRANSACTION, "COMMIT") or refusals:
            return sqlite3.SQLITE_OK
        refusals += 1
        return sqlite3.SQLITE_DENY

    async def only_one(session: AsyncSession) -> str:
        if await session.scalar(select(Mark.text)):
            raise NotFound("There is one already.")
        session.add(Mark(text="b"))
        return "b"

    connection.set_authorizer(refuse_once)
    failure, answer = await together(units, mark("a"), only_one)
    connection.set_authorizer(None)
    assert ("not authorized" in str(failure), answer) == (True, "b")
    assert await marks(writing) == ["b"]
    # And where the first is stored, the refusal is right.
    first, refused = await together(units, mark("c"), only_one)
    assert (first, type(refused)) == ("c", NotFound)


async def test_a_full_database_fails_one_unit_and_runs_the_others_again(units: Units, writing: AsyncEngine) -> None:
    connection = (await driver(writing))._connection
    [pages] = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages + 4}")

    async def fill(session: AsyncSession) -> None:
        session.add(Mark(text="x" * 1_000_000))
        await session.flush()

    answers = await together(units, mark("a"), mark("b"), fill, mark("c"))
    assert [type(each) for each in answers] == [str, str, Unavailable, str]
    assert sorted(await marks(writing)) == ["a", "b", "c"]


async def test_a_unit_sees_its_own_writes_and_readers_see_none_of_them(
    units: Units, writing: AsyncEngine, small_sqlite_url: str
) -> None:
    seen: list[list[str]] = []

    async def look(session: AsyncSession) -> None:
        session.add(Mark(text="b"))
        await session.flush()
        # The unit before is in the same transaction, not stored yet.
        seen.append(list(await session.scalars(select(Mark.text).order_by(Mark.id))))
        async with engine_on(small_sqlite_url, Purpose.READ) as reading:
            seen.append(await marks(reading))

    first, _ = await together(units, mark("a"), look)
    assert first == "a"
    assert seen == [["a", "b"], []]


async def test_a_slow_unit_does_not_keep_those_before_it_waiting(units: Units, writing: AsyncEngine) -> None:
    attempts = 0
    a_is_stored = asyncio.Event()

    async def dawdle(session: AsyncSession) -> str:
        nonlocal attempts
        attempts += 1
        session.add(Mark(text="slow"))
        await session.flush()
        await a_is_stored.wait()
        return "slow"

    first = asyncio.create_task(units.run(mark("a")))
    second = asyncio.create_task(units.run(dawdle))
    async with asyncio.timeout(5):
        await first
        a_is_stored.set()
        assert await second == "slow"
    assert attempts == 2
    assert await marks(writing) == ["a", "slow"]


async def test_a_cancelled_unit_harms_no_other(units: Units, writing: AsyncEngine) -> None:
    reached = asyncio.Event()

    async def work(session: AsyncSession) -> None:
        session.add(Mark(text="lost"))
        await session.flush()
        reached.set()
        await session.execute(
            text("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 300000) SELECT max(i) FROM n")
        )

    tasks = [asyncio.create_task(units.run(each)) for each in (mark("a"), work, mark("b"))]
    await reached.wait()
    tasks[1].cancel()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(each) for each in answers] == [str, asyncio.CancelledError, str]
    assert await marks(writing) == ["a", "b"]


async def test_a_caller_cancelled_while_its_commit_is_shared_harms_no_other(units: Units, writing: AsyncEngine) -> None:
    tasks = [asyncio.create_task(units.run(mark(str(n)))) for n in range(CALLERS)]
    while not any(task.done() for task in tasks[:1]):
        for task in tasks[1::2]:
            task.cancel()
        await asyncio.sleep(0)
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    stored = await marks(writing)
    assert {each for each in answers if isinstance(each, str)} <= set(stored)
    assert len(set(stored)) == len(stored)
    assert {str(n) for n in range(0, CALLERS, 2)} <= set(stored)


async def test_a_unit_that_is_to_be_alone_shares_no_commit(
    units: Units, commits: list[str], writing: AsyncEngine
) -> None:
    works = [mark("a"), mark("b"), mark("c")]
    await asyncio.gather(units.run(works[0]), units.run(works[1], alone=True), units.run(works[2]))
    assert commits == ["BEGIN IMMEDIATE", "COMMIT"] * 3
    assert await marks(writing) == ["a", "b", "c"]


async def test_updates_of_one_row_are_made_one_after_the_other(units: Units, writing: AsyncEngine) -> None:
    async def start(session: AsyncSession) -> None:
        session.add(Counter())

    async def add(session: AsyncSession) -> None:
        counter = (await session.scalars(select(Counter))).one()
        counter.value += 1

    await units.run(start)
    assert await together(units, *[add] * CALLERS) == [None] * CALLERS
    async with writing.connect() as connection:
        assert await connection.scalar(select(Counter.value)) == CALLERS
