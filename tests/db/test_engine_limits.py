import asyncio
import threading
from typing import Any

import pytest
from sqlalchemy import AsyncAdaptedQueuePool, text
from sqlalchemy.ext.asyncio import AsyncEngine

from service.db.engine import Limits, Purpose, create_engine
from tests.db.conftest import engine_on

NAMES = (
    "application_name",
    "statement_timeout",
    "lock_timeout",
    "idle_in_transaction_session_timeout",
    "default_transaction_read_only",
    "jit",
)
PRAGMAS = ("foreign_keys", "query_only", "journal_mode", "busy_timeout", "synchronous")


async def shown(engine: AsyncEngine, statements: dict[str, str]) -> dict[str, str]:
    async with engine.connect() as connection:
        return {name: str(await connection.scalar(text(statement))) for name, statement in statements.items()}


async def all_shown(engine: AsyncEngine, statements: dict[str, str]) -> list[dict[str, str]]:
    """What every connection of the pool shows."""
    assert isinstance(engine.pool, AsyncAdaptedQueuePool)
    return await asyncio.gather(*(shown(engine, statements) for _ in range(engine.pool.size())))


@pytest.mark.parametrize(
    ("purpose", "limits", "expected"),
    [
        (Purpose.SERVE, None, ("roster serve", "10s", "2s", "30s", "off", "off")),
        (Purpose.READ, None, ("roster read", "10s", "2s", "30s", "on", "off")),
        (Purpose.MIGRATE, None, ("roster migrate", "0", "2s", "0", "off", "off")),
        (Purpose.BACKFILL, None, ("roster backfill", "0", "2s", "0", "off", "off")),
        (
            Purpose.SERVE,
            Limits(statement_seconds=0.5, lock_wait_seconds=0.05, idle_in_transaction_seconds=1.5),
            ("roster serve", "500ms", "50ms", "1500ms", "off", "off"),
        ),
    ],
)
async def test_the_limits_of_a_purpose_arrive_at_the_server(
    postgres_admin_url: str, purpose: Purpose, limits: Limits | None, expected: tuple[str, ...]
) -> None:
    engine = create_engine(postgres_admin_url, purpose, limits=limits)
    try:
        seen = await all_shown(engine, {name: f"SHOW {name}" for name in NAMES})
    finally:
        await engine.dispose()
    assert seen == [dict(zip(NAMES, expected, strict=True))] * len(seen)


@pytest.mark.parametrize(
    ("purpose", "expected"),
    [
        (Purpose.SERVE, ("1", "0", "wal", "10000", "2")),
        (Purpose.READ, ("1", "1", "wal", "10000", "2")),
        (Purpose.MIGRATE, ("0", "0", "wal", "10000", "2")),
        (Purpose.BACKFILL, ("1", "0", "wal", "10000", "2")),
    ],
)
async def test_the_pragmas_of_a_purpose_hold_on_every_connection(
    small_sqlite_url: str, purpose: Purpose, expected: tuple[str, ...]
) -> None:
    async with engine_on(small_sqlite_url, purpose) as engine:
        seen = await all_shown(engine, {name: f"PRAGMA {name}" for name in PRAGMAS})
    assert seen == [dict(zip(PRAGMAS, expected, strict=True))] * {Purpose.READ: 4, Purpose.SERVE: 10}.get(purpose, 1)


async def test_a_disposed_engine_leaves_no_thread(small_url: str) -> None:
    before = set(threading.enumerate())
    for purpose in Purpose:
        async with engine_on(small_url, purpose) as engine:
            await all_shown(engine, {"one": "SELECT 1"})
    # A thread that has said goodbye may still be on its way out.
    async with asyncio.timeout(5):
        while set(threading.enumerate()) - before:
            await asyncio.sleep(0.01)


async def test_a_writer_that_dawdles_in_its_transaction_is_ended(empty_postgres_url: str) -> None:
    async with engine_on(empty_postgres_url, idle_in_transaction_seconds=0.05) as engine:
        connection: Any
        async with engine.connect() as connection:
            await connection.execute(text("SELECT 1"))
            await asyncio.sleep(0.3)
            with pytest.raises(Exception, match=r"terminat|closed"):
                await connection.execute(text("SELECT 1"))
        assert await shown(engine, {"one": "SELECT 1"}) == {"one": "1"}
