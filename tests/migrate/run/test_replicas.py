"""Neither a step with a blocking lock nor a batch of a backfill starts while a replica lags."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from sqlalchemy import make_url

from service.migrate.entrypoints import commands
from service.migrate.errors import Refused
from service.migrate.run.backfill import runner
from service.migrate.run.locking.limits import WaitLimits
from tests.alembic.store import Store, opened
from tests.migrate.company import Migrator, audit, until
from tests.migrate.filling import BASE, COLUMN, FILLED, IN_SQL, ROWS, watched
from tests.migrate.operations.live import Live, live
from tests.migrate.project import Project
from tests.migrate.run.backfill.test_throttle import Told
from tests.migrate.standby import replicating
from tests.postgres import Server, ephemeral_server, execute, fresh_database

pytestmark = pytest.mark.postgresql

# Of these steps readers notice the second alone.
UP = """
ops.execute("look at t", postgresql=["ANALYZE t"], tables=["t"], lock=ops.Lock.SHARE_UPDATE_EXCLUSIVE)
ops.add_column("t", sa.Column("c", sa.Integer()), derived=True)
"""
REPLAYED = "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming' AND replay_lsn = pg_current_wal_lsn()"
BEHIND = r"replicas behind: walreceiver \(\d+\.\d s\)\."


async def fall_behind(it: Live, replica: Store) -> None:
    """Rows are written, and not replayed."""
    await until(it.store, REPLAYED)
    await replica.execute("SELECT pg_wal_replay_pause()")
    async with asyncio.timeout(20):
        while not await it.value("SELECT count(*) FROM pg_stat_replication WHERE replay_lag > '0.2 s'"):
            await it.execute("UPDATE t SET b = b + 1")
            await asyncio.sleep(0.02)


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[Server, Server]]:
    """A server and its standby."""
    with ephemeral_server() as primary, replicating(primary) as standby:
        yield primary, standby


@asynccontextmanager
async def replicated(
    servers: tuple[Server, Server], project: Project, **change: Any
) -> AsyncIterator[tuple[Live, Store]]:
    """A database, and the same on the standby, which replays whatever the test before has left."""
    primary, standby = servers
    await execute(standby.url, "SELECT pg_wal_replay_resume()")
    async with fresh_database(primary.url) as url, live(url, project, **change) as it:
        await replayed(it)
        async with opened(make_url(url).set(port=standby.port).render_as_string(hide_password=False)) as replica:
            yield it, replica


async def test_a_step_waits_until_no_replica_is_behind(servers: tuple[Server, Server], project: Project) -> None:
    wait_limits = WaitLimits(lag_seconds=0.1)
    async with replicated(servers, project, up=UP) as (it, replica):
        with pytest.raises(Refused, match="This PostgreSQL server is a standby, which is read-only"):
            await asyncio.to_thread(commands.upgrade, replica.url)
        await fall_behind(it, replica)
        before = await it.catalog()
        given_up = rf"0002_change: ADD COLUMN t\.c gave up after 0\.5 seconds; {BEHIND} Run the command again\."
        with pytest.raises(Refused) as refused:
            await asyncio.to_thread(
                commands.upgrade, it.url, wait_limits=WaitLimits(lag_seconds=0.1, deadline_seconds=0.5)
            )
        assert re.fullmatch(given_up, str(refused.value))
        assert await it.catalog() == before
        migrator = Migrator.start(commands.upgrade, it.url, wait_limits=wait_limits)
        told = await migrator.tells("replicas behind")
        assert re.fullmatch(rf"0002_change: ADD COLUMN t\.c waits; {BEHIND}", told)
        assert await it.catalog() == before
        await replica.execute("SELECT pg_wal_replay_resume()")
        assert await migrator.done() == ["0002_change"]
        assert await audit(it.store, "step", "outcome", "attempts", revision="0002_change") == [
            {"step": "look at t", "outcome": "done", "attempts": 1},
            {"step": "ADD COLUMN t.c", "outcome": "failed", "attempts": 0},
            {"step": "ADD COLUMN t.c", "outcome": "done", "attempts": 1},
        ]


@pytest.mark.slow
async def test_a_backfill_waits_for_a_replica_that_falls_behind(
    servers: tuple[Server, Server], project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "_TARGET_SECONDS", 0.0)
    change = {"base": BASE, "rows": FILLED, "up": COLUMN, "backfill": IN_SQL}
    async with replicated(servers, project, **change) as (it, replica):
        await it.up()
        await replayed(it)
        await replica.execute("SELECT pg_wal_replay_pause()")
        with pytest.raises(Refused, match=rf"0002_change: BACKFILL t\.b gave up after 1 second.*; {BEHIND}"):
            await watched(it.url, wait_limits=WaitLimits(deadline_seconds=1, lag_seconds=0.001))
        assert await it.value("SELECT count(*) FROM t WHERE b IS NULL") > 0
        told = await Told.of(it, wait_limits=WaitLimits(lag_seconds=0.001))
        await told.first()
        assert re.fullmatch(rf"0002_change: BACKFILL t\.b waits; {BEHIND}", told.sentences[0])
        await replica.execute("SELECT pg_wal_replay_resume()")
        assert await told.work == ["0002_change"]
        assert await it.value("SELECT count(*) FROM t WHERE b = lower(a)") == ROWS


async def replayed(it: Live) -> None:
    """Return when the replica has all that there is."""
    asked = "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming' AND replay_lsn >= $1::text::pg_lsn"
    now = await it.value("SELECT pg_current_wal_lsn()::text")
    while not (await it.execute(asked, now))[0]["count"]:
        await asyncio.sleep(0.01)
