"""Limits of an import with wrong lines: what it reads and stores, and how long other requests wait."""

import asyncio
import sys
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from service.app import Roster, create_app
from service.http.transfer import time_slice
from service.http.transfer.batching import BatchLimit, batches
from service.http.transfer.job import Job, Options
from service.http.transfer.reports import MOST_ERRORS
from service.http.transfer.spec import Import, RowMaker
from service.http.transfer.splitter import PIECE_BYTES
from service.records.transfer import IMPORT as RECORDS
from service.settings import Settings
from service.users.transfer import IMPORT as USERS
from tests.conftest import Make, client_of
from tests.files import imported, listed, people, send

MOST = 3
GOOD = "Good,good{}@b.c\n"
# Each is a line that fails, however often it comes.
WRONG = {
    "too few cells": "x\n",
    "too many cells": "x,y@b.c,z\n",
    "empty cells": ",\n",
    "a cell of the wrong form": "Ann,nowhere\n",
    "not CSV": '"Ann"x,y@b.c\n',
    "too long": f"Ann,{'x' * 60_000}\n",
    "a key that is taken": "Ann,taken@b.c\n",
    "a key of an earlier line": "Ann,good0@b.c\n",
}


@pytest.mark.parametrize("mode", ["create", "upsert"])
@pytest.mark.parametrize("case", WRONG)
async def test_stops_at_the_last_line_that_may_fail(
    client: httpx.AsyncClient, make: Make, mode: str, case: str
) -> None:
    await make("users", email="taken@b.c", external_id="t:1")
    # An upsert would change the row of a key that is there: of another row's it takes none.
    header, wrong = "name,email", WRONG[case]
    lines = [GOOD.format(n) + (wrong if n else "") for n in range(50)]
    if case == "a key that is taken" and mode == "upsert":
        header, lines = "name,email,external_id", [f"G,good{n}@b.c,g:{n}\nA,taken@b.c,a:{n}\n" for n in range(50)]
    found = await imported(client, "users", f"{header}\n{''.join(lines)}", mode=mode, max_errors=str(MOST))
    first = found["errors"][0]["line"]
    assert (found["failed"], found["stopped_at_line"]) == (MOST, first + 2 * (MOST - 1))
    assert len({each["line"] for each in found["errors"]}) == MOST
    stored = [each["email"] for each in await listed(client, "users") if each["email"] != "taken@b.c"]
    assert stored == [f"good{n}@b.c" for n in range(MOST + (first == 4))]
    assert found["created"] == len(stored)


async def test_lines_that_fail_for_different_reasons_count_together(client: httpx.AsyncClient) -> None:
    lines = [
        "Ann,ann@b.c",
        "x",
        "Ann,ann@b.c",
        "Bob,bob@b.c",
        "Bob,nowhere",
        "Carl,carl@b.c",
        "Bob,bob@b.c",
        "Dora,d@b.c",
    ]
    found = await imported(client, "users", "\n".join(["name,email", *lines]), max_errors="3")
    assert [each["line"] for each in found["errors"]] == [3, 4, 6]
    assert (found["created"], found["stopped_at_line"]) == (2, 6)
    assert [each["name"] for each in await listed(client, "users")] == ["Ann", "Bob"]


async def test_stops_at_references_that_are_missing(client: httpx.AsyncClient) -> None:
    links = "department_external_id,employee_external_id\n" + "".join(f"d:{n},e:{n}\n" for n in range(50))
    records = "title,owner_id\n" + "".join(f"Bells,{n or ''}\n" for n in range(50))
    for noun, file, made in (("department-employees", links, 0), ("records", records, 1)):
        found = await imported(client, noun, file, max_errors="3")
        assert (found["created"], found["failed"], found["stopped_at_line"]) == (made, 3, 4 + made)


