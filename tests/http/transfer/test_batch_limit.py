"""How long the transactions of an import into SQLite are: longer while no other writer waits for their end."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from service.app import Roster
from service.http.transfer import batching
from service.http.transfer.job import Job, Options, Watcher
from service.http.transfer.reports import Outcome
from service.users.transfer import IMPORT
from tests.conftest import copy_of, serving_in_process
from tests.db.conftest import checked_out
from tests.files import people

LINES = 10


class Sizes(Watcher):
    """Notes how many lines each transaction stored, and calls someone each time."""

    def __init__(self, call: Callable[[], None]) -> None:
        self.found: list[int] = []
        self._call = call

    def settled(self, outcome: Outcome) -> None:
        self.found.append(outcome.created + outcome.failed)
        self._call()


@pytest.fixture(autouse=True)
def short_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(batching.BATCH_LINES, "sqlite", LINES)


@pytest.fixture
async def importing(sqlite_template_url: str, tmp_path: Path) -> AsyncIterator[Roster]:
    async with serving_in_process(copy_of(sqlite_template_url, tmp_path)) as roster:
        yield roster


async def sizes(roster: Roster, file: bytes) -> list[int]:
    """The sizes of the batches; the lines after the first batch arrive once that is stored."""
    stored = asyncio.Event()
    lines = file.splitlines(keepends=True)

    async def chunks() -> AsyncIterator[bytes]:
        yield b"".join(lines[: LINES + 1])
        await stored.wait()
        yield b"".join(lines[LINES + 1 :])

    watcher = Sizes(stored.set)
    await Job(IMPORT, roster.database, "csv", Options(), watcher).run(chunks)
    return watcher.found


async def test_a_batch_is_up_to_four_times_as_long_while_nobody_waits(importing: Roster) -> None:
    first, second, *others, rest = await sizes(importing, people(200))
    assert (first, second, max(others)) == (LINES, 2 * LINES, 4 * LINES)
    assert first + second + sum(others) + rest == 200


async def test_a_batch_that_others_waited_for_is_followed_by_a_short_one(importing: Roster) -> None:
    units = importing.database.units
    begun, ends = asyncio.Event(), asyncio.Event()

    async def hold(session: AsyncSession) -> None:
        await session.execute(text("UPDATE users SET name = name WHERE id = 0"))
        begun.set()
        await ends.wait()

    async def in_line(place: int) -> None:
        while checked_out(importing.database.writing) < place:
            await asyncio.sleep(0)
        # A connection is lent a few turns of the event loop before the unit queues.
        for _ in range(50):
            await asyncio.sleep(0)

    holder = asyncio.ensure_future(units.run(hold, alone=True))
    await begun.wait()
    imported = asyncio.ensure_future(sizes(importing, people(200)))
    await in_line(2)
    follower = asyncio.ensure_future(units.run(hold, alone=True))
    await in_line(3)
    ends.set()
    _, _, (first, second, third, *_) = await asyncio.gather(holder, follower, imported)
    assert (first, second) == (LINES, LINES)
    assert third in (LINES, 2 * LINES)


async def test_a_batch_that_has_a_taken_key_is_followed_by_a_short_one(importing: Roster) -> None:
    file = people(10) + people(40, start=9).partition(b"\n")[2]
    assert (await sizes(importing, file))[:3] == [LINES, 2 * LINES, LINES]
