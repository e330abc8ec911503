"""Lines of an import that can be read, and the errors of those that cannot."""

import httpx
import pytest

from tests.files import errors, imported, listed, report, send

READABLE = {
    "byte order mark": (b"\xef\xbb\xbfname,email\nAnn,a@b.c\n", ["Ann"]),
    "carriage returns": (b"name,email\r\nAnn,a@b.c\r\n", ["Ann"]),
    "no line feed at the end": (b"name,email\nAnn,a@b.c", ["Ann"]),
    "blank lines": (b"name,email\n\n\nAnn,a@b.c\n\n", ["Ann"]),
    "quotes": (b'email,"name"\na@b.c,"Ann ""The Bell"" Lee, Leeds"\n', ['Ann "The Bell" Lee, Leeds']),
    "a quote inside": (b'name,email\n5" Ann,a@b.c\n', ['5" Ann']),
    "columns of any order": ("email,name\na@b.c,Žofie\n".encode(), ["Žofie"]),
    "no lines": (b"name,email\n", []),
}


@pytest.mark.parametrize("case", READABLE)
async def test_reads_csv_as_it_is_found(client: httpx.AsyncClient, case: str) -> None:
    content, names = READABLE[case]
    assert await imported(client, "users", content) == report(created=len(names))
    assert [each["name"] for each in await listed(client, "users")] == names


NOT_ALLOWED = "The value is blank, holds a character that is not allowed, or does not match the format."
BROKEN: dict[str, tuple[bytes, list[tuple[int, str | None, str]]]] = {
    "ragged rows": (
        b"Ann,a@b.c\nBob\nCarl,c@b.c,4\nDora,d@b.c\n",
        [
            (3, None, "Expected 2 cells, as in the header, got 1."),
            (4, None, "Expected 2 cells, as in the header, got 3."),
        ],
    ),
    "a field over several lines": (
        b'"Ann\nLee",a@b.c\nBob,b@b.c,\n',
        [(2, "name", NOT_ALLOWED), (4, None, "Expected 2 cells, as in the header, got 3.")],
    ),
    "NUL": (b"Ann\x00,a@b.c\n", [(2, "name", NOT_ALLOWED)]),
    "not UTF-8": (b"Ann,a@b.c\nJos\xe9,j@b.c\nCarl,c@b.c\n", [(3, None, "This is not UTF-8.")]),
    "a line too long": (
        b"Ann,a@b.c\n" + b"x" * 200_000 + b",l@b.c\nCarl,c@b.c\n",
        [(3, None, "The line is longer than 57,344 bytes.")],
    ),
    "a quote closed too late": (
        b'Ann,a@b.c\n"Bob' + b"\n" * 200_000 + b'",b@b.c\nCarl,c@b.c\n',
        [(3, None, "A quote is opened here and not closed within 57,344 characters.")],
    ),
    "a quote never closed": (
        b'Ann,a@b.c\n"Bob,b@b.c\nCarl,c@b.c\n',
        [(3, None, "A quote is opened here and never closed, so nothing after it was read.")],
    ),
    "text behind a quote": (b'"Ann"x,a@b.c\nBob,b@b.c', [(2, None, "This is not CSV: ',' expected after '\"'.")]),
    "several faults": (
        b",\nBob,bob\n",
        [(2, "name", "This field is required."), (2, "email", "This field is required."), (3, "email", NOT_ALLOWED)],
    ),
}


@pytest.mark.parametrize("case", BROKEN)
async def test_names_the_line_and_the_field_that_are_wrong(client: httpx.AsyncClient, case: str) -> None:
    content, expected = BROKEN[case]
    found = await imported(client, "users", b"name,email\n" + content)
    assert found["errors"] == errors(*expected)
    assert found["failed"] == len({line for line, _, _ in expected})
    assert found["created"] == len(await listed(client, "users")) == found["lines"] - found["failed"]


async def test_true_and_false_are_all_that_is_true_and_false(client: httpx.AsyncClient) -> None:
    found = await imported(client, "users", "name,email,active\nAnn,a@b.c,false\nBob,b@b.c,no\n")
    assert found["errors"] == errors((3, "active", "Expected true or false, got 'no'."))
    assert [each["active"] for each in await listed(client, "users")] == [False]


async def test_cells_that_are_no_values_are_told_beside_all_else(client: httpx.AsyncClient) -> None:
    text = "title,duration,tags,owner_id,date_created\n,1.5,[a,1,soon\n"
    assert (await imported(client, "records", text))["errors"] == errors(
        (2, "title", "This field is required."),
        (2, "date_created", "Invalid RFC3339 encoded datetime."),
        (2, "duration", "Expected a whole number, got '1.5'."),
        (2, "tags", "What begins with [ has to be a JSON list."),
    )


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("", [(1, None, "The file is empty; its first line has to name the columns.")]),
        ("\n\n", [(1, None, "The file is empty; its first line has to name the columns.")]),
        ('"name,email\n', [(1, None, "A quote is opened here and never closed, so nothing after it was read.")]),
        (
            "name,emial,name,\nAnn,a@b.c,,\n",
            [
                (1, "emial", "There is no such field."),
                (1, "name", "This column is named more than once."),
                (1, "", "There is no such field."),
                (1, "email", "This column is required."),
            ],
        ),
    ],
)
async def test_a_wrong_header_refuses_the_whole_file(
    client: httpx.AsyncClient, content: str, expected: list[tuple[int, str | None, str]]
) -> None:
    answer = await send(client, "users", content)
    found = [{"line": None, "field": None} | each for each in answer.json()["errors"]]
    assert (answer.status_code, answer.json()["detail"]) == (422, "The header is wrong; nothing was stored.")
    assert found == errors(*expected)


async def test_ndjson_lines_fail_each_by_itself(client: httpx.AsyncClient) -> None:
    lines = [
        b'{"name": "Ann", "email": "a@b.c"}',
        b"",
        b'{"name": "Bob", "email": "b@b.c", "sample_nickname": "B", "age": "3"}',
        b"[1]",
        b"{",
        b'{"name": "Jos\xe9", "email": "j@b.c"}',
        b'{"name": "Al", "name": "Bo", "email": "x@b.c"}',
        b"[" * 60_000,
        b'{"name": "' + b"x" * 60_000 + b'"}',
        b'  {"name": "Zoe", "email": "z@b.c", "age": null}\r',
    ]
    found = await imported(client, "users", b"\n".join(lines), format="ndjson")
    assert (found["created"], found["failed"], found["lines"]) == (2, 7, 9)
    assert [(each["line"], each["field"]) for each in found["errors"]] == [
        (3, "sample_nickname"),
        (3, "age"),
        (4, None),
        (5, None),
        (6, None),
        (7, "name"),
        (8, None),
        (9, None),
    ]
    details = [each["detail"] for each in found["errors"]]
    assert details[3].startswith("The line is not JSON: ")
    assert details[4] == "This is not UTF-8."
    assert details[6] == details[7] == "The line is longer than 57,344 bytes."


async def test_nothing_at_all_is_no_lines_of_ndjson(client: httpx.AsyncClient) -> None:
    assert await imported(client, "users", b"", format="ndjson") == report()


async def test_keeps_the_first_thousand_errors_and_counts_the_rest(client: httpx.AsyncClient) -> None:
    found = await imported(client, "users", "name,email\n" + "Ann,\n" * 2500)
    assert (found["failed"], len(found["errors"]), found["errors_omitted"]) == (2500, 1000, 1500)
    assert found["errors"][-1]["line"] == 1001
