"""A random change of a random table of others loses no value, constraint, grant or comment, or is refused."""

import os
from collections.abc import AsyncIterator, Iterator
from random import Random

import asyncpg
import pytest

from tests.migrate.project import Project, copied
from tests.migrate.property.tables import APP
from tests.migrate.property.trial import FIRST_OF_MORE, trial
from tests.postgres import client_programs, fresh_database

# Seeds that failed once, and the fault that each found.
FAILED = {
    61: "new code had no privilege on the new column",
    1001: "old code had no privilege on the view with the old name",
    1006: "an index on a name that needs quotes could not be created again",
    1016: "a column's privileges were those of the table, which the role did not have",
    1026: "the type point has no equality operator",
}
# `make test-slow` tries more of them.
RUNS = int(os.environ.get("ROSTER_RANDOM_TABLES", "5"))
FIRST = int(os.environ.get("ROSTER_RANDOM_FIRST", "1000"))
PG_DUMP = str(client_programs() / "pg_dump")
SEEDS = sorted({*range(FIRST, FIRST + RUNS), FIRST_OF_MORE, *FAILED})


@pytest.fixture(scope="module")
def shared_project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    with copied(tmp_path_factory.mktemp("random")) as project:
        yield project


@pytest.fixture(scope="module")
async def app(postgres_admin_url: str) -> AsyncIterator[None]:
    """The role that writes to some of the tables."""
    connection = await asyncpg.connect(postgres_admin_url)
    await connection.execute(f"DROP ROLE IF EXISTS {APP}; CREATE ROLE {APP}")
    yield
    await connection.execute(f"DROP ROLE {APP}")
    await connection.close()


@pytest.mark.parametrize("seed", SEEDS)
async def test_on_postgresql(postgres_admin_url: str, shared_project: Project, app: None, seed: int) -> None:
    async with fresh_database(postgres_admin_url) as url, trial(url, shared_project, seed, PG_DUMP) as it:
        await it.run(Random(seed))


@pytest.mark.parametrize("seed", SEEDS)
async def test_on_sqlite(tmp_path: str, shared_project: Project, seed: int) -> None:
    async with trial(f"sqlite:///{tmp_path}/t.db", shared_project, seed, None) as it:
        await it.run(Random(seed))
