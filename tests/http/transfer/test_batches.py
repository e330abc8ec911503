"""How the lines of a file are divided into batches."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

import pytest
from sqlalchemy.dialects import sqlite

from service.http.transfer import batching
from service.http.transfer.batching import Batch, BatchLimit, ahead, batches
from service.http.transfer.parser import CSV
from service.http.transfer.spec import RowMaker
from service.users.transfer import IMPORT

GOOD, WRONG = "Ann,ann{0}@b.c\n", "Ann,nowhere\n"


async def divided(lines: list[str], max_errors: int = 10**9) -> list[Batch]:
    rows = RowMaker(IMPORT, sqlite.dialect())

    async def source() -> AsyncIterator[bytes]:
        yield ("name,email\n" + "".join(line.format(at) for at, line in enumerate(lines, start=2))).encode()

    return [batch async for batch in batches(IMPORT, rows, CSV, source(), max_errors, BatchLimit("sqlite"))]


@pytest.mark.parametrize("most", [1, 7, 100, 250])
@pytest.mark.parametrize("wrong", [set(), {0, 3, 6, 7, 99, 100, 259}, set(range(260)), set(range(0, 260, 2))])
async def test_no_line_is_lost_or_moved(monkeypatch: pytest.MonkeyPatch, most: int, wrong: set[int]) -> None:
    monkeypatch.setitem(batching.BATCH_LINES, "sqlite", most)
    found = await divided([WRONG if at in wrong else GOOD for at in range(260)])
    for batch in found:
        assert max(len(batch.lines), batch.outcome.failed) <= most
    assert [line.number for batch in found for line in batch.lines] == [at + 2 for at in range(260) if at not in wrong]
    assert [number for batch in found for number in batch.outcome.failed_lines] == sorted(at + 2 for at in wrong)
    ends = [max([0, *(line.number for line in each.lines), *each.outcome.failed_lines]) for each in found]
    starts = [min([10**9, *(line.number for line in each.lines), *each.outcome.failed_lines]) for each in found]
    assert all(end < start for end, start in zip(ends, starts[1:], strict=False))


@pytest.mark.parametrize("max_errors", [1, 2, 3])
async def test_nothing_is_read_after_the_last_permitted_failure(max_errors: int) -> None:
    wrong = [5, 120, 240]
    [batch] = await divided([WRONG if at in wrong else GOOD for at in range(260)], max_errors)
    last = wrong[max_errors - 1]
    assert batch.outcome.failed_lines == [at + 2 for at in wrong[:max_errors]]
    assert [line.number for line in batch.lines] == [at + 2 for at in range(last) if at not in wrong]


async def test_behind_a_gate_a_batch_is_parsed_when_that_opens_or_the_batch_is_asked_for() -> None:
    parsed = 0

    async def parse() -> AsyncGenerator[Batch, None]:
        nonlocal parsed
        for _ in range(3):
            parsed += 1
            yield Batch()

    async def turns() -> int:
        for _ in range(5):
            await asyncio.sleep(0)
        return parsed

    gate = asyncio.Event()
    async with aclosing(ahead(parse(), gate)) as ready:
        await anext(ready)
        assert await turns() == 1
        gate.set()
        assert await turns() == 2
        await anext(ready)
        assert await turns() == 2
        await anext(ready)
        assert await turns() == 3
