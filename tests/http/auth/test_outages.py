"""While the database is away or has no schema: closed, but for what an operator needs to see."""

import asyncio
from pathlib import Path

import httpx
import pytest
from sqlalchemy import make_url

from service.app import Roster, create_app
from service.http.auth import lookup
from service.settings import Settings
from tests.callers import add_caller
from tests.conftest import client_of, copy_of

OPERATORS = ("/metrics", "/version")


def on(url: str) -> Roster:
    return create_app(Settings(database_url=url, unit_deadline_seconds=0.05, busy_seconds=0.05))


async def statuses(client: httpx.AsyncClient, *paths: str, **headers: str) -> list[int]:
    return [(await client.get(path, headers=headers)).status_code for path in paths]


async def test_metrics_take_a_token_that_was_valid_before(
    sqlite_template_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lookup, "CACHE_SECONDS", 0.01)
    url = copy_of(sqlite_template_url, tmp_path)
    roster = on(url)
    admin = await add_caller(roster, "admin")
    async with client_of(roster) as client:
        assert await statuses(client, *OPERATORS, **admin.headers) == [200, 200]
        assert await statuses(client, *OPERATORS) == [401, 401]
        await asyncio.sleep(0.01)
        Path(make_url(url).database or "").unlink()
        assert await statuses(client, *OPERATORS, "/v1/users", **admin.headers) == [200, 200, 503]
        # Nobody else, and not after this process changed something.
        assert await statuses(client, *OPERATORS) == [401, 401]
        roster.authentication.forget()
        assert await statuses(client, *OPERATORS, **admin.headers) == [503, 503]
    await roster.database.close()


async def test_a_service_that_was_open_stays_so_for_its_operator(sqlite_template_url: str, tmp_path: Path) -> None:
    url = copy_of(sqlite_template_url, tmp_path)
    roster = on(url)
    async with client_of(roster) as client:
        assert await statuses(client, "/v1/users") == [200]
        Path(make_url(url).database or "").unlink()
        roster.authentication.forget()
        assert await statuses(client, *OPERATORS, "/v1/users") == [200, 200, 503]
    await roster.database.close()


async def test_a_service_that_never_knew_is_closed() -> None:
    roster = on("postgresql://nobody@127.0.0.1:1/none")
    async with client_of(roster) as client:
        assert await statuses(client, *OPERATORS, "/v1/users", "/livez") == [503, 503, 503, 200]
    await roster.database.close()


async def test_without_a_schema_only_its_operator_is_answered(empty_url: str) -> None:
    roster = on(empty_url)
    async with client_of(roster) as client:
        assert await statuses(client, *OPERATORS, "/v1/users") == [200, 200, 503]
        assert "roster db upgrade" in (await client.get("/v1/users")).json()["detail"]
    await roster.database.close()
