"""Imports with concurrent writers, disconnected clients, failing databases and concurrent DDL."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import asyncpg
import httpx
import pytest
from sqlalchemy import text

from service.app import Roster, create_app
from service.db.engine import Purpose, create_engine
from service.http.transfer import batching
from service.http.transfer.job import Job, Options, Watcher
from service.http.transfer.reports import Outcome, Report
from service.settings import Settings
from service.users.transfer import IMPORT
from tests.conftest import client_of
from tests.db.conftest import checked_out
from tests.files import errors, imported, people, report, send
from tests.postgres import execute

Chunks = AsyncIterator[bytes]

BATCH_LINES = 1000


@pytest.fixture(autouse=True)
def batches_of_one_length(monkeypatch: pytest.MonkeyPatch) -> None:
    """The longer batches of the databases would need longer files."""
    for database in batching.BATCH_LINES:
        monkeypatch.setitem(batching.BATCH_LINES, database, BATCH_LINES)
        monkeypatch.setitem(batching.QUIET_TIMES, database, 1)


@asynccontextmanager
async def roster_on(url: str, **settings: Any) -> AsyncIterator[Roster]:
    """A service of this test's own; whatever happened to its connections, they come back."""
    roster = create_app(Settings(database_url=url, **settings))
    try:
        yield roster
        assert checked_out(roster.database.writing) == checked_out(roster.database.reading) == 0
    finally:
        await roster.database.close()


async def count(roster: Roster) -> int:
    """How many users there are."""
    async with roster.database.reading.connect() as connection:
        return int((await connection.execute(text("SELECT count(*) FROM users"))).scalar_one())


async def run(roster: Roster, chunks: Chunks, watcher: Watcher | None = None, **parameters: Any) -> Report:
    """Import users from a stream of CSV."""
    return await Job(IMPORT, roster.database, "csv", Options(**parameters), watcher).run(lambda: chunks)


class Settled(Watcher):
    """Counts the lines that are settled, and calls someone each time."""

    def __init__(self, call: Callable[[int], None] = lambda _lines: None) -> None:
        self.lines = 0
        self._call = call

    def settled(self, outcome: Outcome) -> None:
        self.lines += outcome.created + outcome.updated + outcome.unchanged + outcome.failed
        self._call(self.lines)


async def test_two_imports_of_one_file_store_each_line_once(client: httpx.AsyncClient, roster: Roster) -> None:
    one, two = await asyncio.gather(*(imported(client, "users", people(2500)) for _ in range(2)))
    assert one["created"] + two["created"] == await count(roster) == 2500
    assert one["failed"] + two["failed"] == 2500


async def test_two_upserts_in_opposite_order_end_as_one(client: httpx.AsyncClient, roster: Roster) -> None:
    header, *lines = people(1500).splitlines()
    backwards = b"\n".join([header, *reversed(lines)])
    one, two = await asyncio.gather(
        imported(client, "users", people(1500), mode="upsert"), imported(client, "users", backwards, mode="upsert")
    )
    assert one["created"] + two["created"] == await count(roster) == 1500
    assert one["unchanged"] + two["unchanged"] == 1500


async def test_an_upsert_among_patches_loses_none_of_either(client: httpx.AsyncClient) -> None:
    await imported(client, "users", people(50))
    items = (await client.get("/v1/users", params={"limit": "50"})).json()["items"]
    ages = "name,email,age\n" + "".join(f"{each['name']},{each['email']},7\n" for each in items)

    async def patch() -> None:
        for each in items:
            changed = await client.patch(f"/v1/users/{each['id']}", json={"address": "Elm Street"})
            assert changed.status_code == 200

    _, found = await asyncio.gather(patch(), imported(client, "users", ages, mode="upsert"))
    assert found == report(mode="upsert", updated=50)
    after = (await client.get("/v1/users", params={"limit": "50"})).json()["items"]
    assert {(each["age"], each["address"], each["version"]) for each in after} == {(7, "Elm Street", 3)}


async def test_a_caller_who_leaves_keeps_the_batches_that_are_whole(roster: Roster) -> None:
    file = people(2 * BATCH_LINES + 500)
    messages = [
        {"type": "http.request", "body": file, "more_body": True},
        {"type": "http.disconnect"},
    ]

    async def receive() -> Any:
        return messages.pop(0) if messages else await asyncio.Event().wait()

    async def send(message: Any) -> None:
        pass

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1/users/import",
        "query_string": b"",
        "headers": [(b"host", b"localhost"), (b"content-type", b"text/csv")],
        "client": ("127.0.0.1", 1),
    }
    await roster(scope, receive, send)
    assert await count(roster) == 2 * BATCH_LINES
    assert checked_out(roster.database.writing) == 0


@pytest.mark.parametrize("parameters", [{}, {"mode": "upsert"}, {"dry_run": True}])
async def test_a_cancelled_import_gives_its_connection_back(roster: Roster, parameters: dict[str, Any]) -> None:
    for lines in range(0, 3000, 250):
        task = asyncio.ensure_future(_stalling(roster, lines, parameters))
        await asyncio.sleep(0.01)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        assert checked_out(roster.database.writing) == checked_out(roster.database.reading) == 0
    assert await count(roster) % BATCH_LINES == 0


async def _stalling(roster: Roster, lines: int, parameters: dict[str, Any]) -> None:
    async def chunks() -> Chunks:
        yield people(3000)[: lines * 40]
        await asyncio.Event().wait()

    await run(roster, chunks(), **parameters)


