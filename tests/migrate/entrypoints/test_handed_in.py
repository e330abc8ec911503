"""Every command works on a connection of the caller, in a transaction or not, and in an event loop."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from service.db.engine import Purpose, create_engine
from service.migrate.entrypoints import commands
from service.migrate.entrypoints.status import status
from service.migrate.errors import Refused
from tests.migrate.operations.live import BASE, Live, live
from tests.migrate.project import Project

UP = """
ops.add_column("t", sa.Column("c", sa.String(60)), derived=True)
ops.create_index("ix_t_c", "t", ["c"])
ops.set_not_null("t", "b", fill="7")
ops.rename_column("t", sa.Column("a", sa.String(50), nullable=False), sa.Column("name", sa.Text(), nullable=False))
"""
FILL = """ops.Backfill(
    name="t.c", table="t", left="c IS NULL", read=("id",), write=("c",), by=lambda id: (f"number {id}",)
)"""
CONTRACT = 'ops.set_not_null("t", "c")'
MANY = """
INSERT INTO t (id, a) WITH RECURSIVE n (n) AS (SELECT 10 UNION ALL SELECT n + 1 FROM n WHERE n < 550)
SELECT n, 'a' || n FROM n
"""
Verb = Callable[..., list[str]]
VERBS: dict[str, Verb] = {
    "up": commands.upgrade,
    "backfill": commands.backfill,
    "contract": commands.contract,
    "undo_contract": partial(commands.contract, revision="0002", undo=True),
    "down": partial(commands.downgrade, revision="0001"),
}


@pytest.fixture
async def it(empty_url: str, project: Project) -> AsyncIterator[Live]:
    """A database of which the values that are filled in stay from now on."""
    async with live(empty_url, project, up=UP, backfill=FILL, contract=CONTRACT) as it:
        await it.execute("UPDATE t SET b = 7 WHERE b IS NULL")
        await it.execute(MANY)
        yield it


@pytest.fixture
async def engine(it: Live) -> AsyncIterator[AsyncEngine]:
    engine = create_engine(it.url, Purpose.MIGRATE)
    yield engine
    await engine.dispose()


async def call(connection: AsyncConnection, verb: Verb, url: str) -> list[str]:
    return await connection.run_sync(lambda sync: verb(url, connection=sync))


async def by_url(it: Live) -> dict[str, list[str]]:
    """The state after each verb, of a migrator that connects by itself."""
    states = {}
    for name in VERBS:
        await getattr(it, name)()
        states[name] = await it.state()
    return states


@pytest.mark.slow
async def test_each_verb_does_what_it_does_by_url(it: Live, engine: AsyncEngine) -> None:
    states = await by_url(it)
    async with engine.connect() as connection:
        for name, verb in VERBS.items():
            assert await call(connection, verb, it.url) == ["0002_change"]
            assert await it.state() == states[name]
        assert not connection.in_transaction()
        for name, verb in VERBS.items():
            async with connection.begin():
                assert await call(connection, verb, it.url) == ["0002_change"]
            assert await it.state() == states[name]


async def test_all_of_them_in_one_transaction_leave_nothing_when_that_is_rolled_back(
    it: Live, engine: AsyncEngine
) -> None:
    before = await it.state()
    async with engine.connect() as connection:
        await connection.begin()
        for name in ("up", "backfill", "contract", "undo_contract", "contract"):
            await call(connection, VERBS[name], it.url)
        assert (await connection.exec_driver_sql("SELECT count(*) FROM t WHERE c IS NULL")).scalar() == 0
        assert await call(connection, commands.purge, it.url) == ["t.a"]
        await connection.rollback()
    assert await it.state() == before
    assert (await status(it.url)).current == ("0001_base",)
    await it.up()


async def test_others_have_their_turn_in_the_loop_meanwhile(it: Live, engine: AsyncEngine) -> None:
    await it.up()
    turns = 0

    async def take_turns() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    others = asyncio.create_task(take_turns())
    async with engine.connect() as connection:
        await call(connection, commands.backfill, it.url)
    others.cancel()
    assert turns > 100


@pytest.mark.slow
async def test_each_verb_may_be_called_where_a_loop_runs(it: Live) -> None:
    before = await it.state()
    for verb in VERBS.values():
        assert verb(it.url) == ["0002_change"]
    assert await it.state() == before


async def test_a_refusal_inside_a_transaction_leaves_it_to_its_owner(it: Live, engine: AsyncEngine) -> None:
    await it.up()
    before = await it.state()
    async with engine.connect() as connection:
        await connection.begin()
        with pytest.raises(Refused, match="cannot be contracted: the backfill of"):
            await call(connection, commands.contract, it.url)
        assert connection.in_transaction()
        await call(connection, commands.backfill, it.url)
        await connection.rollback()
    assert await it.state() == before


@pytest.fixture
def plain(tmp_path: Path) -> Iterator[sa.Engine]:
    """An engine that knows of no loop."""
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'plain.db'}")
    yield engine
    engine.dispose()


def test_a_plain_synchronous_connection_goes_there_and_back(plain: sa.Engine, project: Project) -> None:
    project.clear()
    project.add_safe("0001_base", after=None, up=BASE)
    url = f"sqlite:///{plain.url.database}"
    commands.upgrade(url)
    project.add_safe("0002_change", after="0001_base", up=UP, backfill=FILL, contract=CONTRACT)
    with plain.begin() as connection:
        connection.exec_driver_sql("INSERT INTO t (id, a) VALUES (1, 'one'), (2, 'two')")
    with plain.connect() as connection:
        for verb in VERBS.values():
            assert verb(url, connection=connection) == ["0002_change"]
        assert connection.exec_driver_sql("SELECT a FROM t").scalars().all() == ["one", "two"]
