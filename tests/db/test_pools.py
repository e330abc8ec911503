import asyncio
from time import monotonic

import httpx
import pytest
from sqlalchemy import AsyncAdaptedQueuePool, text
from sqlalchemy.ext.asyncio import AsyncEngine

from service.app import Roster, create_app
from service.settings import Settings
from tests.conftest import client_of
from tests.db.conftest import checked_out


async def test_an_exhausted_pool_answers_503_in_time_and_then_recovers(roster: Roster) -> None:
    settings = Settings(database_url=roster.settings.database_url, pool_size=1, pool_wait_seconds=0.2)
    small = create_app(settings)
    user = {"name": "Ann", "email": "ann@example.org"}
    async with client_of(small) as client:
        async with small.database.reading.connect(), small.database.writing.begin() as writing:
            # On SQLite writers wait for the transaction, not for a connection.
            await writing.execute(text("SELECT 1"))
            started = monotonic()
            answers = await asyncio.gather(
                *(client.get("/v1/users") for _ in range(20)), *(client.post("/v1/users", json=user) for _ in range(20))
            )
            assert monotonic() - started < 2
        for answer in answers:
            assert answer.status_code == 503
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.headers["retry-after"] == "1"
            assert answer.json()["detail"] == "All connections to the database are busy."
        assert (await client.post("/v1/users", json=user)).status_code == 201
        assert (await client.get("/v1/users")).status_code == 200
    await small.database.close()


def occupied(engine: AsyncEngine) -> tuple[int, int]:
    assert isinstance(engine.pool, AsyncAdaptedQueuePool)
    return engine.pool.checkedout(), engine.pool.checkedin()


@pytest.mark.parametrize("query", ["limit=0", "cursor=none"])
async def test_requests_that_are_refused_never_touch_the_pool(
    roster: Roster, client: httpx.AsyncClient, query: str
) -> None:
    # Whether there is an administrator is asked for by each of the first requests.
    await asyncio.gather(*(client.get("/v1/users?limit=1") for _ in range(10)))
    before = occupied(roster.database.reading), occupied(roster.database.writing)
    answers = await asyncio.gather(*(client.get(f"/v1/users?{query}") for _ in range(300)))
    assert {answer.status_code for answer in answers} <= {400, 422}
    assert (occupied(roster.database.reading), occupied(roster.database.writing)) == before
    assert (await client.get("/v1/users?limit=1")).status_code == 200


async def test_bodies_that_are_refused_never_touch_the_pool(roster: Roster, client: httpx.AsyncClient) -> None:
    before = occupied(roster.database.writing)
    answers = await asyncio.gather(*(client.post("/v1/users", json={"name": 3}) for _ in range(300)))
    assert {answer.status_code for answer in answers} == {422}
    assert occupied(roster.database.writing) == before
    assert checked_out(roster.database.writing) == 0
