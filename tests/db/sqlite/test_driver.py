"""The thread of a SQLite connection outlives the event loop of its callers."""

import asyncio
import sqlite3
import threading
from functools import partial
from typing import Any

import pytest

from service.db.sqlite.adapter import Driver


@pytest.fixture
def raised(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The exceptions that ended a thread, whose traceback a person would see."""
    found: list[Any] = []
    monkeypatch.setattr(threading, "excepthook", found.append)
    return found


def connect() -> sqlite3.Connection:
    return sqlite3.connect(":memory:", check_same_thread=False)


def fail() -> sqlite3.Connection:
    raise sqlite3.OperationalError("unable to open database file")


def test_a_statement_may_end_after_the_event_loop(raised: list[Any]) -> None:
    go_on = threading.Event()

    async def leave() -> Driver:
        driver = Driver(connect, 64)
        await driver
        statement = driver.submit(lambda _connection: go_on.wait(10))
        driver.stop()
        statement.cancel()
        return driver

    driver = asyncio.run(leave())
    go_on.set()
    driver._thread.join(10)
    assert not driver._thread.is_alive()
    assert raised == []


def test_the_thread_of_a_connection_that_cannot_be_opened_ends(raised: list[Any]) -> None:
    async def meet() -> Driver:
        driver = Driver(fail, 64)
        with pytest.raises(sqlite3.OperationalError):
            await driver
        return driver

    for _ in range(20):
        driver = asyncio.run(meet())
        driver._thread.join(10)
        assert not driver._thread.is_alive()
    assert raised == []


def test_a_connection_is_closed_in_its_thread() -> None:
    async def work() -> Driver:
        driver = Driver(partial(sqlite3.connect, ":memory:"), 64)
        await driver
        assert await driver.run(lambda connection: connection.execute("SELECT 7").fetchone()) == (7,)
        await driver.close()
        return driver

    driver = asyncio.run(work())
    driver._thread.join(10)
    assert not driver._thread.is_alive()


def test_a_connection_whose_caller_was_cancelled_is_closed() -> None:
    go_on = threading.Event()
    opened: list[sqlite3.Connection] = []

    def connect_late() -> sqlite3.Connection:
        go_on.wait(10)
        opened.append(connect())
        return opened[0]

    async def leave() -> Driver:
        driver = Driver(connect_late, 64)
        opening = asyncio.ensure_future(_opened(driver))
        await asyncio.sleep(0)
        opening.cancel()
        await asyncio.wait([opening])
        return driver

    driver = asyncio.run(leave())
    go_on.set()
    driver._thread.join(10)
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        opened[0].execute("SELECT 1")


async def _opened(driver: Driver) -> None:
    await driver
