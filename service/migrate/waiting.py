"""Waiting inside Alembic's synchronous code without stopping the loop it runs in."""

import asyncio
import time

from sqlalchemy import Connection


def pause(connection: Connection, seconds: float) -> None:
    """Let the connection's event loop, if it has one, go on for a while."""
    run_async = getattr(connection.connection.dbapi_connection, "run_async", None)
    if run_async is None:
        time.sleep(seconds)
    else:
        run_async(lambda _: asyncio.sleep(seconds))
