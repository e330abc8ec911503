"""What the audit trail says of each change, by whichever way it comes."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from sqlalchemy import select, text

from service.app import Roster
from service.db.audit import Audit
from service.department_employees.transfer import IMPORT as LINKS
from service.departments.transfer import IMPORT as DEPARTMENTS
from service.http.transfer.job import Importer, Job, Options
from service.models import Event, User
from service.records.transfer import IMPORT as RECORDS
from service.users.transfer import IMPORT as USERS
from tests.callers import add_caller
from tests.conftest import Make

Said = tuple[str, str, int | None, str | None, dict[str, Any]]


async def trail(roster: Roster) -> list[Said]:
    """What all events say, in the order of their ids."""
    columns = (Event.action, Event.resource, Event.resource_id, Event.resource_key, Event.changes)
    async with roster.database.reading.connect() as connection:
        rows = await connection.execute(select(*columns).order_by(Event.id))
        return [(*row[:-1], json.loads(row[-1])) for row in rows]


async def last(roster: Roster, count: int = 1) -> list[Said]:
    return (await trail(roster))[-count:]


async def test_each_write_is_told_with_what_it_changed(roster: Roster, client: httpx.AsyncClient, make: Make) -> None:
    user = await make("users", name="Ann", email="ann@example.org", age=41)
    created = {"name": [None, "Ann"], "email": [None, "ann@example.org"], "age": [None, 41], "active": [None, True]}
    assert await last(roster) == [("user.created", "users", user["id"], None, created)]
    path = f"/v1/users/{user['id']}"
    await client.patch(path, json={"name": "Änne", "age": None, "active": True})
    changed = {"name": ["Ann", "Änne"], "age": [41, None]}
    assert await last(roster) == [("user.updated", "users", user["id"], None, changed)]
    await client.patch(path, json={"name": "Änne"})
    assert len(await trail(roster)) == 2
    # Nothing personal is left of a user who is erased.
    await client.delete(path)
    assert await last(roster) == [("user.deleted", "users", user["id"], None, {})]
    department = await make("departments", name="Research")
    await client.delete(f"/v1/departments/{department['id']}")
    deleted = {"name": ["Research", None]}
    assert await last(roster) == [("department.deleted", "departments", department["id"], None, deleted)]


async def test_values_are_told_as_the_wire_shows_them(roster: Roster, client: httpx.AsyncClient, make: Make) -> None:
    record = await make("records", tags=["a"], date_created="2024-02-29T12:00:00+02:00")
    (_, _, _, _, created), *_ = await last(roster)
    assert (created["date_created"], created["tags"]) == ([None, "2024-02-29T10:00:00Z"], [None, ["a"]])
    await client.patch(f"/v1/records/{record['id']}", json={"tags": [], "date_created": "2024-03-01T00:00:00.5Z"})
    changes = {"tags": [["a"], []], "date_created": ["2024-02-29T10:00:00Z", "2024-03-01T00:00:00.500000Z"]}
    assert await last(roster) == [("record.updated", "records", record["id"], None, changes)]


async def test_rows_that_change_with_another_have_events_of_their_own(
    roster: Roster, client: httpx.AsyncClient, make: Make
) -> None:
    user = await make("users")
    record, employee = await make("records", owner_id=user["id"]), await make("employees", user_id=user["id"])
    await client.delete(f"/v1/users/{user['id']}")
    gone = [user["id"], None]
    assert (await last(roster, 3))[:2] == [
        ("record.updated", "records", record["id"], None, {"owner_id": gone}),
        ("employee.updated", "employees", employee["id"], None, {"user_id": gone}),
    ]


@pytest.mark.parametrize("end", ["departments", "employees"])
async def test_links_are_told_of_also_when_one_end_goes(
    roster: Roster, client: httpx.AsyncClient, make: Make, end: str
) -> None:
    ends = {"departments": (await make("departments"))["id"], "employees": (await make("employees"))["id"]}
    link = ("department-employees", None, f"{ends['departments']}/{ends['employees']}")
    both = {"department_id": [None, ends["departments"]], "employee_id": [None, ends["employees"]]}
    path = f"/v1/departments/{ends['departments']}/employees/{ends['employees']}"
    await client.put(path, json={"from_date": "2024-01-01"})
    assert await last(roster) == [
        ("department-employee.created", *link, both | {"from_date": [None, "2024-01-01"]}),
    ]
    await client.put(path, json={"from_date": "2024-01-01"})
    await client.put(path, json={"to_date": "2024-05-01"})
    moved = {"from_date": ["2024-01-01", None], "to_date": [None, "2024-05-01"]}
    assert (await trail(roster))[3:] == [("department-employee.updated", *link, moved)]
    await client.delete(f"/v1/{end}/{ends[end]}")
    ended = {name: [new, old] for name, (old, new) in both.items()} | {"to_date": ["2024-05-01", None]}
    told = {each[0]: each[1:] for each in await last(roster, 2)}
    assert told.keys() == {"department-employee.deleted", f"{end.removesuffix('s')}.deleted"}
    assert told["department-employee.deleted"] == (*link, ended)


async def test_preferences_are_told_as_documents(roster: Roster, client: httpx.AsyncClient, make: Make) -> None:
    user = await make("users")
    path = f"/v1/users/{user['id']}/preferences"
    await client.put(path, json={"theme": "dark"})
    whose = {"user_id": [None, user["id"]]}
    created = ("preferences.created", "preferences", user["id"], None, whose | {"document": [None, {"theme": "dark"}]})
    assert await last(roster) == [created]
    await client.patch(path, json={"theme": None})
    changed = {"document": [{"theme": "dark"}, {}]}
    assert await last(roster) == [("preferences.updated", "preferences", user["id"], None, changed)]


async def test_what_is_refused_or_repeated_leaves_no_event(
    roster: Roster, client: httpx.AsyncClient, make: Make
) -> None:
    user = await make("users", email="ann@example.org")
    await client.post("/v1/users", json={"name": "Ann", "email": "ann@example.org"})
    await client.patch(f"/v1/users/{user['id']}", json={"age": 1}, headers={"if-match": '"9"'})
    assert len(await trail(roster)) == 1
    for _ in range(2):
        await client.post("/v1/departments", json={"name": "Once"}, headers={"idempotency-key": "k"})
    assert len(await trail(roster)) == 2


async def test_an_event_names_the_request_and_the_way(roster: Roster, client: httpx.AsyncClient) -> None:
    csv = {"content-type": "text/csv", "x-request-id": "second"}
    await client.post("/v1/departments", json={"name": "One"}, headers={"x-request-id": "first"})
    await client.post("/v1/departments/import", content=b"name\nTwo\n", headers=csv)
    await Job(
        USERS, roster.database, "csv", Options(), importer=Importer(audit=Audit(via="cli", actor_id=7, token_id=8))
    ).run(lambda: chunks(b"name,email\nAnn,a@example.org\n"))
    columns = (Event.via, Event.actor_id, Event.token_id, Event.request_id)
    async with roster.database.reading.connect() as connection:
        found = [tuple(row) for row in await connection.execute(select(*columns).order_by(Event.id))]
    assert found == [
        ("api", None, None, "first"),
        ("import", None, None, "second"),
        ("cli", 7, 8, None),
    ]


async def test_an_event_names_the_token_and_no_secret(roster: Roster, client: httpx.AsyncClient) -> None:
    admin = await add_caller(roster, "admin")
    made = await client.post("/v1/departments", json={"name": "One"}, headers=admin.headers)
    assert made.status_code == 201
    password = {"new_password": "correct horse battery"}
    await client.put(f"/v1/users/{admin.user_id}/password", json=password, headers=admin.headers)
    issued = await client.post("/v1/me/tokens", json={"name": "laptop"}, headers=admin.headers)
    events = (await client.get("/v1/events", params={"limit": 200}, headers=admin.headers)).json()["items"]
    (department,) = [each for each in events if each["resource"] == "departments"]
    assert (department["actor_id"], department["token_id"]) == (admin.user_id, admin.token_id)
    told = json.dumps(events)
    for secret in (admin.token, issued.json()["token"], "argon2", "digest", "password_hash", password["new_password"]):
        assert secret not in told
    reader = await add_caller(roster, "viewer")
    for path in ("/v1/events", "/v1/events/feed"):
        assert (await client.get(path)).status_code == 401
        assert (await client.get(path, headers=reader.headers)).status_code == 403


async def chunks(data: bytes) -> AsyncIterator[bytes]:
    yield data


async def run(declared: Any, roster: Roster, data: str, **parameters: Any) -> Any:
    return await Job(declared, roster.database, "ndjson", Options(**parameters)).run(lambda: chunks(data.encode()))


@pytest.mark.parametrize("atomic", [False, True])
async def test_imports_tell_of_each_row_that_they_change(roster: Roster, make: Make, *, atomic: bool) -> None:
    ann = await make("users", name="Ann", email="ann@example.org", external_id="a")
    bob = await make("users", name="Bob", email="bob@example.org", external_id="b")
    lines: list[dict[str, object]] = [
        {"external_id": "a", "name": "Änne", "email": "ann@example.org"},
        {"external_id": "b", "name": "Bob", "email": "bob@example.org"},
        {"external_id": "c", "name": "Cid", "email": "cid@example.org", "age": 3, "active": False},
    ]
    await run(USERS, roster, "\n".join(map(json.dumps, lines)), mode="upsert", dry_run=True)
    assert len(await trail(roster)) == 2
    report = await run(USERS, roster, "\n".join(map(json.dumps, lines)), mode="upsert", atomic=atomic)
    assert (report.created, report.updated, report.unchanged) == (1, 1, 1)
    cid = await stored_id(roster, "cid@example.org")
    created = {name: [None, value] for name, value in lines[2].items()}
    assert await last(roster, 2) == [
        ("user.updated", "users", ann["id"], None, {"name": ["Ann", "Änne"]}),
        ("user.created", "users", cid, None, created),
    ]
    assert cid > bob["id"]


async def stored_id(roster: Roster, email: str) -> int:
    async with roster.database.reading.connect() as connection:
        return int(await connection.scalar(select(User.id).where(User.email == email)) or 0)


async def test_an_imported_row_is_told_as_the_wire_shows_it(
    roster: Roster, client: httpx.AsyncClient, make: Make
) -> None:
    user = await make("users")
    line = {"title": "Bells", "owner_id": user["id"], "tags": ["ä"], "date_created": "2024-02-29T12:00:00+02:00"}
    await run(RECORDS, roster, json.dumps(line))
    (record,) = (await client.get("/v1/records")).json()["items"]
    created = {
        "title": [None, "Bells"],
        "date_created": [None, "2024-02-29T10:00:00Z"],
        "owner_id": [None, user["id"]],
        "tags": [None, ["ä"]],
    }
    assert await last(roster) == [("record.created", "records", record["id"], None, created)]
    department, employee = await make("departments"), await make("employees")
    ends = {"department_id": department["id"], "employee_id": employee["id"]}
    await run(LINKS, roster, json.dumps(ends | {"from_date": "2024-01-01"}))
    key = f"{department['id']}/{employee['id']}"
    both = {name: [None, value] for name, value in ends.items()}
    begun = {"from_date": [None, "2024-01-01"]}
    link = ("department-employees", None, key)
    assert await last(roster) == [("department-employee.created", *link, both | begun)]
    await run(LINKS, roster, json.dumps(ends | {"from_date": "2024-01-02"}), mode="upsert")
    assert await last(roster) == [("department-employee.updated", *link, {"from_date": ["2024-01-01", "2024-01-02"]})]


async def test_ids_that_an_import_gave_are_not_given_again(
    roster: Roster, client: httpx.AsyncClient, make: Make
) -> None:
    lines = "\n".join(json.dumps({"name": f"D{at}"}) for at in range(3))
    await run(DEPARTMENTS, roster, lines)
    ids = [each["id"] for each in (await client.get("/v1/departments")).json()["items"]]
    await client.delete(f"/v1/departments/{ids[-1]}")
    assert (await make("departments"))["id"] == ids[-1] + 1


async def test_the_events_of_an_actor_are_found_in_the_index_of_events_that_have_one(
    roster: Roster, backend: str
) -> None:
    explain = {"sqlite": "EXPLAIN QUERY PLAN", "postgresql": "EXPLAIN"}[backend]
    question = text(f"{explain} SELECT id FROM events WHERE actor_id = :actor_id ORDER BY id DESC")
    async with roster.database.writing.connect() as connection:
        if backend == "postgresql":
            # A small table is read whole otherwise.
            await connection.execute(text("SET LOCAL enable_seqscan = off"))
        plan = (await connection.execute(question, {"actor_id": 1})).all()
    assert "ix_events_actor_id_id" in str(plan)
