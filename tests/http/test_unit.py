"""Every operation of the four nouns, which are alike, on both databases."""

import asyncio
from typing import Any

import httpx
import pytest

from service.app import Roster
from service.errors import NotFound
from service.http.binding import read_id
from tests.conftest import Make
from tests.nouns import NOUNS, USERS, Document, Noun, invalid, malformed, not_found, problem


@pytest.fixture(params=NOUNS)
def noun(request: pytest.FixtureRequest) -> Noun:
    return NOUNS[request.param]


async def test_creates_a_thing_of_nothing_but_what_is_required(client: httpx.AsyncClient, noun: Noun) -> None:
    answer = await client.post(noun.path, json=noun.least)
    id = answer.json()["id"]
    assert answer.status_code == 201
    assert answer.json() == noun.shown(id, **noun.least)
    assert (answer.headers["etag"], answer.headers["location"]) == ('"1"', f"{noun.path}/{id}")


async def test_stores_the_longest_values_and_shows_the_same_everywhere(client: httpx.AsyncClient, noun: Noun) -> None:
    created = (await client.post(noun.path, json=noun.most)).json()
    read = await client.get(f"{noun.path}/{created['id']}")
    listed = await client.get(noun.path)
    assert created == noun.shown(created["id"], **noun.most)
    assert (read.status_code, read.json(), read.headers["etag"]) == (200, created, '"1"')
    assert (listed.status_code, listed.json()) == (200, {"items": [created], "next_cursor": None})
    assert "etag" not in listed.headers


async def test_changes_only_the_fields_sent(client: httpx.AsyncClient, noun: Noun, make: Make) -> None:
    before = await make(noun.name, **noun.most)
    answer = await client.patch(f"{noun.path}/{before['id']}", json=noun.change)
    assert answer.status_code == 200
    assert answer.json() == before | noun.change | {"version": 2, "updated_at": answer.json()["updated_at"]}
    assert answer.json()["updated_at"] > before["updated_at"]
    assert answer.headers["etag"] == '"2"'
    assert (await client.get(f"{noun.path}/{before['id']}")).json() == answer.json()


async def test_null_empties_a_field(client: httpx.AsyncClient, noun: Noun, make: Make) -> None:
    before = await make(noun.name, **noun.most)
    empty = {name: None for name, value in noun.unsent.items() if value is None}
    answer = await client.patch(f"{noun.path}/{before['id']}", json=empty)
    assert answer.json() == before | empty | {"version": 2, "updated_at": answer.json()["updated_at"]}


@pytest.mark.parametrize("sent", ["nothing", "equal values"])
async def test_a_patch_that_changes_nothing_leaves_version_and_etag(
    client: httpx.AsyncClient, noun: Noun, make: Make, sent: str
) -> None:
    before = await make(noun.name, **noun.most)
    answer = await client.patch(f"{noun.path}/{before['id']}", json={} if sent == "nothing" else noun.most)
    assert (answer.status_code, answer.json(), answer.headers["etag"]) == (200, before, '"1"')
    assert (await client.get(f"{noun.path}/{before['id']}")).json() == before


async def test_refuses_null_where_a_value_is_needed(client: httpx.AsyncClient, noun: Noun, make: Make) -> None:
    before = await make(noun.name)
    needed = [name for name in {**noun.unsent, **noun.least} if noun.unsent.get(name, "") is not None]
    answer = await client.patch(f"{noun.path}/{before['id']}", json=dict.fromkeys(needed))
    assert {each["pointer"] for each in problem(answer)["errors"]} == {f"/{name}" for name in needed}
    assert (await client.get(f"{noun.path}/{before['id']}")).json() == before


async def test_what_is_deleted_is_gone(client: httpx.AsyncClient, noun: Noun, make: Make) -> None:
    id = (await make(noun.name))["id"]
    answer = await client.delete(f"{noun.path}/{id}")
    assert (answer.status_code, answer.content) == (204, b"")
    assert {"content-type", "content-length", "etag"}.isdisjoint(answer.headers)
    for method in ("GET", "HEAD", "PATCH", "DELETE"):
        answer = await client.request(method, f"{noun.path}/{id}", json={} if method == "PATCH" else None)
        assert answer.status_code == 404
        if method != "HEAD":
            assert problem(answer) == not_found(f"There is no {noun.one} {id}.")