async def test_reads_no_more_than_it_can_store(roster: Roster) -> None:
    handed_out = 0

    async def chunks() -> Chunks:
        nonlocal handed_out
        header, _, lines = people(20 * BATCH_LINES).partition(b"\n")
        yield header + b"\n"
        for line in lines.splitlines(keepends=True):
            handed_out += 1
            yield line

    ahead: list[int] = []
    await run(roster, chunks(), Settled(lambda lines: ahead.append(handed_out - lines)))
    assert len(ahead) >= 20
    # One batch is stored, one is ready, and one is being read.
    assert max(ahead) <= 2 * BATCH_LINES


async def test_a_slow_sender_waits_for_no_thousandth_line(roster: Roster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batching, "BATCH_SECONDS", 0.0)

    async def chunks() -> Chunks:
        yield people(3)
        yield b"Last,last@example.org,\n"
        while await count(roster) < 3:
            await asyncio.sleep(0.01)

    found = await run(roster, chunks())
    assert (found.created, found.lines) == (4, 4)


async def test_killed_connections_lose_and_double_no_line(fresh_url: str, backend: str) -> None:
    if backend == "sqlite":
        # Nobody can take a file's connection away.
        return
    async with roster_on(fresh_url) as roster:
        killed = asyncio.Event()

        async def kill() -> None:
            while not killed.is_set():
                await execute(fresh_url, KILL)
                await asyncio.sleep(0.12)

        async def chunks() -> Chunks:
            yield people(8 * BATCH_LINES)

        killer = asyncio.ensure_future(kill())
        found = await run(roster, chunks())
        killed.set()
        await killer
        assert (found.created, found.failed) == (8 * BATCH_LINES, 0)
        assert await count(roster) == 8 * BATCH_LINES


KILL = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'roster serve'"


async def test_a_column_that_changes_its_type_stops_no_import(fresh_url: str, backend: str) -> None:
    if backend == "sqlite":
        # Its columns have no types that a connection could remember.
        return
    async with roster_on(fresh_url, pool_size=1) as roster, client_of(roster) as client:
        for n, kind in enumerate(("bigint", "integer", "bigint")):
            assert await imported(client, "users", f"name,email,age\nAnn,a{n}@b.c,3\n") == report(created=1)
            await execute(fresh_url, f"ALTER TABLE users ALTER age TYPE {kind}")
        upsert = await imported(client, "users", "name,email,age\nAnn,a0@b.c,4\n", mode="upsert")
        assert upsert == report(mode="upsert", updated=1)


async def test_a_constraint_that_this_code_does_not_know_fails_its_lines_alone(fresh_url: str) -> None:
    async with roster_on(fresh_url) as roster, client_of(roster) as client:
        async with roster.database.writing.begin() as connection:
            await connection.execute(text("CREATE UNIQUE INDEX one_a_house ON users (address)"))
        text_lines = "".join(f"User {n},u{n}@b.c,{'Elm' if n in (3, 17, 40) else n} Street\n" for n in range(50))
        found = await imported(client, "users", "name,email,address\n" + text_lines)
        refused = "The change contradicts what is stored."
        assert found == report(created=48, failed=2, errors=errors((19, None, refused), (42, None, refused)))
        atomic = await send(client, "users", "name,email,address\nAnn,a@b.c,Elm Street\n", atomic="true")
        assert (atomic.status_code, atomic.json()["detail"]) == (409, refused)


async def test_a_database_that_stops_answering_is_told_with_what_is_stored(fresh_url: str) -> None:
    waits = {"busy_seconds": 0.05, "lock_wait_seconds": 0.05, "unit_deadline_seconds": 0.1}
    async with roster_on(fresh_url, **waits) as roster, client_of(roster) as client:
        engine = create_engine(fresh_url, Purpose.SERVE)
        blocker = await engine.connect()

        async def chunks() -> Chunks:
            yield people(BATCH_LINES)
            while await count(roster) < BATCH_LINES:
                await asyncio.sleep(0.01)
            await blocker.begin()
            lock = {"postgresql": "LOCK TABLE users IN EXCLUSIVE MODE", "sqlite": "SELECT 1"}
            await blocker.execute(text(lock[blocker.dialect.name]))
            yield people(2 * BATCH_LINES, start=BATCH_LINES).partition(b"\n")[2]

        headers = {"content-type": "text/csv"}
        answer = await client.post("/v1/users/import", content=chunks(), headers=headers)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert answer.json()["detail"].endswith("1,000 lines were stored before; importing again does no harm.")
        await blocker.close()
        again = await imported(client, "users", people(3 * BATCH_LINES), mode="upsert")
        assert (again["unchanged"], again["created"]) == (BATCH_LINES, 2 * BATCH_LINES)
        await engine.dispose()


async def test_an_atomic_import_meets_a_rival_after_its_check(fresh_url: str) -> None:
    async with roster_on(fresh_url) as roster:

        class Rival(Watcher):
            done = False

            def read(self, step: str, position: int, report: Report) -> None:
                if step == "check" and not self.done:
                    self.done = True
                    self.task = asyncio.ensure_future(self.take())

            async def take(self) -> None:
                async with client_of(roster) as client:
                    await imported(client, "users", people(1))

        rival = Rival()

        async def chunks() -> Chunks:
            yield people(5)
            if rival.done:
                await rival.task

        job = Job(IMPORT, roster.database, "csv", Options(atomic=True), rival)
        found = await job.run(chunks)
        assert (found.failed, [each.line for each in found.errors]) == (1, [2, 2])
        assert await count(roster) == 1


def test_asyncpg_still_names_the_errors_of_a_stale_copy() -> None:
    assert asyncpg.InvalidBinaryRepresentationError.sqlstate == "22P03"
    assert asyncpg.BadCopyFileFormatError.sqlstate == "22P04"
