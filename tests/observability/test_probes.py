import httpx
import pytest

from service import __version__
from service.app import create_app
from service.migrate.entrypoints.aio import head_revision, upgrade
from service.settings import Settings
from tests.conftest import client_of
from tests.migrate.conftest import project
from tests.migrate.project import Project, following

__all__ = ["project"]


async def test_is_alive_without_a_database() -> None:
    async with client_of(create_app(Settings(database_url="postgresql://nobody@127.0.0.1:1/none"))) as client:
        answer = await client.get("/livez")
        assert (answer.status_code, answer.json()) == (200, {"status": "alive"})


async def test_is_ready_at_head(client: httpx.AsyncClient) -> None:
    answer = await client.get("/readyz")
    assert answer.json() == {"status": "ready", "revision": head_revision(), "schema": "compatible"}


async def test_is_not_ready_before_there_is_a_schema(empty_url: str) -> None:
    await _assert_not_ready(empty_url, "roster db upgrade")


@pytest.mark.slow
async def test_is_not_ready_on_a_schema_too_old(empty_url: str) -> None:
    await upgrade(empty_url, "0001_create_users")
    await _assert_not_ready(empty_url, "older than this code works with")


async def test_is_not_ready_while_the_database_is_away() -> None:
    await _assert_not_ready("postgresql://nobody@127.0.0.1:1/none", "cannot answer")


async def test_is_ready_beside_newer_code(fresh_url: str, project: Project) -> None:
    newer = following("of_the_next_version")
    project.add(newer, after=head_revision())
    await upgrade(fresh_url)
    project.remove(newer)
    roster = create_app(Settings(database_url=fresh_url))
    async with client_of(roster) as client:
        answer = await client.get("/readyz")
    await roster.database.close()
    assert (answer.status_code, answer.json()["status"], answer.json()["revision"]) == (200, "ready", newer)


async def test_tells_its_version(client: httpx.AsyncClient) -> None:
    answer = await client.get("/version")
    assert answer.json() == {"name": "roster", "version": __version__}


@pytest.mark.parametrize("path", ["/v1/users", "/v1/users/1", "/nothing/here"])
async def test_counts_requests_by_route_and_not_by_path(client: httpx.AsyncClient, path: str) -> None:
    status = (await client.get(path)).status_code
    route = {"/v1/users/1": "/v1/users/{user_id}", "/nothing/here": "none"}.get(path, path)
    counter = f'roster_request_seconds_count{{method="GET",route="{route}",status="{status}"}} '
    before = (await client.get("/metrics")).text
    await client.get(path)
    after = (await client.get("/metrics")).text
    assert _value(after, counter) == _value(before, counter) + 1
    assert "/v1/users/1" not in after


async def test_tells_how_busy_the_pools_are(client: httpx.AsyncClient) -> None:
    await client.get("/v1/users")
    figures = (await client.get("/metrics")).text
    assert 'roster_pool_connections{purpose="read",state="busy"} 0.0' in figures


def _value(figures: str, counter: str) -> float:
    return float(figures.partition(f"\n{counter}")[2].split()[0])


async def _assert_not_ready(url: str, why: str) -> None:
    roster = create_app(Settings(database_url=url))
    async with client_of(roster) as client:
        answer = await client.get("/readyz")
    await roster.database.close()
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) >= 1
    assert why in answer.json()["detail"]
