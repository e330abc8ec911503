"""Migrations for code that awaits: `await upgrade(url)`; each runs in a thread of its own, through env.py."""

import asyncio

from service.migrate.entrypoints import commands, status


async def upgrade(url: str, revision: str = "head") -> list[str]:
    """Upgrade and return the ids of the revisions applied; raises as `commands.upgrade` does."""
    return await asyncio.to_thread(commands.upgrade, url, revision)


async def downgrade(url: str, revision: str) -> list[str]:
    """Downgrade and return the ids of the revisions taken back; raises as `commands.downgrade` does."""
    return await asyncio.to_thread(commands.downgrade, url, revision)


async def backfill(url: str) -> list[str]:
    """Run the unfinished backfills and return their revisions; raises as `commands.backfill` does."""
    return await asyncio.to_thread(commands.backfill, url)


async def contract(url: str, revision: str = "head", *, undo: bool = False) -> list[str]:
    """Contract up to a revision and return those it was done for; raises as `commands.contract` does."""
    return await asyncio.to_thread(commands.contract, url, revision, undo=undo)


async def purge(url: str) -> list[str]:
    """Drop what is kept aside and return what that was; raises as `commands.purge` does."""
    return await asyncio.to_thread(commands.purge, url)


async def current(url: str) -> tuple[str, ...]:
    """The heads the database is at: none when nothing was ever applied, more than one only between merges."""
    return await status.current(url)


def head_revision() -> str:
    """The newest revision of this code; raises Refused if two revisions claim to be it."""
    return commands.head()
