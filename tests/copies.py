"""Copies of a database at the state a test needs, instead of the way to that state a second time."""

import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, closing
from pathlib import Path

import pytest
from sqlalchemy import make_url

from tests.postgres import fresh_database

Copy = Callable[[str], Awaitable[str]]


@pytest.fixture
async def copy(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Copy]:
    """Copies a database without connections, and returns the URL of the copy, which is gone after the test."""
    async with AsyncExitStack() as stack:
        count = 0

        async def copy(url: str) -> str:
            nonlocal count
            count += 1
            if url.startswith("sqlite"):
                return copied_file(url, tmp_path / f"copy{count}.db")
            admin_url = request.getfixturevalue("postgres_admin_url")
            return await stack.enter_async_context(fresh_database(admin_url, "copy", template=make_url(url).database))

        yield copy


def copied_file(url: str, file: Path) -> str:
    """The URL of a copy of a SQLite database, in this file."""
    with closing(sqlite3.connect(make_url(url).database or "")) as database:
        database.execute("VACUUM INTO ?", (str(file),))
    return f"sqlite:///{file}"
