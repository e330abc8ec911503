"""A step with a blocking lock is cancelled after seconds; other steps may take as long as they need."""

import asyncio

import pytest

from service.db.engine import Purpose, create_engine
from service.migrate.entrypoints import commands
from service.migrate.entrypoints.status import status
from service.migrate.errors import Refused
from service.migrate.run import executor
from tests.migrate.company import HOLDING, Migrator, audit, until
from tests.migrate.operations.live import live
from tests.migrate.project import Project

SLOW = """
SLOW = ["ALTER TABLE t ADD c integer", "SELECT pg_sleep({seconds})"]
ops.add_column("t", sa.Column("d", sa.Integer()), derived=True)
ops.execute("take long", postgresql=SLOW, undo_postgresql=["ALTER TABLE t DROP c"], lock=ops.Lock.{lock}, tables=["t"])
ops.add_column("t", sa.Column("e", sa.Integer()), derived=True)
"""


@pytest.fixture(autouse=True)
def moment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executor, "_LOCKED_SECONDS", 0.4)


@pytest.mark.parametrize("lock", ["ACCESS_EXCLUSIVE", "SHARE_ROW_EXCLUSIVE"])
async def test_one_that_takes_long_under_a_lock_is_given_up_and_requests_go_on(
    empty_postgres_url: str, project: Project, lock: str
) -> None:
    async with live(empty_postgres_url, project, up=SLOW.format(lock=lock, seconds=600)) as it:
        before = await it.state()
        migrator = Migrator.start(commands.upgrade, it.url)
        await until(it.store, HOLDING, "t")
        async with asyncio.timeout(10):
            request = await it.execute("SELECT count(*) FROM t")
        assert request == [{"count": 3}]
        told = (
            rf"^0002_change: take long was cancelled after 0\.4 seconds under {lock.replace('_', ' ')}, "
            r"which blocks requests\. The steps before it stay done\.$"
        )
        with pytest.raises(Refused, match=told):
            await migrator.done()
        assert [line for line in await it.state() if line not in before and "d" not in line] == []
        (row,) = await audit(it.store, "outcome", "attempts", "seconds", step="take long")
        assert (row["outcome"], row["attempts"]) == ("failed", 1)
        assert row["seconds"] >= 0.4
        await it.down()
        assert await it.state() == before


@pytest.mark.parametrize("lock", ["SHARE_UPDATE_EXCLUSIVE", "NONE"])
async def test_one_that_keeps_nobody_waiting_takes_as_long_as_it_takes(
    empty_postgres_url: str, project: Project, lock: str
) -> None:
    async with live(empty_postgres_url, project, up=SLOW.format(lock=lock, seconds=0.6)) as it:
        await it.up()
        assert (await status(it.url)).is_sound


async def test_a_scan_and_an_index_take_as_long_as_they_take(empty_postgres_url: str, project: Project) -> None:
    up = """
ops.add_check("t", "ck_t_b", "slowly(b)")
ops.create_index("ix_t_b", "t", ["slowly(b)"])
"""
    slowly = """
    CREATE FUNCTION slowly(value integer) RETURNS boolean LANGUAGE plpgsql IMMUTABLE
    AS $$ BEGIN PERFORM pg_sleep(0.15); RETURN true; END $$
    """
    async with live(empty_postgres_url, project, up=up) as it:
        await it.execute(slowly)
        await it.up()
        took = {row["step"]: row["seconds"] for row in await audit(it.store, "step", "seconds")}
        assert took["VALIDATE CONSTRAINT ck_t_b ON t"] >= 0.45
        assert took["CREATE INDEX CONCURRENTLY ix_t_b ON t"] >= 0.45


async def test_what_the_steps_set_for_themselves_is_not_left_to_a_connection_handed_in(
    empty_postgres_url: str, project: Project
) -> None:
    async with live(empty_postgres_url, project, up='ops.create_index("ix_t_a", "t", ["a"])') as it:
        engine = create_engine(it.url, Purpose.SERVE)
        async with engine.connect() as connection:
            asked = "SELECT name, setting FROM pg_settings WHERE name IN ('lock_timeout', 'statement_timeout')"
            before = (await connection.exec_driver_sql(asked)).all()
            await connection.rollback()
            await connection.run_sync(lambda sync: commands.upgrade(it.url, connection=sync))
            assert (await connection.exec_driver_sql(asked)).all() == before
        await engine.dispose()
