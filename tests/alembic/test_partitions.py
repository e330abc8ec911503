"""Partitions of the login history on PostgreSQL: no drift, nothing to draft, and carried by a downgrade."""

from service.migrate.entrypoints import commands
from service.migrate.entrypoints.aio import downgrade, upgrade
from service.migrate.entrypoints.status import status
from tests.alembic.catalog import catalog
from tests.alembic.store import opened

BEFORE = "0021_create_tokens"
PARTITION = "CREATE TABLE logins_2026_11 PARTITION OF logins FOR VALUES FROM (1000) TO (2000)"
ATTEMPT = "INSERT INTO logins (id, outcome, address, network) VALUES ({}, 'ok', '192.0.2.1', '192.0.2.1')"
PLACES = "SELECT id, tableoid::regclass::text AS held_by FROM logins ORDER BY id"


async def test_a_partition_is_no_change_of_the_schema_and_its_rows_come_back(empty_postgres_url: str) -> None:
    await upgrade(empty_postgres_url)
    async with opened(empty_postgres_url) as store:
        schema = await catalog(store)
        await store.execute(PARTITION)
        for id in (999, 1000):
            await store.execute(ATTEMPT.format(id))
        assert await catalog(store) == schema
        assert commands.differences(empty_postgres_url) == []
        assert (await status(empty_postgres_url)).phases.drift == ()
        await downgrade(empty_postgres_url, BEFORE)
        assert (await status(empty_postgres_url)).phases.trash == ("logins",)
        await upgrade(empty_postgres_url)
        assert await catalog(store) == schema
        assert [(row["id"], row["held_by"]) for row in await store.execute(PLACES)] == [
            (999, "logins_default"),
            (1000, "logins_2026_11"),
        ]
