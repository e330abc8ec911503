import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncSession

from service.app import Roster, create_app
from service.http.answers import Answer
from service.http.auth.actors import OPEN
from service.http.idempotency import Once, forget_old
from service.models import IdempotencyKey
from service.settings import Settings
from tests.conftest import client_of
from tests.nouns import NOUNS, Noun, conflict, invalid, malformed, problem

KEY = {"idempotency-key": "e3b0c442-98fc/1c14"}


async def count(client: httpx.AsyncClient, path: str) -> int:
    return len((await client.get(path)).json()["items"])


@pytest.mark.parametrize("noun", NOUNS.values(), ids=NOUNS)
async def test_the_same_request_gets_the_same_answer(client: httpx.AsyncClient, noun: Noun) -> None:
    first = await client.post(noun.path, json=noun.most, headers=KEY)
    await client.patch(first.headers["location"], json=noun.change)
    again = await client.post(noun.path, json=noun.most, headers=KEY)
    assert (first.status_code, "idempotency-replayed" in first.headers) == (201, False)
    assert (again.status_code, again.content) == (201, first.content)
    expected = {**first.headers, "x-request-id": again.headers["x-request-id"], "idempotency-replayed": "true"}
    assert dict(again.headers) == expected
    assert await count(client, noun.path) == 1


async def test_the_answer_outlives_what_it_tells_of(client: httpx.AsyncClient) -> None:
    first = await client.post("/v1/records", json={"title": "a"}, headers=KEY)
    await client.delete(first.headers["location"])
    assert (await client.post("/v1/records", json={"title": "a"}, headers=KEY)).content == first.content
    assert await count(client, "/v1/records") == 0


async def test_without_a_key_twice_is_two(client: httpx.AsyncClient) -> None:
    for _ in range(2):
        await client.post("/v1/records", json={"title": "a"})
    assert await count(client, "/v1/records") == 2


async def test_a_key_is_for_one_request_alone(client: httpx.AsyncClient) -> None:
    await client.post("/v1/records", json={"title": "a"}, headers=KEY)
    answer = await client.post("/v1/records", json={"title": "b"}, headers=KEY)
    assert problem(answer) == invalid(
        {"detail": "Use a new key for a new request.", "parameter": "Idempotency-Key"}
    ) | {"detail": "This Idempotency-Key was used with another body."}
    assert await count(client, "/v1/records") == 1


async def test_the_same_key_elsewhere_is_another(client: httpx.AsyncClient) -> None:
    for path in ("/v1/departments", "/v1/employees"):
        answer = await client.post(path, json={"name": "a"}, headers=KEY)
        assert (answer.status_code, "idempotency-replayed" in answer.headers) == (201, False)


async def test_all_who_ask_the_same_at_once_get_one_answer(client: httpx.AsyncClient) -> None:
    answers = await asyncio.gather(*(client.post("/v1/records", json={"title": "a"}, headers=KEY) for _ in range(10)))
    assert {(each.status_code, each.content) for each in answers} == {(201, answers[0].content)}
    assert sum("idempotency-replayed" in each.headers for each in answers) == 9
    assert await count(client, "/v1/records") == 1


async def test_a_request_that_failed_left_nothing_behind(client: httpx.AsyncClient) -> None:
    user = (await client.post("/v1/users", json={"name": "a", "email": "a@b"})).headers["location"]
    refused = await client.post("/v1/users", json={"name": "b", "email": "a@b"}, headers=KEY)
    assert problem(refused) == conflict("Another user has this email.", "email")
    assert (await client.post("/v1/users", json={"name": ""}, headers=KEY)).status_code == 422
    await client.delete(user)
    answer = await client.post("/v1/users", json={"name": "b", "email": "a@b"}, headers=KEY)
    assert (answer.status_code, "idempotency-replayed" in answer.headers) == (201, False)


@pytest.mark.parametrize("key", ["", " ", "a b", "a" * 201, "\u00e4", "a\tb"])
async def test_a_key_is_printable_ascii(client: httpx.AsyncClient, key: str) -> None:
    answer = await client.post("/v1/records", json={"title": "a"}, headers={b"idempotency-key": key.encode("latin-1")})
    assert problem(answer) == malformed("Idempotency-Key is 1 to 200 printable ASCII characters without spaces.")
    assert await count(client, "/v1/records") == 0


@pytest.mark.parametrize("key", ["a", "~" * 200, '"quoted"'])
async def test_takes_keys_of_every_length(client: httpx.AsyncClient, key: str) -> None:
    answers = [await client.post("/v1/records", json={"title": "a"}, headers={"idempotency-key": key}) for _ in "ab"]
    assert answers[0].content == answers[1].content


async def test_two_keys_at_once_are_none(client: httpx.AsyncClient) -> None:
    headers = [("idempotency-key", "a"), ("idempotency-key", "b")]
    answer = await client.post("/v1/records", json={"title": "a"}, headers=headers)
    assert answer.status_code == 400


async def test_an_answer_past_its_lifetime_is_not_given_again(roster: Roster, shared_url: str) -> None:
    forgetful = create_app(Settings(database_url=shared_url, idempotency_hours=0))
    async with client_of(forgetful) as client:
        first = await client.post("/v1/records", json={"title": "a"}, headers=KEY)
        other = await client.post("/v1/records", json={"title": "b"}, headers=KEY)
    await forgetful.database.close()
    assert (other.status_code, other.json()["id"] > first.json()["id"]) == (201, True)
    assert "idempotency-replayed" not in other.headers


async def test_forgets_answers_past_their_lifetime_some_at_a_time(roster: Roster, client: httpx.AsyncClient) -> None:
    for key in "abc":
        await client.post("/v1/records", json={"title": key}, headers={"idempotency-key": key})

    async def forget(lifetime: timedelta) -> int:
        return await roster.database.units.run(lambda session: forget_old(session, lifetime, most=2))

    assert await forget(timedelta(hours=1)) == 0
    assert [await forget(timedelta(0)) for _ in range(3)] == [2, 1, 0]


async def test_a_key_forgotten_in_the_same_moment_is_free(roster: Roster, client: httpx.AsyncClient) -> None:
    await client.post("/v1/records", json={"title": "a"}, headers=KEY)
    scope = {"method": "POST", "path": "/v1/records", "query_string": b"", "actor": OPEN}
    once = Once(KEY["idempotency-key"], scope, b'{"title":"b"}', timedelta(hours=1))

    async def recall(session: AsyncSession) -> Answer | None:
        lookup = session.execute

        async def forget_and_look_up(statement: Any) -> Any:
            await lookup(delete(IdempotencyKey))
            return await lookup(statement)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(session, "execute", forget_and_look_up)
            return await once.recall(session)

    assert await roster.database.units.run(recall) is None
