from pathlib import Path

import pytest

from tests.alembic.store import opened
from tests.migrate.reached import is_empty

DONE = [
    "CREATE TABLE t (id integer)",
    "CREATE FUNCTION f() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
    "GRANT USAGE ON SCHEMA public TO pg_monitor",
    "ALTER DATABASE {} SET deadlock_timeout = '100ms'",
    "GRANT CONNECT ON DATABASE {} TO pg_monitor",
]


@pytest.mark.parametrize("statement", DONE)
async def test_a_database_is_empty_until_something_is_done_to_it(empty_postgres_url: str, statement: str) -> None:
    async with opened(empty_postgres_url) as store:
        assert await is_empty(store)
        await store.execute(statement.format(empty_postgres_url.rpartition("/")[2]))
        assert not await is_empty(store)


async def test_a_database_with_another_connection_is_not_replaced(empty_postgres_url: str) -> None:
    async with opened(empty_postgres_url) as store, opened(empty_postgres_url):
        assert not await is_empty(store)


async def test_a_file_is_empty_until_something_is_done_to_it(tmp_path: Path) -> None:
    async with opened(f"sqlite:///{tmp_path / 'roster.db'}") as store:
        assert await is_empty(store)
        await store.execute(DONE[0])
        assert not await is_empty(store)
