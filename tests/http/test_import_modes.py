"""What mode=upsert, dry_run and atomic make of a file."""

import httpx
import pytest

from tests.conftest import Make
from tests.files import Document, errors, imported, listed, people, report, send

TAKEN = "Another user has this email."


async def test_an_upsert_changes_only_what_differs(client: httpx.AsyncClient, make: Make) -> None:
    ann = await make("users", external_id="crm:1", email="ann@example.org", age=30, address="Elm Street")
    bob = await make("users", external_id="crm:2", email="bob@example.org")
    text = (
        "external_id,name,email,age\n"
        f"crm:1,{ann['name']},ann@example.org,31\n"
        f"crm:2,{bob['name']},bob@example.org,\n"
        "crm:3,Carl,carl@example.org,\n"
    )
    assert await imported(client, "users", text, mode="upsert") == report(
        mode="upsert", created=1, updated=1, unchanged=1
    )
    changed, same, new = await listed(client, "users")
    assert changed == ann | {"age": 31, "version": 2, "updated_at": changed["updated_at"]}
    assert changed["updated_at"] > ann["updated_at"]
    assert same == bob
    assert (new["external_id"], new["version"]) == ("crm:3", 1)


async def test_what_a_line_leaves_out_stays_and_null_empties(client: httpx.AsyncClient, make: Make) -> None:
    await make("records", external_id="r:1", title="Bells", duration=3, description="Loud", tags=["a"])
    lines = '{"external_id": "r:1", "title": "Bells", "duration": null, "tags": ["a", "b"]}'
    await imported(client, "records", lines, format="ndjson", mode="upsert")
    (record,) = await listed(client, "records")
    assert [record[name] for name in ("duration", "description", "tags", "version")] == [None, "Loud", ["a", "b"], 2]


async def test_a_changed_name_is_found_by_its_new_key(client: httpx.AsyncClient, make: Make) -> None:
    await make("departments", external_id="d:1", name="Straße")
    await imported(client, "departments", "external_id,name\nd:1,GASSE\n", mode="upsert")
    found = await client.get("/v1/departments", params={"q": "gasse"})
    assert [each["external_id"] for each in found.json()["items"]] == ["d:1"]


@pytest.mark.parametrize(
    ("noun", "before", "line"),
    [
        ("users", {"email": "Ann@example.org"}, "name,email\nZoe,ANN@EXAMPLE.ORG\n"),
        ("departments", {"name": "straße"}, "name,description\nSTRASSE,Roads\n"),
    ],
)
async def test_without_an_external_id_the_email_or_the_name_tells(
    client: httpx.AsyncClient, make: Make, noun: str, before: Document, line: str
) -> None:
    made = await make(noun, external_id="x:1", **before)
    assert await imported(client, noun, line, mode="upsert") == report(mode="upsert", updated=1)
    (found,) = await listed(client, noun)
    assert (found["id"], found["external_id"], found["version"]) == (made["id"], "x:1", 2)


@pytest.mark.parametrize("noun", ["records", "employees"])
async def test_a_line_that_tells_of_no_row_cannot_be_upserted(client: httpx.AsyncClient, noun: str) -> None:
    name = "title" if noun == "records" else "name"
    found = await imported(client, noun, f"{name},external_id\nBells,\n", mode="upsert")
    detail = "mode=upsert requires this field, which identifies the row."
    assert found == report(mode="upsert", failed=1, errors=errors((2, "external_id", detail)))


async def test_an_email_of_another_user_is_not_taken_over(client: httpx.AsyncClient, make: Make) -> None:
    ann, _ = await make("users", external_id="crm:1"), await make("users", email="bob@example.org")
    text = "external_id,name,email\ncrm:1,Ann,BOB@example.org\ncrm:2,Carl,bob@example.org\n"
    found = await imported(client, "users", text, mode="upsert")
    assert found == report(mode="upsert", failed=2, errors=errors((2, "email", TAKEN), (3, "email", TAKEN)))
    assert (await listed(client, "users"))[0] == ann


async def test_a_key_set_free_in_one_line_is_free_for_the_next(client: httpx.AsyncClient, make: Make) -> None:
    await make("users", external_id="crm:1", email="old@example.org", name="Ann")
    text = "external_id,name,email\ncrm:1,Ann,new@example.org\ncrm:2,Bob,old@example.org\n"
    for dry_run in ("true", "false"):
        found = await imported(client, "users", text, mode="upsert", dry_run=dry_run)
        assert (found["updated"], found["created"]) == (1, 1)
    assert [each["email"] for each in await listed(client, "users")] == ["new@example.org", "old@example.org"]