async def test_never_gives_an_id_twice(client: httpx.AsyncClient, noun: Noun, make: Make) -> None:
    first = await make(noun.name)
    await client.delete(f"{noun.path}/{first['id']}")
    second = await make(noun.name)
    assert second["id"] > first["id"]


async def test_asks_for_every_field_that_is_required(client: httpx.AsyncClient, noun: Noun) -> None:
    answer = await client.post(noun.path, json={})
    errors = ({"detail": "This field is required.", "pointer": f"/{name}"} for name in noun.least)
    assert problem(answer) == invalid(*errors)


async def test_tells_everything_that_is_wrong_with_body_and_query_at_once(client: httpx.AsyncClient) -> None:
    answer = await client.post("/v1/users?wait=1", json={"name": 3, "age": 151, "a/b~c": 1})
    assert problem(answer) == invalid(
        {"detail": "There is no such field.", "pointer": "/a~1b~0c"},
        {"detail": "Expected str, got int.", "pointer": "/name"},
        {"detail": "This field is required.", "pointer": "/email"},
        {"detail": "Expected int <= 150.", "pointer": "/age"},
        {"detail": "There is no such parameter.", "parameter": "wait"},
    )


NO_IDS = [
    "0",
    "-1",
    "+1",
    "01",
    "1.0",
    "1e0",
    "",
    " 1",
    "1\n",
    "\u0661",
    "\u00b2",
    "x",
    str(2**63),
    "1" * 5000,
    "\0",
    ".",
]


@pytest.mark.parametrize("text", NO_IDS, ids=lambda text: ascii(text)[:12])
def test_no_id_is_the_address_of_nothing(text: str) -> None:
    with pytest.raises(NotFound, match=r"There is nothing at this address\."):
        read_id(text)


def test_the_largest_id_is_one() -> None:
    assert [read_id("1"), read_id(str(2**63 - 1))] == [1, 2**63 - 1]


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
async def test_ids_that_no_row_can_have_are_not_found(client: httpx.AsyncClient, method: str) -> None:
    body: Document | None = {} if method == "PATCH" else None
    answers = [await client.request(method, f"/v1/users/{id}", json=body) for id in (2**63 - 1, 2**63, "%D9%A1")]
    assert [problem(each) for each in answers] == [not_found(f"There is no user {2**63 - 1}."), *[not_found()] * 2]


async def test_a_percent_encoded_id_is_the_same_address(client: httpx.AsyncClient, make: Make) -> None:
    user = await make("users")
    encoded = "".join(f"%{ord(each):02x}" for each in str(user["id"]))
    assert (await client.get(f"/v1/users/{encoded}")).json() == user


@pytest.mark.parametrize("path", ["/v1/users/", "/v1/users//", "/v1//users", "//v1/users", "/v1/users/1/"])
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
async def test_an_address_has_one_spelling(client: httpx.AsyncClient, method: str, path: str) -> None:
    answer = await client.request(method, f"http://roster.localhost{path}", json=USERS.least)
    assert problem(answer) == not_found("There is nothing at this address; check the slashes.")


async def test_concurrent_patches_of_other_fields_lose_none(client: httpx.AsyncClient, make: Make) -> None:
    path = f"/v1/users/{(await make('users'))['id']}"
    changes: list[Document] = [{"name": "Zoe"}, {"age": 7}, {"address": "Elm Street"}, {"active": False}]
    answers = await asyncio.gather(*(client.patch(path, json=each) for each in changes * 3))
    assert {each.status_code for each in answers} == {200}
    after = (await client.get(path)).json()
    assert {name: after[name] for each in changes for name in each} == {
        name: value for each in changes for name, value in each.items()
    }
    assert after["version"] == 1 + len(changes)


