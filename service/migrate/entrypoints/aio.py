"""The functions of `commands` as coroutines; each runs in a thread of its own, through env.py."""

import asyncio
from typing import Unpack

from service.migrate.entrypoints import commands, status
from service.migrate.entrypoints.commands import Options
from service.migrate.plan.config import Source


async def upgrade(url: str | None = None, revision: str = "head", **options: Unpack[Options]) -> list[str]:
    """Upgrade, and return the ids of the revisions applied; raises as `commands.upgrade` does."""
    return await asyncio.to_thread(commands.upgrade, url, revision, **options)


async def downgrade(url: str | None, revision: str, **options: Unpack[Options]) -> list[str]:
    """Downgrade, and return the ids of the revisions undone; raises as `commands.downgrade` does."""
    return await asyncio.to_thread(commands.downgrade, url, revision, **options)


async def backfill(url: str | None = None, **options: Unpack[Options]) -> list[str]:
    """Run the unfinished backfills, and return their revisions; raises as `commands.backfill` does."""
    return await asyncio.to_thread(commands.backfill, url, **options)


async def contract(
    url: str | None = None, revision: str = "head", *, undo: bool = False, **options: Unpack[Options]
) -> list[str]:
    """Contract up to a revision, and return the revisions contracted; raises as `commands.contract` does."""
    return await asyncio.to_thread(commands.contract, url, revision, undo=undo, **options)


async def purge(url: str | None = None, **options: Unpack[Options]) -> list[str]:
    """Empty the trash, and return what was in it; raises as `commands.purge` does."""
    return await asyncio.to_thread(commands.purge, url, **options)


async def current(url: str | None = None, *, config: Source | None = None) -> tuple[str, ...]:
    """The rows of alembic_version: none before the first upgrade, more than one only where branches are unmerged."""
    return await status.current(url, config=config)


def head_revision(config: Source | None = None) -> str:
    """The newest revision of this code; raises Refused if there are two heads."""
    return commands.head(config)
