"""The service answers every request during a migration, and no confirmed write is lost."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from service.app import create_app
from service.migrate.entrypoints import aio
from service.migrate.entrypoints.aio import head_revision
from service.migrate.entrypoints.status import status
from service.settings import Settings
from tests.alembic import extracts
from tests.alembic.catalog import catalog
from tests.alembic.store import Store
from tests.conftest import client_of
from tests.db.conftest import engine_on
from tests.migrate.project import Project, following

pytestmark = pytest.mark.slow

SETUP = following("setup")
CHANGED = following("change", 2)
RENAMED = following("rename", 3)


CLIENTS = 4
SEED = """
WITH RECURSIVE s (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < 700)
INSERT INTO users (name, name_key, email, email_key, age, address)
SELECT 'Seed ' || n, 'seed ' || n, n || '@seed', n || '@seed', CASE WHEN n % 2 = 0 THEN n % 100 END, n || ' Street'
FROM s
"""
CHANGE = """
ops.change_type("users", sa.Column("score", sa.Integer(), server_default="5"),
                sa.Column("score", sa.Text(), server_default="5"), using="CAST({} AS TEXT)", back="CAST({} AS INTEGER)")
ops.set_not_null("users", "age", fill="0")
ops.add_unique("users", "uq_users_email_key_name_key", ["email_key", "name_key"])
ops.create_index("ix_users_address_id", "users", ["address", "id"])
ops.add_check("users", "ck_users_version", "version > 0")
"""
CONTRACT = 'ops.drop_column("users", sa.Column("sample_nickname", sa.String(50), server_default="nick"))'
RENAME = 'ops.rename_column("users", sa.Column("address", sa.String(100)), sa.Column("street", sa.String(100)))'


@dataclass
class Traffic:
    """Clients that write to their own users and records, and record the confirmed writes."""

    client: httpx.AsyncClient
    failed: list[str] = field(default_factory=list)
    stale: list[str] = field(default_factory=list)
    addresses: dict[int, str] = field(default_factory=dict)
    durations: dict[int, int] = field(default_factory=dict)
    requests: int = 0
    over: bool = False

    async def ask(self, method: str, path: str, expected: int, **more: Any) -> Any:
        answer = await self.client.request(method, path, **more)
        self.requests += 1
        if answer.status_code != expected:
            self.failed.append(f"{method} {path}: {answer.status_code} {answer.text}")
            return {}
        return answer.json()

    async def work(self, name: int) -> None:
        turn = 0
        while not self.over:
            turn += 1
            await self._change_a_user(f"{name}.{turn}")
            record = await self.ask("POST", "/v1/records", 201, json={"title": f"Record {name}.{turn}", "duration": 1})
            changed = await self.ask("PATCH", f"/v1/records/{record.get('id')}", 200, json={"duration": turn})
            if changed:
                self.durations[record["id"]] = turn
            await self.ask("GET", "/v1/users?limit=20&sort=-id", 200)

    async def _change_a_user(self, mark: str) -> None:
        body = {"name": f"User {mark}", "email": f"{mark}@example.org", "age": 7, "address": "-"}
        if not (user := await self.ask("POST", "/v1/users", 201, json=body)):
            return
        self.addresses[user["id"]] = "-"
        path = f"/v1/users/{user['id']}"
        if await self.ask("PATCH", path, 200, json={"address": mark}):
            self.addresses[user["id"]] = mark
        read = await self.ask("GET", path, 200)
        if read and read["address"] != self.addresses[user["id"]]:
            self.stale.append(f"{path}: {read['address']} and not {self.addresses[user['id']]}")


@asynccontextmanager
async def traffic_on(url: str) -> AsyncIterator[Traffic]:
    """Callers at work while the context lasts; every answer has come when it ends."""
    roster = create_app(Settings(database_url=url))
    async with client_of(roster) as client:
        traffic = Traffic(client)
        callers = [asyncio.create_task(traffic.work(name)) for name in range(CLIENTS)]
        try:
            yield traffic
        finally:
            traffic.over = True
            await asyncio.gather(*callers)
            await roster.database.close()


async def assert_all_is_there(store: Store, traffic: Traffic) -> None:
    assert traffic.failed == []
    assert traffic.stale == []
    assert traffic.requests > 20 * CLIENTS
    users = {row["id"]: row["address"] for row in await store.execute("SELECT id, address FROM users WHERE age = 7")}
    assert {id: users.get(id) for id in traffic.addresses} == traffic.addresses
    records = {row["id"]: row["duration"] for row in await store.execute("SELECT id, duration FROM records")}
    assert {id: records.get(id) for id in traffic.durations} == traffic.durations


async def test_its_own_contract_is_undone_and_run_again_under_it(store: Store) -> None:
    await aio.upgrade(store.url, "0005")
    await extracts.write(store)
    if store.backend == "postgresql":
        for table in ("users", "records", "departments", "employees"):
            await store.execute(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), 1000)")
    await aio.upgrade(store.url)
    await aio.backfill(store.url)
    await aio.contract(store.url)
    schema = await catalog(store)
    async with traffic_on(store.url) as traffic:
        # This code needs the newest revision: every change stores an event. Downgrades under traffic are tested
        # below, with revisions that the running code does not need.
        await aio.contract(store.url, "0006", undo=True)
        await aio.backfill(store.url)
        await aio.contract(store.url)
    await assert_all_is_there(store, traffic)
    assert await catalog(store) == schema
    assert (await status(store.url)).is_sound


async def test_a_change_of_users_goes_there_and_back_under_it(store: Store, project: Project) -> None:
    setup = 'ops.add_column("users", sa.Column("sample_nickname", sa.String(50), server_default="nick"))\n'
    setup += 'ops.add_column("users", sa.Column("score", sa.Integer(), server_default="5"))'
    project.add_safe(SETUP, after=head_revision(), up=setup)
    project.add_safe(CHANGED, after=SETUP, up=CHANGE, contract=CONTRACT)
    project.add_safe(RENAMED, after=CHANGED, up=RENAME)
    await aio.upgrade(store.url, SETUP)
    await store.execute(SEED)
    schema = await catalog(store)
    differs = "IS NOT" if store.backend == "sqlite" else "IS DISTINCT FROM"
    seeded = "SELECT id, name, email, address, sample_nickname, score FROM users WHERE email LIKE '%@seed' ORDER BY id"
    rows = await store.execute(seeded)
    async with traffic_on(store.url) as traffic:
        await aio.upgrade(store.url)
        await aio.backfill(store.url)
        # The service is the old version and uses the old name; these writes are of the new version.
        await write(store.url, "UPDATE users SET street = 'Moved' WHERE email = '7@seed'")
        await aio.contract(store.url, CHANGED)
        await write(store.url, "UPDATE users SET street = 'Moved twice' WHERE email = '8@seed'")
        assert await store.execute(f"SELECT id FROM users WHERE street {differs} address") == []
        await aio.downgrade(store.url, SETUP)
    await assert_all_is_there(store, traffic)
    assert await catalog(store) == schema
    moved = {"7@seed": "Moved", "8@seed": "Moved twice"}
    assert await store.execute(seeded) == [row | {"address": moved.get(row["email"], row["address"])} for row in rows]
    assert (await status(store.url)).phases.incomplete == ()


async def write(url: str, statement: str) -> None:
    """What another process writes, on a connection that waits without stopping this loop."""
    async with engine_on(url) as engine, engine.begin() as connection:
        await connection.execute(text(statement))
