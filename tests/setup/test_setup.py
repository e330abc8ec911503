"""The first administrator, made once with the code of the setup URL."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest

from service.app import create_app
from service.http.auth.setup_code import SetupCode
from service.settings import Settings
from tests.conftest import client_of

CODE, KEPT = SetupCode.new()
BOOTSTRAP = "b" * 32
ANN = {"name": "Ann", "email": "ann@example.org", "password": "correct horse battery"}


@pytest.fixture
async def unused(fresh_url: str) -> AsyncIterator[httpx.AsyncClient]:
    """A caller of a service that has no administrator yet."""
    roster = create_app(Settings(database_url=fresh_url, bootstrap_token=BOOTSTRAP), KEPT)
    async with client_of(roster) as client:
        yield client
    roster.passwords.close()
    await roster.database.close()


async def set_up(client: httpx.AsyncClient, code: str = CODE, **more: Any) -> httpx.Response:
    return await client.post("/v1/setup", json={"code": code, **ANN, **more})


async def test_the_first_administrator_gets_a_password_and_a_token(unused: httpx.AsyncClient) -> None:
    for wrong in (CODE[:-1], f"{CODE} ", "b" * 31):
        assert (await set_up(unused, wrong)).status_code == 403
    made = await set_up(unused)
    assert made.status_code == 201, made.text
    assert (made.headers["cache-control"], made.headers["location"]) == ("no-store", f"/v1/users/{made.json()['id']}")
    headers = {"authorization": f"Bearer {made.json()['token']}"}
    assert (await unused.get("/v1/users")).status_code == 401
    shown = (await unused.get(made.headers["location"], headers=headers)).json()
    assert (shown["email"], shown["version"]) == ("ann@example.org", made.json()["version"])
    assert (await unused.get("/v1/tokens", headers=headers)).status_code == 200
    session = await unused.post("/v1/sessions", json={"email": ANN["email"], "password": ANN["password"]})
    assert session.status_code == 201
    again = await set_up(unused, email="eve@example.org")
    assert (again.status_code, again.json()["detail"][:32]) == (409, "An administrator exists already;")


async def test_of_two_requests_at_once_one_makes_the_administrator(unused: httpx.AsyncClient) -> None:
    made = await asyncio.gather(*(set_up(unused, code, email=f"{code[:4]}@example.org") for code in (CODE, BOOTSTRAP)))
    assert sorted(each.status_code for each in made) == [201, 409]


async def test_what_is_wrong_is_named(unused: httpx.AsyncClient) -> None:
    for wrong in ({"password": "short"}, {"password": "password1"}, {"email": "ann"}, {"name": ""}, {"code": ""}):
        refused = await unused.post("/v1/setup", json={"code": CODE, **ANN, **wrong})
        assert refused.status_code == 422
        assert [each["pointer"] for each in refused.json()["errors"]] == [f"/{name}" for name in wrong]


def test_a_code_is_long_and_ends_after_half_an_hour() -> None:
    assert len(CODE) >= 32
    assert KEPT.matches(CODE)
    assert not replace(KEPT, expires_at=KEPT.expires_at - timedelta(minutes=30)).matches(CODE)
    assert CODE not in repr(KEPT)
