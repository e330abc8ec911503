"""Queries of SQLite that are short run in the event loop; others, and those that meet trouble, in a thread."""

import asyncio
import sqlite3
import threading
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import aiosqlite
import pytest
from sqlalchemy import bindparam, literal_column, make_url, select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from service.db.engine import Purpose
from service.db.reader import Query, Reader
from service.db.sqlite.connection import FileConnection
from service.db.sqlite.reads import ShortReads
from service.db.uow import Units
from tests.db.conftest import create_tables, engine_on
from tests.db.tables import Mark, Tables
from tests.db.test_units import mark

BY_ID = Query(lambda text: text, select(Mark.text).where(Mark.id == bindparam("id")))
LONG = "(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 20000) SELECT max(i) FROM n)"
COUNTED = Query(lambda number: number, select(literal_column(LONG)))


@pytest.fixture
async def reading(small_sqlite_url: str) -> AsyncIterator[AsyncEngine]:
    async with engine_on(small_sqlite_url) as writing:
        await Units(writing, Tables.metadata).run(mark("here"))
    async with engine_on(small_sqlite_url, Purpose.READ) as engine:
        yield engine


@pytest.fixture
def hops(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The queries that were run in a thread."""
    found: list[str] = []
    fetch = aiosqlite.Connection.execute_fetchall

    def hop(driver: Any, sql: str, parameters: Any) -> Any:
        found.append(sql)
        return fetch(driver, sql, parameters)

    monkeypatch.setattr(aiosqlite.Connection, "execute_fetchall", hop)
    return found


async def test_a_keyed_read_takes_no_hop_however_often(reading: AsyncEngine, hops: list[str]) -> None:
    reader = Reader(reading)
    # SQLite counts the operations of all of these together.
    assert {await reader.first(BY_ID, id=1) for _ in range(3000)} == {"here"}
    assert len(hops) == 1


async def test_a_long_query_is_given_up_once_and_then_goes_to_a_thread(reading: AsyncEngine, hops: list[str]) -> None:
    reader = Reader(reading)
    await reader.first(BY_ID, id=1)
    for _ in range(3):
        assert await reader.all(COUNTED) == [20000]
    assert await reader.first(BY_ID, id=1) == "here"
    assert len(hops) == 4


async def test_a_query_that_fails_is_answered_from_a_thread(reading: AsyncEngine, hops: list[str]) -> None:
    reader = Reader(reading)
    wrong = Query(lambda value: value, select(text("json('{')")))
    await reader.first(BY_ID, id=1)
    with pytest.raises(sqlite3.OperationalError, match="malformed JSON"):
        await reader.all(wrong)
    assert [await reader.first(BY_ID, id=1) for _ in range(2)] == ["here"] * 2
    # The connection was given up, and opened again after a query that succeeded.
    assert len(hops) == 3


async def test_a_replaced_file_is_noticed(reading: AsyncEngine, tmp_path: Path) -> None:
    reader = Reader(reading)
    assert [await reader.first(BY_ID, id=1) for _ in range(2)] == ["here"] * 2
    await create_tables(f"sqlite:///{tmp_path / 'other.db'}")
    (tmp_path / "other.db").replace(make_url(reading.url).database or "")
    assert await reader.first(BY_ID, id=1) is None


async def test_a_short_read_sees_what_was_stored_before_it(small_sqlite_url: str, reading: AsyncEngine) -> None:
    reader = Reader(reading)
    async with engine_on(small_sqlite_url) as writing:
        units = Units(writing, Tables.metadata)
        for number in range(2, 20):
            await units.run(mark(str(number)))
            assert await reader.first(BY_ID, id=number) == str(number)


async def test_a_disposed_engine_closes_the_connection_and_opens_another(reading: AsyncEngine, hops: list[str]) -> None:
    reader = Reader(reading)
    await reader.first(BY_ID, id=1)
    await reading.dispose()
    assert await reader.first(BY_ID, id=1) == "here"
    assert len(hops) == 2


async def test_first_queries_at_once_open_one_connection_which_no_thread_closes(
    reading: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched = []
    closed_in = []
    watch, close = FileConnection.set_progress_handler, FileConnection.close

    def note(connection: FileConnection, *arguments: Any) -> None:
        watched.append(connection)
        # Long enough for the other queries to see that nothing is open yet.
        time.sleep(0.1)
        watch(connection, *arguments)

    def note_close(connection: FileConnection) -> None:
        if connection in watched:
            closed_in.append(threading.current_thread())
        close(connection)

    monkeypatch.setattr(FileConnection, "set_progress_handler", note, raising=False)
    monkeypatch.setattr(FileConnection, "close", note_close, raising=False)
    reader = Reader(reading)
    assert await asyncio.gather(*(reader.first(BY_ID, id=1) for _ in range(16))) == ["here"] * 16
    assert len(watched) == 1
    await reading.dispose()
    assert closed_in == [threading.main_thread()]


@pytest.mark.parametrize("is_closed_meanwhile", [False, True])
async def test_the_connection_of_a_query_that_was_cancelled_is_closed(
    tmp_path: Path, is_closed_meanwhile: bool
) -> None:
    go_on = threading.Event()
    opened: list[FileConnection] = []

    def connect() -> FileConnection:
        go_on.wait(10)
        opened.append(sqlite3.connect(tmp_path / "reads.db", check_same_thread=False, factory=FileConnection))
        return opened[0]

    reads = ShortReads(connect)
    with ThreadPoolExecutor() as pool:
        run = partial(asyncio.get_running_loop().run_in_executor, pool)
        opening = asyncio.create_task(reads.open(lambda function, *arguments: run(function, None, *arguments)))
        await asyncio.sleep(0)
        opening.cancel()
        await asyncio.wait([opening])
        if is_closed_meanwhile:
            reads.close()
        go_on.set()
    if not is_closed_meanwhile:
        assert reads.fetch("SELECT 1", ()) == [(1,)]
        reads.close()
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        opened[0].execute("SELECT 1")