@pytest.mark.parametrize("lines_between", [0, 1200])
async def test_a_row_is_spoken_of_once_in_a_file(client: httpx.AsyncClient, make: Make, lines_between: int) -> None:
    await make("users", external_id="crm:x", email="ann@example.org", name="Ann")
    text = people(lines_between) + b"Ann,ann@example.org,crm:x\nZoe,zoe@example.org,crm:x\nZoe,ANN@example.org,\n"
    last = lines_between + 4
    expected = errors(
        (last - 1, "external_id", "An earlier line has this external_id."),
        (last, "email", "An earlier line has this email."),
    )
    for dry_run in (True, False):
        found = await imported(client, "users", text, mode="upsert", dry_run=str(dry_run).lower())
        assert found == report(
            mode="upsert", dry_run=dry_run, created=lines_between, unchanged=1, failed=2, errors=expected
        )


async def test_an_upsert_of_links_changes_their_time(client: httpx.AsyncClient, make: Make) -> None:
    await make("departments", external_id="d:1")
    await make("employees", external_id="e:1")
    header = "department_external_id,employee_external_id,from_date,to_date\n"
    for to_date, outcome in (("2021-01-01", "created"), ("2022-01-01", "updated"), ("2022-01-01", "unchanged")):
        found = await imported(client, "department-employees", f"{header}d:1,e:1,2020-01-01,{to_date}\n", mode="upsert")
        assert found == report(mode="upsert", **{outcome: 1})
    short = "department_external_id,employee_external_id,to_date\nd:1,e:1,2019-01-01\n"
    found = await imported(client, "department-employees", short, mode="upsert")
    assert found["errors"] == errors((2, "to_date", "to_date is before from_date."))


# What the first line sets free and takes is asked for in another batch.
MIXED = people(1100).replace(b"\n", b"\nMoved,moved@example.org,old:1\n", 1) + (
    b"Twin,user7@example.org,\nNext,old@example.org,crm:next\n"
    b"Bad,bad,\nAgain,again@example.org,crm:3\nTwin,moved@example.org,\nLast,,crm:last\n"
)


@pytest.mark.parametrize("mode", ["create", "upsert"])
async def test_a_dry_run_reports_just_what_would_happen(client: httpx.AsyncClient, make: Make, mode: str) -> None:
    await make("users", external_id="old:1", email="old@example.org")
    await make("users", external_id="crm:5", email="five@example.org")
    before = await listed(client, "users")
    dry = await imported(client, "users", MIXED, mode=mode, dry_run="true")
    assert await listed(client, "users") == before
    assert await imported(client, "users", MIXED, mode=mode) == dry | {"dry_run": False}
    assert dry["failed"] >= 4


@pytest.mark.parametrize("mode", ["create", "upsert"])
async def test_atomic_stores_nothing_when_a_line_fails(client: httpx.AsyncClient, mode: str) -> None:
    answer = await send(client, "users", people(1100) + b"Ann,ann,\n", atomic="true", mode=mode)
    problem = answer.json()
    assert (answer.status_code, problem["detail"]) == (422, "1 line is wrong, so nothing was stored.")
    assert [(each["line"], each["field"]) for each in problem["errors"]] == [(1102, "email")]
    assert await listed(client, "users") == []
    again = await send(client, "users", people(1100) + b"Ann,ann,\n", atomic="true", mode=mode, dry_run="true")
    assert (again.status_code, again.json()["errors"]) == (422, problem["errors"])


@pytest.mark.parametrize("mode", ["create", "upsert"])
async def test_atomic_stores_everything_when_none_does(client: httpx.AsyncClient, mode: str) -> None:
    found = await imported(client, "users", people(2100), atomic="true", mode=mode)
    assert found == report(created=2100, atomic=True, mode=mode)
    found = await imported(client, "users", people(2200), atomic="true", mode="upsert")
    assert found == report(created=100, unchanged=2100, atomic=True, mode="upsert")


async def test_atomic_tells_the_first_thousand_errors(client: httpx.AsyncClient) -> None:
    answer = await send(client, "users", "name,email\n" + "Ann,\n" * 1001, atomic="true")
    detail = "1,001 lines are wrong, so nothing was stored. The first 1,000 errors are listed."
    assert (answer.status_code, answer.json()["detail"], len(answer.json()["errors"])) == (422, detail, 1000)
