"""Pages of every list: whole, in order, and searched alike on both databases."""

import base64
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import httpx
import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncSession

from service.app import Roster
from service.db.folding import fold
from service.models import Record
from tests.conftest import Make
from tests.examples import a_few
from tests.nouns import NOUNS, Noun, invalid, malformed, problem

NO_CURSOR = malformed("The cursor is not valid: send next_cursor of a page.")
OTHER_LIST = malformed("The cursor belongs to another sort or other filters; begin at the first page.")
# Folding makes three letters of four bytes each of this one.
WIDEST = "\U0001d160"

letters = st.sampled_from(
    [*"aAbBzZ09 ._%\\'", *"äÄßéΣςøİıﬁÅ\u212b\u0301", "日", "\U0001f469\u200d\U0001f52c", WIDEST, "\uffff"]
)
titles = st.lists(letters, max_size=6).map(lambda text: f"{''.join(text)[:199]}x")
dates = st.sampled_from([datetime(2020, 1, 1, tzinfo=UTC), datetime(2020, 1, 1, microsecond=1, tzinfo=UTC)])
rows = st.lists(st.tuples(titles, dates), max_size=12)
SORTS = {
    "id": lambda row: (row["id"],),
    "title": lambda row: (fold(row["title"]).encode(), row["id"]),
    "date_created": lambda row: (datetime.fromisoformat(row["date_created"]), row["id"]),
}


async def replace_records(roster: Roster, rows: Iterable[tuple[str, datetime]]) -> None:
    async def replace(session: AsyncSession) -> None:
        await session.execute(delete(Record))
        session.add_all([Record(title=title, date_created=date) for title, date in rows])

    await roster.database.units.run(replace)


async def pages(client: httpx.AsyncClient, path: str, **params: Any) -> list[list[Any]]:
    """Every page from the first to the last."""
    found: list[list[Any]] = []
    cursor: dict[str, str] = {}
    while True:
        answer = await client.get(path, params=params | cursor)
        assert answer.status_code == 200, answer.text
        found.append(answer.json()["items"])
        if answer.json()["next_cursor"] is None:
            return found
        cursor = {"cursor": answer.json()["next_cursor"]}


def whole(pages: list[list[Any]]) -> list[Any]:
    return [each for page in pages for each in page]


@a_few
@given(rows=rows, limit=st.integers(1, 5))
@example(rows=[("a", datetime(2020, 1, 1, tzinfo=UTC))] * 7, limit=3)
async def test_pages_hold_every_row_once_and_in_order(
    roster: Roster, client: httpx.AsyncClient, rows: list[tuple[str, datetime]], limit: int
) -> None:
    await replace_records(roster, rows)
    everything = whole(await pages(client, "/v1/records"))
    assert len(everything) == len(rows)
    for sort, key in SORTS.items():
        expected = sorted(everything, key=key)
        ascending = await pages(client, "/v1/records", sort=sort, limit=limit)
        assert whole(ascending) == expected
        assert {len(page) for page in ascending[:-1]} <= {limit}
        assert whole(await pages(client, "/v1/records", sort=f"-{sort}", limit=limit)) == expected[::-1]


changes = st.lists(st.none() | titles | st.integers(0, 11), max_size=10)


@a_few
@given(
    rows=rows, changes=changes, limit=st.integers(1, 3), sort=st.sampled_from([*SORTS, *(f"-{each}" for each in SORTS)])
)
async def test_rows_that_come_and_go_make_no_other_row_skipped_or_repeated(
    roster: Roster,
    client: httpx.AsyncClient,
    rows: list[tuple[str, datetime]],
    changes: list[Any],
    limit: int,
    sort: str,
) -> None:
    await replace_records(roster, rows)
    stable = {each["id"]: each for each in whole(await pages(client, "/v1/records"))}
    ids, seen = list(stable), []
    params: dict[str, Any] = {"sort": sort, "limit": limit}
    while True:
        page = (await client.get("/v1/records", params=params)).json()
        seen += page["items"]
        if page["next_cursor"] is None:
            break
        params["cursor"] = page["next_cursor"]
        change = changes.pop() if changes else None
        if isinstance(change, str):
            await client.post("/v1/records", json={"title": change})
        elif change is not None and change < len(ids):
            await client.delete(f"/v1/records/{ids[change]}")
            stable.pop(ids[change], None)
    assert len({each["id"] for each in seen}) == len(seen)
    expected = sorted(stable.values(), key=SORTS[sort.removeprefix("-")], reverse=sort.startswith("-"))
    assert [each for each in seen if each["id"] in stable] == expected


