"""The revisions since the previous version go up, down and up again under its traffic, without a lost write."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import MetaData, text
from sqlalchemy.ext.asyncio import AsyncSession

from service.db.uow import Units
from service.errors import RosterError
from service.migrate.entrypoints import aio
from tests.alembic.catalog import catalog
from tests.alembic.store import Store
from tests.db.conftest import engine_on

pytestmark = pytest.mark.slow

# The newest revision of the previous version. Its statements are written here as SQL: the running code serves from a
# later revision on.
PREVIOUS = "0016_widen_record_titles"
CLIENTS = 4
INSERT = (
    "INSERT INTO users (name, name_key, email, email_key, address) VALUES (:name, :name, :email, :email, '-') "
    "RETURNING id"
)
UPDATE = "UPDATE users SET address = :address, version = version + 1 WHERE id = :id RETURNING version"
RECORD = (
    "INSERT INTO records (title, title_key, date_created, owner_id) "
    "VALUES (:title, :title, '2026-01-01 00:00:00.000000', :owner) RETURNING id"
)


class Traffic:
    """Callers of the previous version, each of whom writes to users of their own and deletes some of them."""

    def __init__(self, units: Units) -> None:
        self._units = units
        self.failed: list[str] = []
        self.addresses: dict[int, str] = {}
        self.deleted: set[int] = set()
        self.units = 0
        self.over = False

    async def work(self, name: int) -> None:
        turn = 0
        while not self.over:
            turn += 1
            mark = f"{name}.{turn}"
            id = await self.run(INSERT, name=f"user {mark}", email=f"{mark}@example.org")
            if id is None:
                continue
            self.addresses[id] = "-"
            if await self.run(UPDATE, address=mark, id=id):
                self.addresses[id] = mark
            await self.run(RECORD, title=f"record {mark}", owner=id)
            # A foreign key that refers to users is checked here.
            if turn % 3 == 0 and await self.run("DELETE FROM users WHERE id = :id RETURNING id", id=id):
                self.deleted.add(id)
                del self.addresses[id]

    async def run(self, statement: str, **values: object) -> int | None:
        async def work(session: AsyncSession) -> int | None:
            found: int | None = await session.scalar(text(statement), values)
            return found

        self.units += 1
        try:
            return await self._units.run(work)
        except RosterError as failure:
            self.failed.append(f"{statement[:20]}: {failure!r}")
            return None


@asynccontextmanager
async def traffic_on(url: str) -> AsyncIterator[Traffic]:
    async with engine_on(url) as engine:
        traffic = Traffic(Units(engine, MetaData()))
        callers = [asyncio.create_task(traffic.work(name)) for name in range(CLIENTS)]
        try:
            yield traffic
        finally:
            traffic.over = True
            await asyncio.gather(*callers)


async def test_the_new_revisions_go_up_and_down_under_the_previous_version(store: Store) -> None:
    await aio.upgrade(store.url, PREVIOUS)
    # A database without rows runs all phases at once.
    await store.execute("INSERT INTO users (name, name_key, email, email_key) VALUES ('a', 'a', 'a@b', 'a@b')")
    await aio.backfill(store.url)
    await aio.contract(store.url)
    before = await catalog(store)
    async with traffic_on(store.url) as traffic:
        await aio.upgrade(store.url)
        await aio.backfill(store.url)
        await aio.contract(store.url)
        newest = await catalog(store)
        await aio.downgrade(store.url, PREVIOUS)
        assert await catalog(store) == before
        await aio.upgrade(store.url)
        assert await catalog(store) == newest
    assert traffic.failed == []
    assert traffic.units > 20 * CLIENTS
    assert traffic.deleted
    rows = await store.execute("SELECT id, address FROM users WHERE email LIKE '%@example.org'")
    assert {row["id"]: row["address"] for row in rows} == traffic.addresses
