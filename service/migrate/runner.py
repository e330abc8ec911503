"""Migrations for code that awaits: `await upgrade(url)`; each runs in a thread of its own, through env.py."""

import asyncio

from service.migrate import commands, status


async def upgrade(url: str, revision: str = "head") -> list[str]:
    """Upgrade and return the ids of the revisions applied; raises as `commands.upgrade` does."""
    return await asyncio.to_thread(commands.upgrade, url, revision)


async def downgrade(url: str, revision: str) -> list[str]:
    """Downgrade and return the ids of the revisions taken back; raises as `commands.downgrade` does."""
    return await asyncio.to_thread(commands.downgrade, url, revision)


async def current(url: str) -> tuple[str, ...]:
    """The heads the database is at: none when nothing was ever applied, more than one only between merges."""
    return await status.current(url)


def head_revision() -> str:
    """The newest revision of this code; raises Refused if two revisions claim to be it."""
    return commands.head()
