"""A migrator in a thread, and other sessions of the same database."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from service.app import create_app
from service.settings import Settings
from tests.alembic.store import Row, Store
from tests.conftest import client_of

# Other databases of the server may have the same oids.
HERE = "database = (SELECT oid FROM pg_database WHERE datname = current_database())"
WAITING = f"SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = $1::text::regclass AND {HERE}"
HOLDING = f"""
SELECT count(*) FROM pg_locks
WHERE granted AND mode = 'AccessExclusiveLock' AND relation = $1::text::regclass AND {HERE}
"""
# An index that waits for a transaction which is open.
STUCK = """
SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid)
WHERE NOT granted AND locktype = 'virtualxid' AND datname = current_database()
"""
WAIT_SECONDS = 20.0


@dataclass(kw_only=True)
class Migrator:
    """A running command, and the sentences that it has reported."""

    told: list[str] = field(default_factory=list)
    _work: "asyncio.Task[list[str]]" = field(init=False)
    _news: asyncio.Event = field(default_factory=asyncio.Event)
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)

    @classmethod
    def start(cls, command: Callable[..., list[str]], url: str, *arguments: str, **how: Any) -> "Migrator":
        migrator = cls()
        migrator._work = asyncio.create_task(
            asyncio.to_thread(command, url, *arguments, report=migrator._report, **how)
        )
        migrator._work.add_done_callback(lambda _: migrator._news.set())
        return migrator

    def _report(self, sentence: str) -> None:
        self.told.append(sentence)
        self._loop.call_soon_threadsafe(self._news.set)

    async def tells(self, words: str) -> str:
        """The first sentence with these words in it; what the command failed with, if there is none."""
        async with asyncio.timeout(WAIT_SECONDS):
            while True:
                self._news.clear()
                if found := [each for each in self.told if words in each]:
                    return found[0]
                assert not self._work.done(), (self.told, await self._work)
                await self._news.wait()

    async def done(self) -> list[str]:
        async with asyncio.timeout(WAIT_SECONDS):
            return await self._work


async def until(store: Store, question: str, *values: Any) -> None:
    """Return when PostgreSQL answers yes, or with a number that is not 0."""
    async with asyncio.timeout(WAIT_SECONDS):
        while not await store.value(question, *values):
            await asyncio.sleep(0.01)


async def audit(store: Store, *columns: str, **where: str) -> list[Row]:
    """Lines of the audit, in their order."""
    conditions = "".join(f" AND {name} = '{value}'" for name, value in where.items())
    return await store.execute(f"SELECT {', '.join(columns)} FROM migration_audit WHERE true{conditions} ORDER BY id")


@asynccontextmanager
async def serving(url: str) -> AsyncIterator[httpx.AsyncClient]:
    """A caller of the service on this database."""
    roster = create_app(Settings(database_url=url))
    async with client_of(roster) as client:
        yield client
    await roster.database.close()
