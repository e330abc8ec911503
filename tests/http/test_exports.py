"""Exports as a caller sees them, and back again."""

import asyncio
import csv
import io
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from service.app import Roster, create_app
from service.errors import Unavailable
from service.http.transfer.exports import PAGE_ROWS
from service.settings import Settings
from tests.conftest import Make, client_of
from tests.db.conftest import checked_out
from tests.files import REAL, Document, imported, listed, people, real, report

ODD: list[dict[str, Any]] = [
    {"title": '"Quoted", and 5" more', "description": "two\r\nlines\tand\ntabs", "tags": ["a;b", "[c]", '"']},
    {"title": "=SUM(A1)", "description": "", "tags": []},
    {"title": "Žofie \U0001d49c \ufb01", "description": None, "tags": ["x"], "date_created": "0001-01-02T00:00:00Z"},
    {"title": " - ", "duration": 2**31 - 1, "tags": [";"]},
]


@pytest.fixture
async def filled(client: httpx.AsyncClient) -> None:
    """Some of everything."""
    for noun in REAL:
        await imported(client, noun, real(noun))


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize("noun", [each for each in REAL if each != "department-employees"])
async def test_shows_every_field_of_every_row(client: httpx.AsyncClient, noun: str) -> None:
    items = await listed(client, noun)
    if noun == "users":
        items = [item | {"preferences": {}} for item in items]
    ndjson = await client.get(f"/v1/{noun}/export")
    assert ndjson.headers["content-type"] == "application/x-ndjson; charset=utf-8"
    assert ndjson.headers["content-disposition"] == f'attachment; filename="{noun}.ndjson"'
    assert lines_of(ndjson) == items
    table = await client.get(f"/v1/{noun}/export", params={"format": "csv"})
    assert table.headers["content-type"] == "text/csv; charset=utf-8"
    assert rows_of(table) == [{name: cell(value) for name, value in item.items()} for item in items]


@pytest.mark.usefixtures("filled")
async def test_links_name_their_ends_by_both_ids(client: httpx.AsyncClient) -> None:
    links = lines_of(await client.get("/v1/department-employees/export"))
    assert len(links) == REAL["department-employees"]
    assert links == sorted(links, key=lambda link: (link["department_id"], link["employee_id"]))
    one = await client.get(f"/v1/departments/{links[0]['department_id']}/employees/{links[0]['employee_id']}")
    ends = {"department_external_id", "employee_external_id"}
    assert {name: value for name, value in links[0].items() if name not in ends} == one.json()


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize("format", ["csv", "ndjson"])
async def test_what_is_exported_is_imported_unchanged(client: httpx.AsyncClient, make: Make, format: str) -> None:
    for n, each in enumerate(ODD):
        await make("records", external_id=f"odd:{n}", **each)
    await make("users", external_id="u:1", address="", active=False)
    for noun in REAL:
        file = await client.get(f"/v1/{noun}/export", params={"format": format})
        found = await imported(client, noun, file.content, format=format, mode="upsert")
        assert (found["failed"], found["created"], found["updated"]) == (0, 0, 0)
        assert found["unchanged"] == found["lines"] >= REAL[noun]
        assert set(found["skipped_columns"]) == {"version", "created_at", "updated_at"} | (
            set() if noun == "department-employees" else {"id"}
        )


@pytest.mark.parametrize("format", ["csv", "ndjson"])
async def test_another_directory_can_be_filled_with_it(client: httpx.AsyncClient, make: Make, format: str) -> None:
    for n, each in enumerate(ODD):
        await make("records", external_id=f"odd:{n}", **each)
    before = await listed(client, "records")
    file = await client.get("/v1/records/export", params={"format": format})
    for each in before:
        await client.delete(f"/v1/records/{each['id']}")
    await imported(client, "records", file.content, format=format)
    own = ("id", "version", "created_at", "updated_at")
    again = [
        {name: value for name, value in each.items() if name not in own} for each in await listed(client, "records")
    ]
    wanted = [{name: value for name, value in each.items() if name not in own} for each in before]
    if format == "csv":
        # CSV has one way to write an empty text and none at all.
        wanted[1]["description"] = None
    assert again == wanted


async def test_nothing_is_a_header_or_nothing(client: httpx.AsyncClient) -> None:
    assert (await client.get("/v1/departments/export")).content == b""
    table = await client.get("/v1/departments/export", params={"format": "csv"})
    assert table.text == "id,external_id,name,description,version,created_at,updated_at\r\n"
    assert await imported(client, "departments", table.content) == report(
        skipped_columns=["id", "version", "created_at", "updated_at"]
    )


@pytest.mark.usefixtures("filled")
async def test_takes_the_filters_of_the_list(client: httpx.AsyncClient) -> None:
    department = (await client.get("/v1/departments", params={"q": "development"})).json()["items"][0]["id"]
    query = {"department_id": str(department)}
    members = (await client.get("/v1/employees", params=query)).json()["items"]
    assert lines_of(await client.get("/v1/employees/export", params=query)) == members
    links = lines_of(await client.get("/v1/department-employees/export", params=query))
    assert [each["employee_id"] for each in links] == [each["id"] for each in members]


@pytest.mark.parametrize("query", ["limit=3", "cursor=x", "sort=id", "format=xml", "format=csv&format=csv", "x=1"])
async def test_parameters_are_strict(client: httpx.AsyncClient, query: str) -> None:
    answer = await client.get(f"/v1/users/export?{query}")
    assert answer.status_code == 422
    assert [each["parameter"] for each in answer.json()["errors"]] == [query.partition("=")[0]]