@a_few
@given(rows=rows, text=st.lists(letters, min_size=1, max_size=3).map("".join).filter(str.strip))
async def test_finds_text_wherever_it_is_without_regard_to_case(
    roster: Roster, client: httpx.AsyncClient, rows: list[tuple[str, datetime]], text: str
) -> None:
    await replace_records(roster, rows)
    everything = whole(await pages(client, "/v1/records"))
    expected = [each for each in everything if fold(text) in fold(each["title"])]
    assert whole(await pages(client, "/v1/records", q=text, limit=2)) == expected


@pytest.mark.parametrize(
    ("name", "text"),
    [
        *(
            ("Straße", "STRASSE"),
            ("\ufb01ne", "Fine"),
            ("\u2163", "iv"),
            ("\u212bsa", "åSA"),
            ("Ame\u0301lie", "AMÉLIE"),
        ),
        *(("\uff21\uff2e\uff2e", "ann"), ("ΟΔΟΣ", "οδος"), ("İ", "i\u0307")),
        *(("100%", "%"), ("a_b", "_"), ("a\\b", "\\")),
    ],
)
async def test_finds_what_reads_alike(client: httpx.AsyncClient, make: Make, name: str, text: str) -> None:
    await make("employees", name="neither")
    employee = await make("employees", name=name)
    assert whole(await pages(client, "/v1/employees", q=text)) == [employee]


@pytest.mark.parametrize("noun", NOUNS.values(), ids=NOUNS)
async def test_every_noun_is_listed_by_its_name(client: httpx.AsyncClient, noun: Noun, make: Make) -> None:
    names = ["b", "A", "ß", "é", "e\u0301x", "a ", "Z", "\U0001f600"]
    made = [await make(noun.name, **{noun.called: name}) for name in names]
    expected = sorted(made, key=lambda each: (fold(each[noun.called]).encode(), each["id"]))
    assert whole(await pages(client, noun.path, sort=noun.called, limit=3)) == expected
    assert whole(await pages(client, noun.path, sort=f"-{noun.called}", limit=3)) == expected[::-1]


async def test_users_are_listed_by_email(client: httpx.AsyncClient, make: Make) -> None:
    made = [await make("users", email=f"{name}@b") for name in ("b", "A", "ß", "a-", "É", "Z")]
    expected = sorted(made, key=lambda each: fold(each["email"]).encode())
    assert whole(await pages(client, "/v1/users", sort="email", limit=2)) == expected


async def test_links_are_paged_from_both_ends(client: httpx.AsyncClient, make: Make) -> None:
    departments = [await make("departments", name=name) for name in "cAb"]
    employees = [await make("employees", name=name) for name in "zYzx"]
    for department in departments:
        for employee in employees:
            await client.put(f"/v1/departments/{department['id']}/employees/{employee['id']}", json={})
    members = f"/v1/departments/{departments[0]['id']}/employees"
    found = whole(await pages(client, members, sort="name", limit=1))
    assert [each["employee_id"] for each in found] == [employees[at]["id"] for at in (3, 1, 0, 2)]
    found = whole(await pages(client, members, sort="-name", limit=3, q="z"))
    assert [each["employee_id"] for each in found] == [employees[at]["id"] for at in (2, 0)]
    found = whole(await pages(client, f"/v1/employees/{employees[0]['id']}/departments", sort="-name", limit=2))
    assert [each["department_id"] for each in found] == [departments[at]["id"] for at in (0, 2, 1)]


async def test_a_page_has_fifty_items_unless_another_limit_is_set(roster: Roster, client: httpx.AsyncClient) -> None:
    await replace_records(roster, [("a", datetime(2020, 1, 1, tzinfo=UTC))] * 201)
    sizes = [len((await client.get(f"/v1/records{query}")).json()["items"]) for query in ("", "?limit=1", "?limit=200")]
    assert sizes == [50, 1, 200]


@pytest.mark.parametrize(("limit", "detail"), [("0", "Expected int >= 1."), ("201", "Expected int <= 200.")])
async def test_a_limit_has_limits(client: httpx.AsyncClient, limit: str, detail: str) -> None:
    answer = await client.get("/v1/records", params={"limit": limit})
    assert problem(answer) == invalid({"detail": detail, "parameter": "limit"})


async def test_the_link_header_leads_on(client: httpx.AsyncClient, make: Make) -> None:
    for _ in range(3):
        await make("departments")
    first = await client.get("/v1/departments", params={"q": "epart", "limit": "2"})
    url = first.links["next"]["url"]
    assert url == f"/v1/departments?q=epart&limit=2&cursor={first.json()['next_cursor']}"
    second = await client.get(url)
    assert len(second.json()["items"]) == 1
    assert "link" not in second.headers


