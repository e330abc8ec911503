"""The database of a command that works on the directory, with no service running."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from service.errors import RosterError

if TYPE_CHECKING:
    from service.db.database import Database

T = TypeVar("T")


def run_on(url: str | None, work: Callable[["Database"], Awaitable[T]]) -> T:
    """Return what the work makes of the database.

    Raises:
        RosterError: the database is not one that this code works with, or what the work raises.
    """
    from service.db.database import Database
    from service.migrate.entrypoints import status
    from service.models import Base
    from service.schema_range import SUPPORTED
    from service.settings import Settings

    settings = Settings.from_env()
    settings = replace(settings, database_url=url) if url else settings

    async def run() -> T:
        database = Database(settings, Base.metadata)
        try:
            standing = await status.standing(settings.database_url, SUPPORTED)
            if not standing.compatibility.works:
                raise RosterError(standing.why)
            return await work(database)
        finally:
            await database.close()

    return asyncio.run(run())