@pytest.mark.parametrize(
    ("accept", "media"),
    [
        ("*/*", "application/x-ndjson"),
        ("text/csv", "text/csv"),
        ("text/*, application/x-ndjson;q=0.5", "text/csv"),
        ("text/csv;q=0.1, */*;q=0.2", "application/x-ndjson"),
        ("application/x-ndjson;q=0, */*", "text/csv"),
        ("text/html, text/csv;q=nonsense, */*;q=0.1", "application/x-ndjson"),
    ],
)
async def test_accept_tells_the_format(client: httpx.AsyncClient, accept: str, media: str) -> None:
    answer = await client.get("/v1/users/export", headers={"accept": accept})
    assert (answer.status_code, answer.headers["vary"]) == (200, "accept")
    assert answer.headers["content-type"] == f"{media}; charset=utf-8"


async def test_makes_no_other_format(client: httpx.AsyncClient) -> None:
    answer = await client.get("/v1/users/export", headers={"accept": "application/json"})
    assert (answer.status_code, answer.json()["detail"]) == (
        406,
        "The export is available as application/x-ndjson or text/csv.",
    )
    chosen = await client.get("/v1/users/export?format=csv", headers={"accept": "application/json"})
    assert chosen.status_code == 200


async def test_head_reads_no_more_than_it_tells(client: httpx.AsyncClient) -> None:
    await imported(client, "users", people(3))
    got, head = await client.get("/v1/users/export"), await client.head("/v1/users/export")
    assert (head.status_code, head.content) == (200, b"")
    own = ("x-request-id", "transfer-encoding")
    assert [each for each in head.headers.items() if each[0] not in own] == [
        each for each in got.headers.items() if each[0] not in own
    ]


async def test_pages_follow_each_other_without_a_gap(client: httpx.AsyncClient) -> None:
    await imported(client, "users", people(2 * PAGE_ROWS + 1))
    ids = [each["id"] for each in lines_of(await client.get("/v1/users/export"))]
    assert len(ids) == 2 * PAGE_ROWS + 1
    assert ids == sorted(set(ids))


async def test_a_slow_reader_holds_no_connection(client: httpx.AsyncClient, roster: Roster) -> None:
    await imported(client, "users", people(2 * PAGE_ROWS))
    held = [checked_out(roster.database.reading) async for _ in exported(roster)]
    assert held == [0] * 4


async def test_a_caller_who_leaves_ends_it(client: httpx.AsyncClient, roster: Roster) -> None:
    await imported(client, "users", people(4 * PAGE_ROWS))
    gone = asyncio.Event()
    pieces = 0
    async for message in exported(roster, gone):
        pieces += message["type"] == "http.response.body"
        gone.set()
    assert pieces == 1


@pytest.mark.parametrize("format", ["csv", "ndjson"])
async def test_a_failure_before_the_first_row_is_told_by_the_status(fresh_url: str, format: str) -> None:
    roster = create_app(Settings(database_url=fresh_url))
    async with roster.database.writing.begin() as connection:
        await connection.execute(text("ALTER TABLE users RENAME TO people"))
    async with client_of(roster) as client:
        answer = await client.get("/v1/users/export", params={"format": format})
    assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
    await roster.database.close()


async def test_a_failure_on_the_way_breaks_it_off(fresh_url: str) -> None:
    roster = create_app(Settings(database_url=fresh_url))
    async with roster.database.writing.begin() as connection:
        rows = ", ".join(f"('User {n}', 'u{n}@b.c', 'user', 'u{n}@b.c')" for n in range(PAGE_ROWS + 1))
        await connection.execute(text(f"INSERT INTO users (name, email, name_key, email_key) VALUES {rows}"))
    messages = exported(roster)
    assert (await anext(messages))["status"] == 200
    assert (await anext(messages))["more_body"]
    async with roster.database.writing.begin() as connection:
        await connection.execute(text("ALTER TABLE users RENAME TO people"))
    with pytest.raises(Unavailable, match="lacks a table"):
        await anext(messages)
    assert checked_out(roster.database.reading) == 0
    await roster.database.close()


async def exported(roster: Roster, gone: asyncio.Event | None = None) -> AsyncIterator[Any]:
    """The ASGI messages of an export of users; `gone` is set when the client has disconnected."""
    sent: asyncio.Queue[Any] = asyncio.Queue(1)
    left = gone or asyncio.Event()

    async def receive() -> Any:
        await left.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        await sent.put(message)
        # Whoever reads has time for what they do.
        await sent.join()

    path = "/v1/users/export"
    scope = {"type": "http", "method": "GET", "path": path, "query_string": b"", "headers": [(b"host", b"localhost")]}
    scope["client"] = ("127.0.0.1", 1)
    answering = asyncio.ensure_future(roster(scope, receive, send))
    while not answering.done():
        getting = asyncio.ensure_future(sent.get())
        await asyncio.wait([answering, getting], return_when=asyncio.FIRST_COMPLETED)
        if getting.done():
            yield getting.result()
            sent.task_done()
        else:
            getting.cancel()
    await answering


def lines_of(answer: httpx.Response) -> list[Document]:
    assert answer.status_code == 200, answer.text
    return [httpx.Response(200, text=line).json() for line in answer.text.splitlines()]


def rows_of(answer: httpx.Response) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(answer.text, newline="")))


def cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "[]" if value == [] else str(value)