async def test_the_link_header_repeats_filters_as_they_were_meant(client: httpx.AsyncClient, make: Make) -> None:
    made = [await make("employees", name=f"ü & 50%+{number}") for number in range(3)]
    found, url = [], "/v1/employees?q=%C3%9C+%26%2050%25%2B&limit=1"
    while url:
        answer = await client.get(url)
        found += answer.json()["items"]
        url = answer.links.get("next", {}).get("url", "")
    assert found == made


async def test_the_longest_keys_fit_into_a_cursor(client: httpx.AsyncClient, make: Make) -> None:
    made = [await make("records", title=WIDEST * 200), await make("records", title='"' * 200)]
    assert whole(await pages(client, "/v1/records", sort="title", limit=1)) == made[::-1]


async def next_cursor(client: httpx.AsyncClient, make: Make, **params: str) -> str:
    for _ in range(2):
        await make("records", tags=["a"])
    cursor: str = (await client.get("/v1/records", params={"limit": "1", **params})).json()["next_cursor"]
    return cursor


@pytest.mark.parametrize(
    "other",
    [{"sort": "-title"}, {"sort": "id"}, {"tag": "a"}, {"sort": "title", "q": "b"}, {"sort": "title", "q": "R"}],
)
async def test_a_cursor_is_for_the_list_that_gave_it(
    client: httpx.AsyncClient, make: Make, other: dict[str, str]
) -> None:
    cursor = await next_cursor(client, make, sort="title", q="r")
    assert problem(await client.get("/v1/records", params={**other, "cursor": cursor})) == OTHER_LIST
    answer = await client.get("/v1/records", params={"sort": "title", "q": "r", "limit": "7", "cursor": cursor})
    assert (answer.status_code, len(answer.json()["items"])) == (200, 1)


async def test_a_cursor_is_for_the_noun_that_gave_it(client: httpx.AsyncClient, make: Make) -> None:
    cursor = await next_cursor(client, make)
    assert problem(await client.get("/v1/users", params={"cursor": cursor})) == OTHER_LIST


def forge(mark: Any, value: Any, key: Any) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode([mark, value, key])).decode().rstrip("=")


NO_KEYS = [-1, 2**63, 2**64, 1.5, "1", None, True, []]
NO_VALUES: dict[str, list[Any]] = {
    "id": ["a", None, 2**63, 1.5, True],
    "title": [1, None, True, [], {}, "\0", "a\nb", "a\x7f"],
    "date_created": [
        *(1, None, "", "now", "2020-01-01", "2020-01-01T00:00:00", "2020-02-30T00:00:00Z"),
        *("0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00Z"),
    ],
}


@pytest.mark.parametrize("sort", NO_VALUES)
async def test_a_forged_cursor_is_refused(client: httpx.AsyncClient, make: Make, sort: str) -> None:
    real = await next_cursor(client, make, sort=sort)
    mark, value, key = msgspec.json.decode(base64.urlsafe_b64decode(real + "=="))
    forged = [forge(mark, value, each) for each in NO_KEYS] + [forge(mark, each, key) for each in NO_VALUES[sort]]
    for cursor in forged:
        answer = await client.get("/v1/records", params={"sort": sort, "cursor": cursor})
        assert (problem(answer), cursor) == (NO_CURSOR, cursor)
    answer = await client.get("/v1/records", params={"sort": sort, "cursor": forge(mark, value, 2**63 - 1)})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "cursor",
    [
        *("x", "====", "ä", "\U0001f600", "_" * 3000, "%", " "),
        *(base64.b64encode(each).decode() for each in (b"[]", b"null", b"{}", b"[1", b"[" * 2000, b'[1,"\\ud800",1]')),
        *(forge(1.5, 1, 1), forge("1", 1, 1)),
    ],
    ids=lambda cursor: cursor[:9],
)
async def test_a_cursor_of_nonsense_is_refused(client: httpx.AsyncClient, cursor: str) -> None:
    assert problem(await client.get("/v1/records", params={"sort": "title", "cursor": cursor})) == NO_CURSOR


async def test_a_cursor_has_a_length(client: httpx.AsyncClient) -> None:
    for cursor, detail in (("", "Expected str of length >= 1."), ("a" * 3001, "Expected str of length <= 3000.")):
        answer = await client.get("/v1/records", params={"cursor": cursor})
        assert problem(answer) == invalid({"detail": detail, "parameter": "cursor"})
