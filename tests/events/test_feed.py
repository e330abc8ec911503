"""The feed: it skips nothing that commits late, goes on from a cursor, waits, and says why it cannot go on."""

import asyncio
import random
from datetime import timedelta
from functools import partial
from typing import Any

import httpx
import pytest
from sqlalchemy import delete, text, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from service.app import Roster
from service.db.audit import record
from service.db.clock import now
from service.events.actions import prune, renumber_restored
from service.models import Event
from tests.conftest import Make
from tests.files import imported
from tests.nouns import problem

FEED = "/v1/events/feed"


async def feed(client: httpx.AsyncClient, **parameters: Any) -> dict[str, Any]:
    answer = await client.get(FEED, params=parameters)
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    return document


def names(document: dict[str, Any]) -> list[str]:
    return [each["resource_key"] for each in document["items"]]


async def write(roster: Roster, *keys: str) -> None:
    async def work(session: AsyncSession) -> None:
        for key in keys:
            record(session, action="thing.made", resource="things", resource_key=key)

    await roster.database.units.run(work)


async def test_goes_on_from_a_cursor(roster: Roster, client: httpx.AsyncClient) -> None:
    assert await feed(client) == {"items": [], "next_cursor": None, "held_since": None}
    await write(roster, "a", "b", "c")
    first = await feed(client, limit=2)
    assert names(first) == ["a", "b"]
    second = await feed(client, after=first["next_cursor"])
    assert names(second) == ["c"]
    assert await feed(client, after=second["next_cursor"]) == second | {"items": []}
    latest = await feed(client, after="now")
    assert latest == second | {"items": []}
    await write(roster, "d")
    assert names(await feed(client, after=latest["next_cursor"])) == ["d"]


async def test_shows_what_the_list_shows(client: httpx.AsyncClient, make: Make) -> None:
    user = await make("users", name="Ann")
    (event,) = (await feed(client))["items"]
    assert event["changes"]["name"] == [None, "Ann"]
    assert (await client.get("/v1/events")).json() == {"items": [event], "next_cursor": None}
    for found, filters in (
        (1, {"resource": "users", "resource_id": user["id"]}),
        (0, {"resource": "users", "resource_id": user["id"] + 1}),
        (0, {"actor_id": 1}),
        (1, {"action": "user.created", "via": "api"}),
        (0, {"via": "import"}),
        (1, {"since": event["created_at"]}),
        (0, {"until": event["created_at"]}),
    ):
        assert len((await client.get("/v1/events", params=filters)).json()["items"]) == found, filters


async def test_pages_of_the_list_follow_each_other(roster: Roster, client: httpx.AsyncClient) -> None:
    await write(roster, *"abcde")
    newest = (await client.get("/v1/events", params={"limit": 2})).json()
    assert names(newest) == ["e", "d"]
    rest = (await client.get("/v1/events", params={"cursor": newest["next_cursor"]})).json()
    assert names(rest) == ["c", "b", "a"]


async def test_pages_by_time_hold_the_events_of_that_time(roster: Roster, client: httpx.AsyncClient) -> None:
    await write(roster, *"abcde")
    last_hour: dict[str, Any] = {"sort": "-created_at", "limit": 3, "since": (now() - timedelta(hours=1)).isoformat()}
    newest = (await client.get("/v1/events", params=last_hour)).json()
    assert names(newest) == ["e", "d", "c"]
    rest = (await client.get("/v1/events", params={**last_hour, "cursor": newest["next_cursor"]})).json()
    assert (names(rest), rest["next_cursor"]) == (["b", "a"], None)
    oldest = (await client.get("/v1/events", params={"sort": "created_at", "until": "2000-01-01T00:00:00Z"})).json()
    assert oldest["items"] == []


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
async def test_skips_and_repeats_nothing_however_transactions_end(
    roster: Roster, client: httpx.AsyncClient, seed: int
) -> None:
    """Writers that commit late, in another order, or not at all, while a reader follows in small pages."""
    chance = random.Random(seed)
    written: list[str] = []
    over = asyncio.Event()

    async def writer(number: int) -> None:
        for turn in range(6):
            keys = [f"{number}.{turn}.{at}" for at in range(chance.randint(1, 4))]
            kept = chance.random() < 0.75
            pauses = [chance.choice((0, 0, 0, 0.002, 0.03)) for _ in keys]

            async def work(session: AsyncSession, keys: list[str] = keys, pauses: list[float] = pauses) -> None:
                connection = await session.connection()
                for key, pause in zip(keys, pauses, strict=True):
                    # At once, not at COMMIT: ids of events are given out early, as an import does.
                    await insert(connection, key)
                    await asyncio.sleep(pause)

            await roster.database.units.run(work, commit_if=partial(_is, kept))
            if kept:
                written.extend(keys)
            await asyncio.sleep(chance.choice((0, 0.001)))

    async def reader() -> list[str]:
        seen: list[str] = []
        after: dict[str, str] = {}
        while True:
            last = over.is_set()
            page = await feed(client, limit=chance.choice((1, 2, 5)), **after)
            seen += names(page)
            after = {"after": page["next_cursor"]} if page["next_cursor"] else {}
            if last and not page["items"]:
                return seen
            await asyncio.sleep(0)

    reading = asyncio.create_task(reader())
    await asyncio.gather(*(writer(number) for number in range(6)))
    over.set()
    seen = await reading
    assert sorted(seen) == sorted(written)