async def test_stops_at_refusals_of_a_constraint_that_is_not_known(fresh_url: str) -> None:
    roster = create_app(Settings(database_url=fresh_url))
    async with client_of(roster) as client:
        async with roster.database.writing.begin() as connection:
            await connection.execute(text("CREATE UNIQUE INDEX one_a_house ON users (address)"))
        lines = "".join(f"User {n},u{n}@b.c,{'Elm' if n % 7 == 0 else n} Street\n" for n in range(100))
        found = await imported(client, "users", "name,email,address\n" + lines, max_errors="3")
        assert (found["created"], found["failed"], found["stopped_at_line"]) == (19, 3, 23)
    await roster.database.close()


async def test_stops_in_every_kind_of_ndjson(client: httpx.AsyncClient) -> None:
    wrong = ["{}", "7", "{", '{"name": 1, "email": 2}', '{"name": "A", "name": "A", "email": "b@b.c"}']
    for each in wrong:
        found = await imported(client, "users", f"{each}\n" * 50, format="ndjson", max_errors="7")
        assert (found["failed"], found["stopped_at_line"], found["lines"]) == (7, 7, 7)


@pytest.mark.parametrize("how", ["dry_run", "atomic"])
async def test_a_check_stops_as_an_import_does(client: httpx.AsyncClient, how: str) -> None:
    file = people(20) + b"x\n" * 20
    answer = await send(client, "users", file, max_errors="3", **{how: "true"})
    if how == "atomic":
        assert answer.json()["detail"] == "3 lines are wrong, so nothing was stored. The check stopped at line 24."
    else:
        assert (answer.json()["failed"], answer.json()["stopped_at_line"]) == (3, 24)
    assert await listed(client, "users") == []


async def test_no_limit_is_reached_unless_so_many_lines_fail(client: httpx.AsyncClient) -> None:
    found = await imported(client, "users", people(3) + b"x\n" * 2, max_errors="3")
    assert (found["failed"], found["stopped_at_line"]) == (2, None)


@pytest.mark.parametrize("value", ["0", "-1", "many", "1000000001"])
async def test_the_limit_is_a_whole_number_of_lines(client: httpx.AsyncClient, value: str) -> None:
    answer = await send(client, "users", people(1), max_errors=value)
    assert (answer.status_code, [each["parameter"] for each in answer.json()["errors"]]) == (422, ["max_errors"])


async def test_reads_no_more_of_a_file_that_is_wrong(roster: Roster) -> None:
    pieces = 0

    async def file() -> AsyncIterator[bytes]:
        nonlocal pieces
        yield b"name,email\n"
        for _ in range(1000):
            pieces += 1
            yield b",\n" * 1000

    found = await Job(USERS, roster.database, "csv", Options()).run(file)
    assert (found.failed, found.stopped_at_line, len(found.errors)) == (10_000, 10_001, MOST_ERRORS)
    # Two errors a line were listed.
    assert found.errors_omitted == 9_500
    assert pieces <= 12


