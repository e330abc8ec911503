"""The archive of a user, and what is left of one who was erased, on both databases."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from sqlalchemy import inspect, text
from sqlalchemy.ext.asyncio import AsyncSession

from service.app import Roster
from service.models import Base
from tests.conftest import Make
from tests.nouns import not_found, problem

HEADERS = {"user-agent": "Agent-of-Zelda"}
PASSWORD = "Zelda's long password"
# Each stands for one thing that is known of the person, and stands nowhere else.
TRACES = (
    "Zelda Quist",
    "Zelda Before",
    "zelda@example.org",
    "before@example.org",
    "Quist Street",
    "crm-zelda",
    "Zelda likes",
    "Zelda's laptop",
    "Agent-of-Zelda",
)


async def a_person(client: httpx.AsyncClient, make: Make) -> dict[str, Any]:
    """Make a user with one of everything, whose values have changed, too."""
    sent = {"name": "Zelda Before", "email": "before@example.org", "external_id": "crm-zelda"}
    answer = await client.post("/v1/users", json=sent, headers={"idempotency-key": "zelda"})
    user: dict[str, Any] = answer.json()
    path = f"/v1/users/{user['id']}"
    now = {"name": "Zelda Quist", "email": "zelda@example.org", "address": "1 Quist Street"}
    assert (await client.patch(path, json=now)).status_code == 200
    for method, below, body in (
        ("PUT", "preferences", {"text": "Zelda likes tea"}),
        ("PATCH", "preferences", {"text": "Zelda likes coffee"}),
        ("PUT", "password", {"new_password": PASSWORD}),
        ("PUT", "roles/viewer", None),
        ("POST", "tokens", {"name": "Zelda's laptop"}),
    ):
        answer = await client.request(method, f"{path}/{below}", json=body)
        assert answer.status_code < 300, answer.text
    for password in (PASSWORD, "something else entirely"):
        await client.post("/v1/sessions", json={"email": "Zelda@example.org", "password": password}, headers=HEADERS)
    shown: dict[str, Any] = (await client.get(path)).json()
    return shown | {"path": path}


@pytest.mark.slow
async def test_an_archive_holds_all_that_is_known(client: httpx.AsyncClient, make: Make) -> None:
    user = await a_person(client, make)
    records = [await make("records", owner_id=user["id"]) for _ in range(2)]
    await make("records")
    employee = await make("employees", user_id=user["id"])
    answer = await client.get(f"{user['path']}/archive")
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    assert answer.headers["content-disposition"] == f'attachment; filename="user-{user["id"]}.json"'
    archive = answer.json()
    assert archive["user"] | {"path": user["path"]} == user
    assert archive["preferences"] == {"text": "Zelda likes coffee"}
    assert archive["employee"] == employee | {"departments": []}
    assert archive["records"] == records
    assert archive["tokens"][0]["name"] == "Zelda's laptop"
    assert [each["outcome"] for each in archive["logins"]] == ["ok", "wrong"]
    assert archive["password_changed_at"].endswith("Z")
    assert {"user.created", "user.updated", "user.password-set"} <= {each["action"] for each in archive["events"]}
    assert all(each["resource_id"] == user["id"] for each in archive["events"])
    for trace in TRACES:
        assert trace in answer.text, trace
    assert PASSWORD not in answer.text


async def test_an_archive_of_many_pages_is_one_document(
    client: httpx.AsyncClient, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.archives.actions._PAGE_ROWS", 2)
    user = await make("users")
    records = [await make("records", owner_id=user["id"]) for _ in range(5)]
    assert (await client.get(f"/v1/users/{user['id']}/archive")).json()["records"] == records


async def test_an_archive_of_nobody_is_not_found(client: httpx.AsyncClient, make: Make) -> None:
    assert problem(await client.get("/v1/users/99/archive")) == not_found("There is no user 99.")
    user = await make("users")
    assert (await client.get(f"/v1/users/{user['id']}/archive?page=2")).status_code == 422


@pytest.mark.parametrize("choice", ["keep", "delete"])
async def test_no_table_holds_a_trace_of_who_was_erased(
    roster: Roster, client: httpx.AsyncClient, make: Make, choice: str
) -> None:
    user = await a_person(client, make)
    # Nobody has this email by now, so the login is of no user.
    earlier = {"email": "Before@example.org", "password": PASSWORD}
    assert (await client.post("/v1/sessions", json=earlier, headers=HEADERS)).status_code == 401
    body = {"title": "Aria", "owner_id": user["id"]}
    record = (await client.post("/v1/records", json=body, headers={"idempotency-key": "aria"})).json()
    employee = await make("employees", name="Zelda Employee", user_id=user["id"])
    before = [line async for line in lines(roster)]
    for trace in (*TRACES, "Aria"):
        assert any(trace in line for line in before), trace
    answer = await client.delete(user["path"], params={"records": choice, "employee": choice})
    assert answer.status_code == 204, answer.text
    left = [line async for line in lines(roster)]
    traces = (*TRACES, "Aria", "Zelda") if choice == "delete" else TRACES
    assert [line for line in left for trace in traces if trace.lower() in line.lower()] == []
    shown = {path: (await client.get(path)).status_code for path in of(record, employee)}
    assert shown == dict.fromkeys(shown, 200 if choice == "keep" else 404)


async def test_the_fact_of_an_erasure_stays(client: httpx.AsyncClient, make: Make) -> None:
    user = await a_person(client, make)
    await client.delete(user["path"])
    events = (await client.get("/v1/events", params={"resource": "users", "resource_id": user["id"]})).json()["items"]
    assert events[0]["action"] == "user.deleted"
    assert len(events) > 3
    assert [each["changes"] for each in events] == [{}] * len(events)
    logins = (await client.get("/v1/logins", params={"user_id": user["id"]})).json()["items"]
    kept = {(each["outcome"], each["address"], each["email"], each["agent"]) for each in logins}
    assert kept == {("ok", "unknown", None, None), ("wrong", "unknown", None, None)}


async def test_the_key_of_an_erased_answer_creates_nobody_again(client: httpx.AsyncClient, make: Make) -> None:
    user = await a_person(client, make)
    other = {"name": "Bob", "email": "bob@example.org"}
    first = await client.post("/v1/users", json=other, headers={"idempotency-key": "bob"})
    await client.delete(user["path"])
    sent = {"name": "Zelda Before", "email": "before@example.org", "external_id": "crm-zelda"}
    answer = await client.post("/v1/users", json=sent, headers={"idempotency-key": "zelda"})
    assert (answer.status_code, "was erased" in answer.json()["detail"]) == (409, True)
    again = await client.post("/v1/users", json=other, headers={"idempotency-key": "bob"})
    assert (again.status_code, again.content) == (201, first.content)


async def test_an_erasure_of_another_version_erases_nothing(client: httpx.AsyncClient, make: Make) -> None:
    user = await a_person(client, make)
    refused = await client.delete(user["path"], headers={"if-match": '"1"'}, params={"records": "delete"})
    assert refused.status_code == 412
    assert (await client.delete(user["path"], params={"records": "all"})).status_code == 422
    archive = (await client.get(f"{user['path']}/archive")).json()
    assert archive["user"]["name"] == "Zelda Quist"
    assert any(each["changes"] for each in archive["events"])


def of(record: dict[str, Any], employee: dict[str, Any]) -> Iterator[str]:
    yield f"/v1/records/{record['id']}"
    yield f"/v1/employees/{employee['id']}"


async def lines(roster: Roster) -> Any:
    """Yield every row of every table of the models as text; bytes as what they say."""

    async def rows(session: AsyncSession) -> list[str]:
        connection = await session.connection()
        tables = await connection.run_sync(lambda sync: inspect(sync).get_table_names())
        assert set(tables) >= set(Base.metadata.tables)
        found = []
        for table in tables:
            for row in await session.execute(text(f'SELECT * FROM "{table}"')):
                values = (each.decode(errors="replace") if isinstance(each, bytes) else str(each) for each in row)
                found.append(f"{table}: {' | '.join(values)}")
        return found

    for line in await roster.database.lookups.run(rows):
        yield line
