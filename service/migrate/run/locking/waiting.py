"""Waiting in Alembic's synchronous code without blocking the event loop, and for the threads of aiosqlite."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncEngine

_FAREWELL_SECONDS = 1.0


def pause(connection: Connection, seconds: float) -> None:
    """Sleep; an event loop of the connection continues to run."""
    run_async = getattr(connection.connection.dbapi_connection, "run_async", None)
    if run_async is None:
        time.sleep(seconds)
    else:
        run_async(lambda _: asyncio.sleep(seconds))


@asynccontextmanager
async def disposed(engine: AsyncEngine) -> AsyncIterator[AsyncEngine]:
    """The engine, disposed at the end together with the threads of its driver, so that the loop can be closed."""
    before = _workers()
    try:
        yield engine
    finally:
        await engine.dispose()
        # aiosqlite's thread reports a failed open to the loop, and logs an error if the loop is closed by then.
        for worker in _workers() - before:
            await asyncio.to_thread(worker.join, _FAREWELL_SECONDS)


def _workers() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if "connection_worker" in thread.name}
