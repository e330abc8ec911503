"""A database with small tables, and the engines that a test uses on it."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import AsyncAdaptedQueuePool
from sqlalchemy.ext.asyncio import AsyncEngine

from service.db.engine import Limits, Purpose, create_engine
from service.db.uow import Units
from tests.db.tables import Tables
from tests.postgres import Server, ephemeral_server, fresh_database


@pytest.fixture
async def small_url(empty_url: str) -> str:
    """A database of this test's own with the small tables."""
    await create_tables(empty_url)
    return empty_url


@pytest.fixture
async def small_postgres_url(empty_postgres_url: str) -> str:
    """As `small_url`, on PostgreSQL alone."""
    await create_tables(empty_postgres_url)
    return empty_postgres_url


@pytest.fixture
async def small_sqlite_url(tmp_path: Path) -> str:
    """As `small_url`, on SQLite alone."""
    url = f"sqlite:///{tmp_path / 'small.db'}"
    await create_tables(url)
    return url


@pytest.fixture
async def writing(small_url: str) -> AsyncIterator[AsyncEngine]:
    """The engine that writes to `small_url`."""
    async with engine_on(small_url) as engine:
        yield engine


@pytest.fixture
def units(writing: AsyncEngine) -> Units:
    return Units(writing, Tables.metadata)


@pytest.fixture(scope="session")
def battered_postgres() -> Iterator[Server]:
    """A server that tests stop, kill and set otherwise; each leaves it running, as it found it."""
    with ephemeral_server() as server:
        yield server


@pytest.fixture
async def battered_url(battered_postgres: Server) -> AsyncIterator[str]:
    """A database with the small tables on that server."""
    async with fresh_database(battered_postgres.url, "battered") as url:
        await create_tables(url)
        yield url


@asynccontextmanager
async def engine_on(url: str, purpose: Purpose = Purpose.SERVE, **limits: Any) -> AsyncIterator[AsyncEngine]:
    """An engine with these limits; whatever happened to its connections, they come back."""
    engine = create_engine(url, purpose, limits=Limits(**limits))
    try:
        yield engine
        assert checked_out(engine) == 0
    finally:
        await engine.dispose()


async def create_tables(url: str) -> None:
    engine = create_engine(url, Purpose.MIGRATE)
    async with engine.begin() as connection:
        await connection.run_sync(Tables.metadata.create_all)
    await engine.dispose()


def checked_out(engine: AsyncEngine) -> int:
    """The number of connections that are checked out of the pool."""
    assert isinstance(engine.pool, AsyncAdaptedQueuePool)
    return engine.pool.checkedout()
