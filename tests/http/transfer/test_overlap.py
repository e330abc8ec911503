"""Two batches of an import at a time: what is committed, in which order, and what is reported."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from service.app import create_app
from service.http.transfer import batching
from service.http.transfer.batching import Batch
from service.http.transfer.overlap import OvertakenError, Steps, Ticket, store_overlapping
from service.http.transfer.reports import Outcome
from service.settings import Settings
from tests.conftest import client_of
from tests.files import imported, listed


class Book:
    """Steps that write down what they do; batches are told by their position."""

    def __init__(self, count: int, *, retried: int = 0, fails: int = 0, failed_lines: int = 0) -> None:
        self.done: list[str] = []
        self.known: dict[int, int] = {}
        self._count, self._retried, self._fails, self._failed_lines = count, retried, fails, failed_lines
        self.stops_after = 0
        self.steps = Steps(lambda: None, lambda: True, self.store, self.finish)

    async def store(self, batch: Batch, ticket: Ticket, failures: int) -> Outcome:
        at = batch.position
        self.done.append(f"begin {at}")
        try:
            await self._first(at, ticket)
        except OvertakenError:
            self.done.append(f"roll back {at}")
            self.known[at] = failures + await ticket.go_alone()
            self.done.append(f"begin {at}")
        self.done.append(f"commit {at}")
        return Outcome(failed=self._failed_lines if at == 1 else 0)

    async def _first(self, at: int, ticket: Ticket) -> None:
        await ticket.rows_stored()
        while at < self._count and f"begin {at + 1}" not in self.done:
            await asyncio.sleep(0)
        if at == self._retried:
            raise OvertakenError("")
        if at == self._fails:
            raise ValueError(at)

    def finish(self, batch: Batch, _outcome: Outcome) -> bool:
        self.done.append(f"report {batch.position}")
        return batch.position == self.stops_after

    def only(self, verb: str) -> list[int]:
        return [int(each.split()[-1]) for each in self.done if each.startswith(verb)]


async def batches(count: int, failure: Exception | None = None) -> AsyncIterator[Batch]:
    for at in range(1, count + 1):
        yield Batch(position=at)
    if failure is not None:
        raise failure


async def test_a_batch_begins_before_the_one_before_is_committed() -> None:
    book = Book(4)
    await store_overlapping(batches(4), book.steps)
    assert book.only("commit") == book.only("report") == [1, 2, 3, 4]
    assert book.done.index("begin 2") < book.done.index("commit 1") < book.done.index("commit 2")
    assert book.done.index("begin 3") > book.done.index("commit 1")


async def test_a_batch_that_begins_again_does_so_without_the_next_one() -> None:
    book = Book(4, retried=2)
    await store_overlapping(batches(4), book.steps)
    assert book.only("commit") == book.only("report") == [1, 2, 3, 4]
    assert book.only("roll back") == [2, 3]
    again = len(book.done) - book.done[::-1].index("begin 2")
    assert book.done.index("roll back 3") < again
    assert len(book.done) - book.done[::-1].index("begin 3") > book.done.index("commit 2")


async def test_the_next_batch_hears_how_many_lines_have_failed() -> None:
    book = Book(3, failed_lines=7)
    await store_overlapping(batches(3), book.steps)
    assert (book.only("commit"), book.known) == ([1, 2, 3], {2: 7})


async def test_nothing_is_committed_after_a_batch_that_fails() -> None:
    book = Book(4, fails=2)
    with pytest.raises(ValueError, match="2"):
        await store_overlapping(batches(4), book.steps)
    assert book.only("commit") == book.only("report") == [1]


async def test_a_file_that_breaks_off_keeps_the_batches_before() -> None:
    book = Book(2)
    with pytest.raises(ConnectionError):
        await store_overlapping(batches(2, ConnectionError()), book.steps)
    assert book.only("commit") == book.only("report") == [1, 2]


async def test_nothing_is_committed_after_the_import_stops() -> None:
    book = Book(4, failed_lines=1)
    book.stops_after = 1
    await store_overlapping(batches(4), book.steps)
    assert book.only("commit") == book.only("report") == [1]


async def test_a_cancelled_import_leaves_no_batch_behind() -> None:
    book = Book(4, retried=1)
    task = asyncio.ensure_future(store_overlapping(batches(4), book.steps))
    while "begin 2" not in book.done:
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest.mark.parametrize("pool_size", [1, 3])
async def test_keys_of_the_batch_before_are_taken(
    fresh_url: str, monkeypatch: pytest.MonkeyPatch, pool_size: int
) -> None:
    for dialect in ("sqlite", "postgresql"):
        monkeypatch.setitem(batching.BATCH_LINES, dialect, 5)
    keys = [0, 1, 2, 3, 4, 5, 6, 4, 8, 9, 10, 11, 12, 13, 14, 10, 14, 17, 18, 19, 20, 21, 22, 20, 24, 25, 26]
    lines = [(at, key) for at, key in enumerate(keys, start=2)]
    twice = [at for at, key in lines if key in keys[: at - 2]]
    emails: list[str] = []
    roster = create_app(Settings(database_url=fresh_url, pool_size=pool_size))
    async with client_of(roster) as client:
        for most in (1, 4, 10_000):
            stop = twice[most - 1] if most <= len(twice) else None
            stored = [key for at, key in lines if at not in twice and (stop is None or at < stop)]
            file = "name,email\n" + "".join(f"Ann,a{key}@{most}.c\n" for _, key in lines)
            found = await imported(client, "users", file, max_errors=str(most))
            assert (found["created"], found["failed"]) == (len(stored), min(most, len(twice)))
            assert found["stopped_at_line"] == stop
            assert [each["line"] for each in found["errors"]] == twice[:most]
            emails += [f"a{key}@{most}.c" for key in stored]
            assert [each["email"] for each in await listed(client, "users")] == emails
    await roster.database.close()
