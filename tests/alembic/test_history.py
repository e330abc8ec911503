"""A database at any revision, with rows, upgrades and downgrades with every value unchanged."""

import pytest

from service.migrate.entrypoints.aio import downgrade, upgrade
from service.migrate.plan.config import scripts
from tests.alembic import eras
from tests.alembic.catalog import catalog
from tests.alembic.store import Store

pytestmark = pytest.mark.slow

REVISIONS = [script.revision for script in reversed(list(scripts().walk_revisions()))]


async def test_every_revision_goes_up_down_and_up_with_rows_in_it(store: Store) -> None:
    url = store.url
    seen = [await catalog(store)]
    for era, revision in enumerate(REVISIONS):
        before = await eras.read(store)
        await upgrade(url, revision)
        seen.append(await catalog(store))
        assert_same_values(before, await eras.read(store))
        await downgrade(url, "-1")
        assert await catalog(store) == seen[-2], f"downgrade of {revision}"
        assert_same_values(before, await eras.read(store))
        await upgrade(url, revision)
        assert await catalog(store) == seen[-1], f"second upgrade to {revision}"
        assert_same_values(before, await eras.read(store))
        await eras.write(store, era)
    everything = await eras.read(store)
    for era, revision in reversed(list(enumerate(REVISIONS))):
        await downgrade(url, "-1")
        assert await catalog(store) == seen[era], f"downgrade of {revision}"
        assert_same_values(everything, await eras.read(store))


def assert_same_values(one: eras.Rows, other: eras.Rows) -> None:
    """All rows are the same in the columns that both have."""
    for table in one.keys() & other.keys():
        columns = set.intersection(*(set(row) for row in one[table] + other[table])) if one[table] else set()
        narrow = [[{name: row[name] for name in columns} for row in rows[table]] for rows in (one, other)]
        assert narrow[0] == narrow[1], table
