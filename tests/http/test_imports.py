"""Imports as a caller sees them: files read to the line, and what becomes of each."""

from typing import Any

import httpx
import pytest

from service.app import Roster, create_app
from service.http.transfer import batching
from service.settings import Settings
from tests.conftest import Make, client_of
from tests.files import REAL, errors, imported, listed, people, real, report, send

OWNED = ["id", "version", "created_at", "updated_at"]


async def test_imports_real_files_and_finds_them_unchanged_the_second_time(client: httpx.AsyncClient) -> None:
    for noun, lines in REAL.items():
        assert await imported(client, noun, real(noun)) == report(created=lines)
    for noun, lines in REAL.items():
        assert await imported(client, noun, real(noun), mode="upsert") == report(mode="upsert", unchanged=lines)


async def test_a_second_creation_tells_of_each_key_that_is_taken(client: httpx.AsyncClient) -> None:
    await imported(client, "departments", "name,external_id\nSales,d:1\n")
    again = await imported(client, "departments", "name,external_id\nSALES,d:1\nFinance,d:2\n")
    assert again == report(
        created=1,
        failed=1,
        errors=errors(
            (2, "external_id", "Another department has this external_id."),
            (2, "name", "Another department has this name."),
        ),
    )


async def test_imported_rows_are_as_if_posted(client: httpx.AsyncClient, make: Make, roster: Roster) -> None:
    posted = await make("records", title="STRASSE straße", duration=3, tags=["a"], date_created="2024-05-06T07:08:09Z")
    line = {name: posted[name] for name in posted if name not in OWNED} | {"external_id": "r:2"}
    await imported(client, "records", httpx.Response(200, json=line).content, format="ndjson")
    copy = (await listed(client, "records"))[1]
    assert copy == posted | {name: copy[name] for name in ("id", "external_id", "created_at", "updated_at")}
    assert copy["created_at"] == copy["updated_at"]
    async with roster.database.reading.connect() as connection:
        keys = (await connection.exec_driver_sql("SELECT DISTINCT title_key FROM records")).scalars().all()
    assert keys == ["strasse strasse"]


async def test_an_empty_cell_is_null_or_what_a_new_row_has(client: httpx.AsyncClient) -> None:
    text = "title,duration,date_created,tags,description,owner_id,external_id\nBells,,,,,,\n"
    await imported(client, "records", text)
    (record,) = await listed(client, "records")
    assert record["tags"] == []
    assert record["date_created"] == record["created_at"]
    assert [record[name] for name in ("duration", "description", "owner_id", "external_id")] == [None] * 4


async def test_new_rows_have_the_first_version_and_one_time(client: httpx.AsyncClient) -> None:
    await imported(client, "users", people(2))
    for user in await listed(client, "users"):
        assert (user["version"], user["updated_at"]) == (1, user["created_at"])


@pytest.mark.parametrize("cell", ["a;b c", '"[""a"",""b c""]"'])
async def test_tags_are_a_json_list_or_have_semicolons_between_them(client: httpx.AsyncClient, cell: str) -> None:
    await imported(client, "records", f"title,tags\nBells,{cell}\n")
    assert (await listed(client, "records"))[0]["tags"] == ["a", "b c"]


async def test_an_email_twice_in_a_file_is_an_error_of_the_second_line(client: httpx.AsyncClient) -> None:
    # The first is in another batch than the last.
    content = people(1500) + b"Twin,USER1499@example.org,\nTwin,user0@example.org,\n"
    found = await imported(client, "users", content)
    taken = "Another user has this email."
    assert found == report(created=1500, failed=2, errors=errors((1502, "email", taken), (1503, "email", taken)))


async def test_references_are_looked_for(client: httpx.AsyncClient, make: Make) -> None:
    user = await make("users")
    text = f"title,owner_id\nBells,{user['id']}\nChimes,999999\nGongs,\n"
    found = await imported(client, "records", text)
    missing = errors((3, "owner_id", "There is no user with this id."))
    assert found == report(created=2, failed=1, errors=missing)
    assert [each["owner_id"] for each in await listed(client, "records")] == [user["id"], None]


async def test_links_name_their_ends_by_external_id_or_by_id(client: httpx.AsyncClient, make: Make) -> None:
    department = await make("departments", external_id="d:1")
    one, two = await make("employees", external_id="e:1"), await make("employees")
    text = (
        "department_external_id,department_id,employee_external_id,employee_id,from_date,to_date\n"
        f"d:1,999999,e:1,,2020-01-01,2021-01-01\n,{department['id']},,{two['id']},,\n"
        "d:2,,e:1,,,\n,999999,e:1,,,\n,,e:1,,,\nd:1,,e:1,,,\n"
        f"d:1,,,{two['id']},2020-01-02,2020-01-01\n"
    )
    found = await imported(client, "department-employees", text)
    expected = errors(
        (4, "department_external_id", "There is no department with this external_id."),
        (5, "department_id", "There is no department with this id."),
        (6, "department_id", "department_id or department_external_id is required."),
        (7, "department_id", "This employee is in this department already."),
        (8, "to_date", "to_date is before from_date."),
    )
    assert found == report(created=2, failed=5, errors=expected)
    by_ids = f"department_id,employee_id\n{department['id']},{two['id']}\n"
    assert await imported(client, "department-employees", by_ids, mode="upsert") == report(mode="upsert", unchanged=1)
    members = await listed(client, f"departments/{department['id']}/employees")
    assert [(each["employee_id"], each["from_date"]) for each in members] == [
        (one["id"], "2020-01-01"),
        (two["id"], None),
    ]


