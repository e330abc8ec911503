"""Waiting: in Alembic's synchronous code without stopping its loop, and for the driver's threads to end."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncEngine

_FAREWELL_SECONDS = 1.0


def pause(connection: Connection, seconds: float) -> None:
    """Let the connection's event loop, if it has one, go on for a while."""
    run_async = getattr(connection.connection.dbapi_connection, "run_async", None)
    if run_async is None:
        time.sleep(seconds)
    else:
        run_async(lambda _: asyncio.sleep(seconds))


@asynccontextmanager
async def disposed(engine: AsyncEngine) -> AsyncIterator[AsyncEngine]:
    """The engine, of which nothing is left afterwards, so that the loop may be closed at once."""
    before = _workers()
    try:
        yield engine
    finally:
        await engine.dispose()
        # When it could not open a file, aiosqlite's thread still has a word for the loop, and shouts if that is closed.
        for worker in _workers() - before:
            await asyncio.to_thread(worker.join, _FAREWELL_SECONDS)


def _workers() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if "connection_worker" in thread.name}
