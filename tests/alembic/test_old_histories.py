"""A database at any old revision, with real rows, runs every phase to the newest revision and back."""

from pathlib import Path

import pytest

from service.db.folding import fold
from service.migrate.entrypoints.aio import backfill, contract, downgrade, purge, upgrade
from service.migrate.entrypoints.status import status
from service.migrate.errors import Refused
from tests.alembic import eras, extracts
from tests.alembic.catalog import catalog
from tests.alembic.store import Store, opened
from tests.alembic.test_history import REVISIONS, assert_same_values
from tests.migrate.filling import stopped

pytestmark = pytest.mark.slow

FOLDED = (("users", "name"), ("users", "email"), ("records", "title"), ("departments", "name"), ("employees", "name"))
# Each revision on one of the databases; test_history runs both.
# From 0017 on they only create tables, of which the newest stands for all.
ON_SQLITE = [*REVISIONS[:16:2], REVISIONS[-1]]
ON_POSTGRESQL = [*REVISIONS[1:16:2], REVISIONS[-1]]
WITHOUT_LINKS = "0005"


@pytest.mark.parametrize("revision", ON_SQLITE)
async def test_every_value_is_there_at_head_and_back_at_the_old_revision_on_sqlite(
    tmp_path: Path, revision: str
) -> None:
    async with opened(f"sqlite:///{tmp_path / 'roster.db'}") as store:
        await go_there_and_back(store, revision)


@pytest.mark.parametrize("revision", ON_POSTGRESQL)
async def test_every_value_is_there_at_head_and_back_at_the_old_revision_on_postgresql(
    empty_postgres_url: str, revision: str
) -> None:
    async with opened(empty_postgres_url) as store:
        await go_there_and_back(store, revision)


async def go_there_and_back(store: Store, revision: str) -> None:
    await upgrade(store.url, revision)
    await extracts.write(store)
    schema, rows = await catalog(store), await eras.read(store)
    await go_to_head(store)
    found = await eras.read(store)
    assert_same_values(rows, found)
    assert_links(rows, found)
    assert [row for table, name in FOLDED for row in found[table] if row[f"{name}_key"] != fold(row[name])] == []
    left = (await status(store.url)).phases
    assert (left.backfill, left.contract, left.drift, left.incomplete) == ((), (), (), ())
    await downgrade(store.url, revision)
    assert await catalog(store) == schema
    assert await eras.read(store) == rows


async def test_the_way_back_is_there_from_every_phase_until_what_it_needs_is_purged(store: Store) -> None:
    await upgrade(store.url, WITHOUT_LINKS)
    await extracts.write(store)
    schema, rows = await catalog(store), await eras.read(store)

    async def go_back() -> None:
        await downgrade(store.url, WITHOUT_LINKS)
        assert await catalog(store) == schema
        assert await eras.read(store) == rows

    await upgrade(store.url)
    await stopped(store.url, after=1)
    assert len((await status(store.url)).phases.backfill) == 5
    await go_back()
    await go_to_head(store)
    await contract(store.url, "0006", undo=True)
    await go_back()
    await go_to_head(store)
    kept = (await status(store.url)).phases.trash
    assert "employees.department_id" in kept
    assert await purge(store.url) == list(kept)
    purged = await catalog(store, with_trash=True), await eras.read(store)
    with pytest.raises(Refused) as refused:
        await downgrade(store.url, WITHOUT_LINKS)
    gone = f"employees.department_id ({len(rows['employees'])}, on "
    assert str(refused.value).startswith(f"0015_drop_department_id cannot be undone: its trash was purged: {gone}")
    assert (await catalog(store, with_trash=True), await eras.read(store)) == purged
    assert (await status(store.url)).current == (REVISIONS[-1],)


async def go_to_head(store: Store) -> None:
    await upgrade(store.url)
    await backfill(store.url)
    await contract(store.url)


def assert_links(before: eras.Rows, after: eras.Rows) -> None:
    """Who was in a department is in it."""
    named = {(row["id"], row["department_id"]) for row in before.get("employees", ()) if "department_id" in row}
    assert named <= {(row["employee_id"], row["department_id"]) for row in after["department_employees"]}