async def test_of_two_who_create_the_same_one_is_refused(client: httpx.AsyncClient) -> None:
    answers = await asyncio.gather(*(client.post("/v1/users", json=USERS.least) for _ in range(5)))
    assert sorted(each.status_code for each in answers) == [201, 409, 409, 409, 409]
    assert len((await client.get("/v1/users")).json()["items"]) == 1


async def test_a_body_past_the_limit_is_refused_and_not_read(client: httpx.AsyncClient) -> None:
    read = 0

    async def endless() -> Any:
        nonlocal read
        while True:
            read += 1
            yield b" " * 100_000

    headers = {"content-type": "application/json"}
    answers = [
        await client.post("/v1/users", content=b" " * 1_000_001, headers=headers),
        await client.post("/v1/users", content=endless(), headers=headers),
        await client.request("DELETE", "/v1/users/1", content=b" " * 1_000_001),
    ]
    expected = {
        "type": "urn:roster:problem:too-large",
        "title": "Content Too Large",
        "status": 413,
        "detail": "The body is longer than 1000000 bytes.",
    }
    assert [problem(each) for each in answers] == [expected] * 3
    assert read == 11


async def test_a_body_at_the_limit_is_read(client: httpx.AsyncClient) -> None:
    body = b'{"name": "Ann", "email": "ann@example.org"}'
    answer = await client.post(
        "/v1/users", content=body + b" " * (1_000_000 - len(body)), headers={"content-type": "application/json"}
    )
    assert answer.status_code == 201


@pytest.mark.parametrize(
    "type", ["text/plain", "application/x-www-form-urlencoded", "application/merge-patch+json", None]
)
async def test_reads_json_alone(client: httpx.AsyncClient, type: str | None) -> None:
    headers = {} if type is None else {"content-type": type}
    answer = await client.post("/v1/users", content=b'{"name": "Ann", "email": "ann@example.org"}', headers=headers)
    assert problem(answer) == {
        "type": "urn:roster:problem:unsupported-media-type",
        "title": "Unsupported Media Type",
        "status": 415,
        "detail": f"The body is {type or 'of no media type'}; application/json is accepted.",
    }


@pytest.mark.parametrize("method", ["POST", "PATCH"])
async def test_a_body_is_required(client: httpx.AsyncClient, make: Make, method: str) -> None:
    path = "/v1/users" if method == "POST" else f"/v1/users/{(await make('users'))['id']}"
    answer = await client.request(method, path, headers={"content-type": "application/json"})
    assert problem(answer) == malformed("A body is required here.")


async def test_a_request_that_breaks_off_stores_nothing(roster: Roster, client: httpx.AsyncClient) -> None:
    messages = [{"type": "http.request", "body": b'{"title": "a"}', "more_body": True}, {"type": "http.disconnect"}]
    sent: list[Any] = []

    async def receive() -> Any:
        return messages.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"content-type", b"application/json"), (b"host", b"roster.localhost")]
    scope = {"type": "http", "method": "POST", "path": "/v1/records", "query_string": b"", "headers": headers}
    await roster({**scope, "scheme": "http", "http_version": "1.1", "client": ("127.0.0.1", 1)}, receive, send)
    assert sent[0]["status"] == 400
    assert (await client.get("/v1/records")).json()["items"] == []


@pytest.mark.parametrize("type", ["application/json; charset=utf-8", "Application/JSON ;charset=x", "application/json"])
async def test_knows_json_by_any_spelling(client: httpx.AsyncClient, type: str) -> None:
    answer = await client.post(
        "/v1/users", content=b'{"name": "Ann", "email": "ann@example.org"}', headers={"content-type": type}
    )
    assert answer.status_code == 201


async def test_takes_a_merge_patch_by_its_name(client: httpx.AsyncClient, make: Make) -> None:
    path = f"/v1/users/{(await make('users'))['id']}"
    answer = await client.patch(path, content=b'{"age": 3}', headers={"content-type": "application/merge-patch+json"})
    assert answer.json()["age"] == 3
