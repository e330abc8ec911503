"""The login history over HTTP, on both databases."""

from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import update

from service.app import Roster
from service.db import clock
from service.models import Login
from tests.conftest import Make
from tests.logins.test_limits import ELSEWHERE, HOME, attempt, store
from tests.nouns import invalid, not_found, problem


async def listed(client: httpx.AsyncClient, path: str = "/v1/logins", **parameters: Any) -> list[dict[str, Any]]:
    answer = await client.get(path, params=parameters)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def test_every_filter_is_kept_over_all_pages(roster: Roster, client: httpx.AsyncClient) -> None:
    outcomes = ["ok", "wrong", "throttled", "inactive"] * 6
    await store(roster, attempt(), *outcomes, ago=7_200)
    await store(roster, attempt("bob@example.org", ELSEWHERE), *outcomes, ago=3_600)
    since = (clock.now() - timedelta(seconds=5_000)).isoformat()
    cases: list[tuple[dict[str, Any], int]] = [
        ({}, 48),
        ({"outcome": "wrong"}, 12),
        ({"address": HOME}, 24),
        ({"address": HOME, "outcome": "ok"}, 6),
        ({"since": since}, 24),
        ({"until": since, "outcome": "inactive", "email": "ANN@example.org"}, 6),
        ({"address": ELSEWHERE, "until": since}, 0),
    ]
    for parameters, count in cases:
        for sort in ("time", "-time"):
            ids: list[int] = []
            cursor: dict[str, str] = {}
            while True:
                answer = await client.get("/v1/logins", params={**parameters, **cursor, "sort": sort, "limit": 5})
                page = answer.json()
                ids += [each["id"] for each in page["items"]]
                if page["next_cursor"] is None:
                    break
                cursor = {"cursor": page["next_cursor"]}
            assert ids == sorted(set(ids), reverse=sort == "-time"), parameters
            assert len(ids) == count, parameters


async def test_the_time_is_the_id(roster: Roster, client: httpx.AsyncClient) -> None:
    await store(roster, attempt(), "ok", "wrong", ago=60)
    newest, oldest = await listed(client)
    assert (newest["outcome"], oldest["outcome"]) == ("wrong", "ok")
    assert newest["id"] - oldest["id"] == 1_000_000
    assert [each["id"] for each in await listed(client, since=newest["time"])] == [newest["id"]]
    assert [each["id"] for each in await listed(client, until=newest["time"])] == [oldest["id"]]


async def test_a_user_has_the_logins_of_that_account(roster: Roster, client: httpx.AsyncClient, make: Make) -> None:
    ann = await make("users", email="ann@example.org")
    await store(roster, attempt(), "ok", "wrong", ago=60)
    async with roster.database.writing.begin() as connection:
        await connection.execute(update(Login).where(Login.outcome == "ok").values(user_id=ann["id"]))
    assert [each["outcome"] for each in await listed(client, f"/v1/users/{ann['id']}/logins")] == ["ok"]
    assert await listed(client, f"/v1/users/{ann['id']}/logins", outcome="wrong") == []
    assert [each["outcome"] for each in await listed(client, user_id=ann["id"])] == ["ok"]
    assert problem(await client.get("/v1/users/4711/logins")) == not_found("There is no user 4711.")


@pytest.mark.parametrize(
    ("parameters", "errors"),
    [
        (
            {"address": "home"},
            [
                {
                    "detail": "An IP address such as 203.0.113.9 or 2001:db8::1, or unknown, is expected.",
                    "parameter": "address",
                }
            ],
        ),
        ({"outcome": "failed"}, [{"detail": "Invalid enum value 'failed'.", "parameter": "outcome"}]),
        (
            {"since": "yesterday", "colour": "red"},
            [
                {"detail": "Invalid RFC3339 encoded datetime.", "parameter": "since"},
                {"detail": "There is no such parameter.", "parameter": "colour"},
            ],
        ),
        (
            {"since": "2026-11-28T12:00:00"},
            [{"detail": "Expected datetime with a timezone component.", "parameter": "since"}],
        ),
    ],
)
async def test_a_wrong_filter_is_named(client: httpx.AsyncClient, parameters: Any, errors: Any) -> None:
    assert problem(await client.get("/v1/logins", params=parameters)) == invalid(*errors)


async def test_a_time_outside_of_all_time_finds_nothing_or_is_refused(client: httpx.AsyncClient) -> None:
    for text in ("0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00+23:59"):
        answer = await client.get("/v1/logins", params={"since": text, "until": text})
        assert answer.status_code in (200, 422), answer.text