async def test_skips_what_the_service_gives_itself(client: httpx.AsyncClient) -> None:
    text = "id,name,email,version,created_at\n99,Ann,a@b.c,7,yesterday\n"
    found = await imported(client, "users", text)
    assert found == report(created=1, skipped_columns=["id", "version", "created_at"])
    again = await imported(
        client, "users", b'{"name": "Bob", "email": "b@b.c", "version": {}}', format="ndjson", mode="create"
    )
    assert again == report(created=1, skipped_columns=["version"])
    assert [each["version"] for each in await listed(client, "users")] == [1, 1]


@pytest.mark.parametrize(
    ("headers", "detail"),
    [
        (
            {},
            "The body is of no media type; text/csv, application/x-ndjson or application/octet-stream is accepted.",
        ),
        (
            {"content-type": "application/json"},
            "The body is application/json; text/csv, application/x-ndjson or application/octet-stream is accepted.",
        ),
        ({"content-type": "text/csv; charset=latin-1"}, "The body is in latin-1; UTF-8 is accepted."),
        (
            {"content-type": "text/csv", "content-encoding": "gzip"},
            "The body is encoded as gzip; send it without a Content-Encoding.",
        ),
    ],
)
async def test_reads_no_other_kind_of_body(client: httpx.AsyncClient, headers: dict[str, str], detail: str) -> None:
    answer = await client.post("/v1/users/import", content=b"x", headers=headers)
    assert (answer.status_code, answer.json()["detail"]) == (415, detail)


async def test_takes_a_charset_that_is_utf_8(client: httpx.AsyncClient) -> None:
    headers = {"content-type": 'Text/CSV; header=present; Charset="UTF-8"'}
    answer = await client.post("/v1/users/import", content=people(1), headers=headers)
    assert answer.json() == report(created=1)


@pytest.mark.parametrize(
    ("media", "query"),
    [
        ("application/octet-stream", "format=csv"),
        ("application/octet-stream", "mode=upsert&format=csv"),
        ("text/csv", "format=csv"),
    ],
)
async def test_the_parameter_says_what_a_file_of_no_named_format_is(
    client: httpx.AsyncClient, media: str, query: str
) -> None:
    answer = await client.post(f"/v1/users/import?{query}", content=people(1), headers={"content-type": media})
    assert (answer.status_code, answer.json()["created"]) == (200, 1)


@pytest.mark.parametrize(
    ("media", "query", "expected"),
    [
        ("application/octet-stream", "", "csv or ndjson is expected here."),
        ("application/octet-stream", "?mode=upsert", "csv or ndjson is expected here."),
        ("text/csv", "?format=ndjson", "csv is expected here, or nothing."),
        ("application/x-ndjson", "?format=csv", "ndjson is expected here, or nothing."),
    ],
)
async def test_the_format_is_neither_guessed_nor_said_twice(
    client: httpx.AsyncClient, media: str, query: str, expected: str
) -> None:
    answer = await client.post(f"/v1/users/import{query}", content=people(1), headers={"content-type": media})
    assert answer.status_code == 422
    assert answer.json()["errors"] == [{"detail": f"The body is {media}: {expected}", "parameter": "format"}]


@pytest.mark.parametrize("query", ["mode=merge", "dry_run=1", "atomic=yes", "limit=3", "mode=create&mode=upsert"])
async def test_parameters_are_strict(client: httpx.AsyncClient, query: str) -> None:
    answer = await client.post(f"/v1/users/import?{query}", content=people(1), headers={"content-type": "text/csv"})
    assert answer.status_code == 422
    assert [each["parameter"] for each in answer.json()["errors"]] == [query.partition("=")[0]]


async def test_only_a_post_imports_and_only_a_get_exports(client: httpx.AsyncClient) -> None:
    for path, allow in (("import", "OPTIONS, POST"), ("export", "GET, HEAD, OPTIONS")):
        for method in ("DELETE", "PATCH", "OPTIONS", "GET" if path == "import" else "POST"):
            answer = await client.request(method, f"/v1/users/{path}")
            assert (answer.status_code, answer.headers["allow"]) == (204 if method == "OPTIONS" else 405, allow)


async def test_a_body_over_the_limit_is_refused_and_batches_before_it_stay(
    fresh_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for database in batching.BATCH_LINES:
        monkeypatch.setitem(batching.BATCH_LINES, database, 1000)
    limited = create_app(Settings(database_url=fresh_url, import_limit_bytes=len(people(1500))))

    async def chunks() -> Any:
        yield people(1500)
        yield people(1500, start=1500)

    async with limited.litestar.lifespan(), client_of(limited) as client:
        declared = await send(client, "users", people(1501))
        headers = {"content-type": "text/csv"}
        streamed = await client.post("/v1/users/import", content=chunks(), headers=headers)
        assert (declared.status_code, streamed.status_code) == (413, 413)
        assert "1,000 lines were stored before" in streamed.json()["detail"]
        assert "stored" not in declared.json()["detail"]


async def test_counts_lines_by_what_became_of_them(client: httpx.AsyncClient) -> None:
    def counted(text: str, outcome: str) -> float:
        name = f'roster_imported_lines_total{{noun="users",outcome="{outcome}"}} '
        return sum(float(line.removeprefix(name)) for line in text.splitlines() if line.startswith(name))

    before = (await client.get("/metrics")).text
    await imported(client, "users", people(3), dry_run="true")
    await imported(client, "users", people(3))
    await imported(client, "users", people(4), mode="upsert")
    await send(client, "users", people(5), atomic="true")
    after = (await client.get("/metrics")).text
    outcomes = ("created", "unchanged", "failed")
    assert [counted(after, each) - counted(before, each) for each in outcomes] == [4, 3, 4]
