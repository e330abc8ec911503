import asyncio
import sys
from time import perf_counter

import asyncpg
import pytest

from service.app import Roster, create_app
from service.settings import Settings
from tests.db.conftest import checked_out
from tests.db.load import durations, load_on, stored

SECONDS = 4.0
EVERY_SECONDS = 0.06
KILL = """
SELECT count(pg_terminate_backend(pid)) FROM (
    SELECT pid FROM pg_stat_activity
    WHERE datname = current_database() AND application_name LIKE 'roster %' ORDER BY random() LIMIT 4
) AS victims
"""


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
async def test_backends_killed_all_the_time_fail_lose_and_double_nothing(roster: Roster, shared_url: str) -> None:
    # However slow the machine: what is asked for is that every request ends well, not when.
    victim = create_app(Settings(database_url=shared_url, pool_size=6, pool_wait_seconds=60, unit_deadline_seconds=60))
    killer = await asyncpg.connect(shared_url)
    killed = 0
    async with load_on(victim) as load:
        until = perf_counter() + SECONDS
        while perf_counter() < until or killed == 0:
            killed += await killer.fetchval(KILL)
            await asyncio.sleep(EVERY_SECONDS)
    await killer.close()
    sys.stdout.write(f"{killed} killed; {load}\n")
    assert [answer.text for answer in load.failed] == []
    assert await stored(victim) == dict.fromkeys(load.created, 1)
    assert await durations(victim) == load.changed
    assert checked_out(victim.database.reading) == checked_out(victim.database.writing) == 0
    await victim.database.close()
