"""Engines for the runs of this process: runs on the same PostgreSQL database use one engine, one after the other."""

from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager

from sqlalchemy import URL
from sqlalchemy.ext.asyncio import AsyncEngine

from service.db import program
from service.db.engine import Limits, Purpose, create_engine
from service.migrate.run.locking.waiting import disposed

MOST = 8

idle: dict[Hashable, AsyncEngine] = {}


@asynccontextmanager
async def engine(url: URL, purpose: Purpose, limits: Limits | None = None) -> AsyncIterator[AsyncEngine]:
    """An engine without connections, which are closed at the end of the block; raises as `create_engine` does.

    An engine whose last block succeeded does not ask its server for the version, the schema and the isolation again.
    """
    key = (url, purpose, limits, program.current().application)
    found = idle.pop(key, None) or create_engine(url, purpose, limits=limits)
    async with disposed(found):
        yield found
    # A parameter may name a file, which is read when the engine is made; a link may lead to another SQLite file.
    if url.get_backend_name() == "postgresql" and not url.query:
        idle[key] = found
        for oldest in [*idle][:-MOST]:
            idle.pop(oldest, None)
