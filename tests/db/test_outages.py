import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable

import asyncpg
import pytest
from sqlalchemy import make_url

from service.app import create_app
from service.migrate.entrypoints.aio import upgrade
from service.settings import Settings
from tests.db.conftest import checked_out
from tests.db.load import load_on, stored
from tests.postgres import Server, fresh_database

pytestmark = pytest.mark.slow

DEADLINE_SECONDS = 0.2
AWAY_SECONDS = 0.5


async def restart(server: Server) -> None:
    """Stop it as an administrator does, and start it after a while."""
    await asyncio.to_thread(server.stop)
    await asyncio.sleep(AWAY_SECONDS)
    await asyncio.to_thread(server.start)


async def crash(server: Server) -> None:
    """End the postmaster and every process of it at once, and start it after a while."""
    connection = await asyncpg.connect(server.url)
    processes = [row["pid"] for row in await connection.fetch("SELECT pid FROM pg_stat_activity")]
    for process in (server.pid, *processes):
        os.kill(process, signal.SIGKILL)
    connection.terminate()
    await restart(server)


async def kill_postmaster(server: Server) -> None:
    """End the postmaster alone; its children notice by themselves."""
    os.kill(server.pid, signal.SIGKILL)
    await restart(server)


@pytest.fixture(scope="module")
async def template(battered_postgres: Server) -> AsyncIterator[str]:
    """The name of a database at head, to be copied."""
    async with fresh_database(battered_postgres.url, "template") as url:
        await upgrade(url)
        yield make_url(url).database or ""


@pytest.mark.parametrize("outage", [restart, kill_postmaster, crash])
async def test_an_outage_hangs_no_request_and_is_recovered_from(
    battered_postgres: Server, template: str, outage: Callable[[Server], Awaitable[None]]
) -> None:
    async with fresh_database(battered_postgres.url, "outage", template=template) as url:
        roster = create_app(Settings(database_url=url, unit_deadline_seconds=DEADLINE_SECONDS))
        async with load_on(roster) as load:
            await asyncio.sleep(0.5)
            await outage(battered_postgres)
            await asyncio.sleep(0.5)
            # Whatever was asked during the outage has its answer by now or gets it soon.
            before = load.statuses.copy()
            async with asyncio.timeout(20):
                while min((load.statuses - before)[status] for status in (200, 201)) < 20:
                    await asyncio.sleep(0.01)
        sys.stdout.write(f"{load}\n")
        assert set(load.statuses) <= {200, 201, 503}
        for answer in load.failed:
            assert answer.headers["content-type"] == "application/problem+json"
            assert int(answer.headers["retry-after"]) >= 1
        titles = await stored(roster)
        assert {title: titles.pop(title, 0) for title in load.created} == dict.fromkeys(load.created, 1)
        assert {title: titles.pop(title, 0) for title in load.refused} == dict.fromkeys(load.refused, 0)
        assert set(titles) <= set(load.unsettled)
        assert set(titles.values()) <= {1}
        assert checked_out(roster.database.reading) == checked_out(roster.database.writing) == 0
        await roster.database.close()
