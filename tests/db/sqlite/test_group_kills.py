"""Processes that die, or find the disk full, while units share a COMMIT: no write is lost or half."""

import asyncio
import itertools
import os
import resource
import signal
import sqlite3
import subprocess
import sys
from collections import Counter as Tally
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url
from sqlalchemy.ext.asyncio import AsyncSession

from service.db.sqlite.connection import FileConnection
from service.db.uow import Units
from service.errors import Unavailable
from tests.db.conftest import engine_on
from tests.db.tables import Mark, Tables
from tests.programs import run

pytestmark = pytest.mark.slow

CALLERS = 32
ROOT = Path(__file__).parents[2]


async def write_until_killed(url: str, statement: str, number: int) -> None:
    """Store pairs of marks, print the text of each that is acknowledged, and die at the n-th statement of a kind."""
    count = itertools.count(1)
    watch = FileConnection.watch

    def trace(sql: str) -> None:
        if sql.startswith(statement) and next(count) == number:
            os.kill(os.getpid(), signal.SIGKILL)

    def watch_and_trace(connection: FileConnection, *arguments: Any) -> None:
        watch(connection, *arguments)
        connection.set_trace_callback(trace)

    setattr(FileConnection, "watch", watch_and_trace)  # noqa: B010 - mypy takes a plain assignment for a mistake
    async with engine_on(url, pool_size=CALLERS) as writing:
        units = Units(writing, Tables.metadata)

        async def write(caller: int) -> None:
            for turn in itertools.count():
                sys.stdout.write(await units.run(pair(f"{caller} {turn}")) + "\n")
                sys.stdout.flush()

        await asyncio.gather(*(write(caller) for caller in range(CALLERS)))


def pair(words: str) -> Any:
    """Work of two statements."""

    async def work(session: AsyncSession) -> str:
        for _ in range(2):
            session.add(Mark(text=words))
            await session.flush()
        return words

    return work


@pytest.mark.parametrize(("statement", "number"), [("SAVEPOINT", 70), ("INSERT", 170), ("COMMIT", 1), ("COMMIT", 6)])
def test_what_is_acknowledged_survives_a_kill_and_nothing_is_half(
    small_sqlite_url: str, statement: str, number: int
) -> None:
    program = f"""
import asyncio
from tests.db.sqlite.test_group_kills import write_until_killed
asyncio.run(write_until_killed({small_sqlite_url!r}, {statement!r}, {number}))
"""
    died = _run(program)
    assert died.returncode == -signal.SIGKILL, died.stderr
    acknowledged = died.stdout.splitlines()
    assert bool(acknowledged) == (number > 1)
    with closing(sqlite3.connect(make_url(small_sqlite_url).database or "")) as connection:
        stored = Tally(words for (words,) in connection.execute("SELECT text FROM marks"))
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert set(stored.values()) <= {2}
    assert set(acknowledged) <= set(stored)


def _run(program: str) -> subprocess.CompletedProcess[str]:
    return run("-c", program, cwd=ROOT, timeout=60)


async def write_on_a_full_disk(url: str) -> None:
    """Write while no file may grow any more, and then again."""
    async with engine_on(url, pool_size=CALLERS) as writing:
        units = Units(writing, Tables.metadata, deadline_seconds=0.5)
        works = [pair(f"before {n}") for n in range(CALLERS)]
        await asyncio.gather(*(units.run(work) for work in works))
        size = Path(f"{make_url(url).database}-wal").stat().st_size
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
        works = [pair(f"lost {n}") for n in range(CALLERS)]
        answers = await asyncio.gather(*(units.run(work) for work in works), return_exceptions=True)
        assert {type(each) for each in answers} == {Unavailable}, answers
        assert len({id(each) for each in answers}) == CALLERS
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        works = [pair(f"after {n}") for n in range(CALLERS)]
        await asyncio.gather(*(units.run(work) for work in works))


def test_a_full_disk_at_the_commit_fails_every_unit_and_stores_none(small_sqlite_url: str) -> None:
    program = f"""
import asyncio
from tests.db.sqlite.test_group_kills import write_on_a_full_disk
asyncio.run(write_on_a_full_disk({small_sqlite_url!r}))
"""
    done = _run(program)
    assert done.returncode == 0, done.stderr
    with closing(sqlite3.connect(make_url(small_sqlite_url).database or "")) as connection:
        stored = Tally(words for (words,) in connection.execute("SELECT text FROM marks"))
    assert stored == {f"{when} {n}": 2 for when in ("before", "after") for n in range(CALLERS)}