NDJSON = '{{"name": "Ann", "email": "ann{0}@example.org"}}\n'
COSTLY: dict[str, tuple[Import, str, str, str, str]] = {
    "empty": (USERS, "csv", "name,email\n", "Ann,ann{0}@b.c\n", ",\n"),
    "too few": (USERS, "csv", "name,email\n", "Ann,ann{0}@b.c\n", "x\n"),
    "wrong form": (USERS, "csv", "name,email\n", "Ann,ann{0}@b.c\n", "Ann,nowhere\n"),
    "no whole number": (USERS, "csv", "name,email,age\n", "Ann,ann{0}@b.c,4\n", "Ann,ann{0}@b.c,x\n"),
    "no date": (RECORDS, "csv", "title,date_created\n", "Bells,2024-01-01T00:00:00Z\n", "Bells,soon\n"),
    "too many tags": (RECORDS, "csv", "title,tags\n", "Bells,a\n", f"Bells,{';'.join('a' * 50)}\n"),
    "no JSON": (USERS, "ndjson", "", NDJSON, "{{\n"),
    "no object": (USERS, "ndjson", "", NDJSON, "7\n"),
    "nothing in it": (USERS, "ndjson", "", NDJSON, "{{}}\n"),
    "wrong types": (USERS, "ndjson", "", NDJSON, '{{"name": 1, "email": 2}}\n'),
    "unknown field": (USERS, "ndjson", "", NDJSON, '{{"name": "Ann", "email": "a@b.c", "nick": 1}}\n'),
    "named twice": (USERS, "ndjson", "", NDJSON, '{{"name": "Ann", "name": "Ann", "email": "a@b.c"}}\n'),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", COSTLY)
async def test_a_wrong_line_is_no_more_work_than_a_good_one(
    shared_roster: Roster, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    # What is counted must not depend on the time that it takes.
    monkeypatch.setattr(time_slice, "SLICE_SECONDS", 1e9)
    declared, format, header, good, wrong = COSTLY[case]
    # Faults are only looked for while the report has room for them.
    filled = header + wrong.format(0) * MOST_ERRORS
    rows = RowMaker(declared, shared_roster.database.writing.dialect)
    work = [
        await _calls(declared, rows, format, filled.encode(), "".join(line.format(n) for n in range(1000)).encode())
        for line in (good, wrong)
    ]
    assert 0 < work[1] <= work[0]


async def _calls(declared: Import, rows: RowMaker, format: str, before: bytes, lines: bytes) -> int:
    """How many functions are called to read these lines, with the end of what is before them in the file."""
    count = 0
    end = len(before) // PIECE_BYTES * PIECE_BYTES

    def note(_frame: Any, event: str, argument: Any) -> None:
        nonlocal count
        # SlipCover's probes are no work of the import.
        count += event == "call" or (event == "c_call" and argument.__name__ != "signal")

    async def source() -> AsyncIterator[bytes]:
        yield before[:end]
        # All whole pieces are parsed by now; calls are counted from here on, as that takes more time than the calls.
        sys.setprofile(note)
        yield before[end:] + lines

    others = sys.getprofile()
    try:
        async for _batch in batches(declared, rows, format, source(), 10**9, BatchLimit("sqlite")):
            pass
    finally:
        sys.setprofile(others)
    return count


async def test_a_line_with_thousands_of_faults_is_told_a_hundred(client: httpx.AsyncClient) -> None:
    tags = "1," * 20_000
    csv = await imported(client, "records", f'title,tags\nBells,"[{tags}1]"\n')
    ndjson = await imported(client, "records", f'{{"title": "Bells", "tags": [{tags}1]}}\n', format="ndjson")
    assert csv["errors"] == [each | {"line": 2} for each in ndjson["errors"]]
    assert len(csv["errors"]) == 100


@pytest.mark.parametrize(
    "file",
    [
        "name,email\n" + ",\n" * 5000,
        "name,email\n" + "Ann,a@b.c\n" * 5000,
        "name,email\n" + '"Ann"x\n' * 5000,
        "name,email\n" + "\n" * 400_000,
    ],
    ids=["empty", "a key of an earlier line", "not CSV", "blank"],
)
@pytest.mark.parametrize("mode", ["create", "upsert"])
async def test_others_have_their_turn_by_time(
    roster: Roster, monkeypatch: pytest.MonkeyPatch, mode: Any, file: str
) -> None:
    # When every turn is over at once, another task runs once for each line, or piece of blank ones.
    monkeypatch.setattr(time_slice, "SLICE_SECONDS", 0.0)
    taken, done = 0, False

    async def other() -> None:
        nonlocal taken
        while not done:
            taken += 1
            await asyncio.sleep(0)

    async def source() -> AsyncIterator[bytes]:
        yield file.encode()

    task = asyncio.ensure_future(other())
    await Job(USERS, roster.database, "csv", Options(mode=mode)).run(source)
    done = True
    await task
    assert taken >= min(file.count("\n"), len(file) // 8192)