def _is(kept: bool, _answer: None) -> bool:
    return kept


async def insert(connection: AsyncConnection, key: str) -> None:
    values = {"via": "system", "action": "thing.made", "resource": "things", "resource_key": key, "changes": "{}"}
    await connection.execute(Event.__table__.insert().values(values))  # type: ignore[attr-defined]


async def test_says_since_when_an_open_transaction_holds_events_back(
    roster: Roster, client: httpx.AsyncClient, backend: str
) -> None:
    if backend == "sqlite":
        # Its one writer has ended before the next begins.
        return
    async with roster.database.writing.connect() as other:
        await other.execute(text("SELECT pg_current_xact_id()"))
        await write(roster, "held")
        held = await feed(client)
        assert (held["items"], held["next_cursor"]) == ([], None)
        (event,) = (await client.get("/v1/events")).json()["items"]
        assert held["held_since"] == event["created_at"]
    shown = await feed(client)
    assert (shown["items"], shown["held_since"]) == ([event], None)


async def test_waits_for_the_next_event(roster: Roster, client: httpx.AsyncClient) -> None:
    await write(roster, "a")
    after = (await feed(client))["next_cursor"]
    waiting = asyncio.create_task(feed(client, after=after, wait=20))
    while not roster.waiting.count:
        await asyncio.sleep(0.01)
    await write(roster, "b")
    assert names(await waiting) == ["b"]
    assert roster.waiting.count == 0
    assert (await feed(client, after=after, wait=1, limit=1))["items"]


async def test_sees_what_another_process_stores(roster: Roster, client: httpx.AsyncClient) -> None:
    waiting = asyncio.create_task(feed(client, wait=20))
    while not roster.waiting.generation:
        await asyncio.sleep(0.01)
    async with roster.database.writing.begin() as connection:
        await insert(connection, "theirs")
    assert names(await waiting) == ["theirs"]


async def test_a_waiting_request_ends_empty(client: httpx.AsyncClient) -> None:
    assert await feed(client, wait=1) == {"items": [], "next_cursor": None, "held_since": None}


async def test_only_so_many_wait(roster: Roster, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roster.waiting, "_most", 0)
    answer = await client.get(FEED, params={"wait": 5})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert (await client.get(FEED)).status_code == 200


@pytest.mark.parametrize("cursor", ["x", "WzFd", "-", "a" * 200, "WzEsMl0="])
async def test_what_is_no_cursor_is_refused(client: httpx.AsyncClient, cursor: str) -> None:
    answer = await client.get(FEED, params={"after": cursor})
    assert answer.status_code in (400, 410)
    assert problem(answer)["type"].endswith(("malformed", "gone"))


async def test_a_cursor_of_another_database_is_gone(roster: Roster, client: httpx.AsyncClient) -> None:
    await write(roster, "a")
    after = (await feed(client))["next_cursor"]
    async with roster.database.writing.begin() as connection:
        await connection.execute(update(Event).values(created_at=now()))
    assert (await client.get(FEED, params={"after": after})).status_code == 410
    async with roster.database.writing.begin() as connection:
        await connection.execute(delete(Event))
    gone = problem(await client.get(FEED, params={"after": after}))
    assert (gone["status"], gone["type"]) == (410, "urn:roster:problem:gone")


async def test_retention_keeps_the_newest_event(roster: Roster, client: httpx.AsyncClient) -> None:
    await write(roster, "a", "b")
    after = (await feed(client))["next_cursor"]
    assert await prune(roster.database, now()) == 1
    assert names(await feed(client)) == ["b", None]
    (pruned,) = (await feed(client, after=after))["items"]
    assert (pruned["action"], pruned["changes"]["rows"]) == ("event.pruned", [None, 1])


async def test_a_dump_restored_on_a_younger_server_keeps_its_order_and_cursors(
    roster: Roster, client: httpx.AsyncClient, backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if backend == "sqlite":
        # Its events have no number but their id.
        assert await renumber_restored(roster.database) == 0
        return
    await write(roster, "a")
    await write(roster, "b")
    after = (await feed(client, limit=1))["next_cursor"]
    async with roster.database.writing.begin() as connection:
        await connection.execute(update(Event).values(transaction_id=Event.transaction_id + 10**12))
    await write(roster, "c")
    answer = await client.get(FEED)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "30")
    monkeypatch.setattr("service.events.actions._BATCH_ROWS", 1)
    at_once = await asyncio.gather(*(renumber_restored(roster.database) for _ in range(3)))
    assert sorted(at_once) == [0, 0, 2]
    assert await renumber_restored(roster.database) == 0
    assert names(await feed(client)) == ["a", "b", "c"]
    assert names(await feed(client, after=after)) == ["b", "c"]


async def test_imports_wake_readers_of_this_process(
    roster: Roster, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    commits: list[None] = []
    monkeypatch.setattr(roster.database.units, "when_recorded", lambda: commits.append(None))
    await imported(client, "departments", "name,external_id\nSales,d:1\n")
    assert len(commits) == 1
    await imported(client, "departments", "name,external_id\nSales,d:1\n", mode="upsert")
    assert len(commits) == 1
    await imported(client, "departments", "name,external_id\nFinance,d:1\n", mode="upsert")
    assert len(commits) == 2
