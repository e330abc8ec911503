"""A database at any old revision, with real rows, runs every phase to the newest revision and back."""

import pytest

from service.db.folding import fold
from service.migrate.entrypoints.aio import backfill, contract, downgrade, purge, upgrade
from service.migrate.entrypoints.status import status
from service.migrate.errors import Refused
from tests.alembic import eras, extracts
from tests.alembic.catalog import catalog
from tests.alembic.store import Store, opened
from tests.alembic.test_history import REVISIONS, assert_same_values
from tests.copies import Copy
from tests.migrate.filling import stopped

pytestmark = pytest.mark.slow

FOLDED = (("users", "name"), ("users", "email"), ("records", "title"), ("departments", "name"), ("employees", "name"))
# Each revision on one of the databases; test_history runs both.
# From 0017 on they only create tables, of which the newest stands for all.
STOPS = {"sqlite": [*REVISIONS[:16:2], REVISIONS[-1]], "postgresql": [*REVISIONS[1:16:2], REVISIONS[-1]]}
WITHOUT_LINKS = "0005"


async def test_every_value_is_there_at_head_and_back_at_each_old_revision(store: Store) -> None:
    stops: list[tuple[str, eras.Rows, list[str]]] = []
    columns: dict[str, list[str]] = {}
    for revision in STOPS[store.backend]:
        await go_to(store.url, revision)
        await extracts.write(store, columns)
        columns = await eras.columns_of(store)
        stops.append((revision, await eras.read(store), await catalog(store)))
    await assert_all_is_at_head(store, *(rows for _, rows, _ in stops))
    for revision, rows, schema in reversed(stops):
        await downgrade(store.url, revision)
        assert await catalog(store) == schema, revision
        assert await eras.read(store) == rows, revision


async def test_the_way_back_is_there_from_every_phase_until_what_it_needs_is_purged(empty_url: str, copy: Copy) -> None:
    await upgrade(empty_url, WITHOUT_LINKS)
    async with opened(empty_url) as store:
        await extracts.write(store)
        schema, rows = await catalog(store), await eras.read(store)

    async def go_back(url: str) -> None:
        await downgrade(url, WITHOUT_LINKS)
        async with opened(url) as store:
            assert await catalog(store) == schema
            assert await eras.read(store) == rows

    await upgrade(empty_url)
    half_filled = await copy(empty_url)
    await stopped(half_filled, after=1)
    assert len((await status(half_filled)).phases.backfill) == 5
    await go_back(half_filled)
    await go_to(empty_url, "head")
    undone = await copy(empty_url)
    await contract(undone, "0006", undo=True)
    await go_back(undone)
    await assert_no_way_back_is_left_by_a_purge(await copy(empty_url), rows)
    async with opened(empty_url) as store:
        await assert_all_is_at_head(store, rows)
    await go_back(empty_url)


async def assert_no_way_back_is_left_by_a_purge(url: str, rows: eras.Rows) -> None:
    kept = (await status(url)).phases.trash
    assert "employees.department_id" in kept
    assert await purge(url) == list(kept)
    async with opened(url) as store:
        purged = await catalog(store, with_trash=True), await eras.read(store)
        with pytest.raises(Refused) as refused:
            await downgrade(url, WITHOUT_LINKS)
        gone = f"employees.department_id ({len(rows['employees'])}, on "
        assert str(refused.value).startswith(f"0015_drop_department_id cannot be undone: its trash was purged: {gone}")
        assert (await catalog(store, with_trash=True), await eras.read(store)) == purged
    assert (await status(url)).current == (REVISIONS[-1],)


async def go_to(url: str, revision: str) -> None:
    await upgrade(url, revision)
    await backfill(url)
    await contract(url)


async def assert_all_is_at_head(store: Store, *written: eras.Rows) -> None:
    """The rows written at each old revision are there, and no phase is left to do."""
    found = await eras.read(store)
    for rows in written:
        assert_same_values(rows, found)
        assert_links(rows, found)
    assert [row for table, name in FOLDED for row in found[table] if row[f"{name}_key"] != fold(row[name])] == []
    left = (await status(store.url)).phases
    assert (left.backfill, left.contract, left.drift, left.incomplete) == ((), (), (), ())


def assert_links(before: eras.Rows, after: eras.Rows) -> None:
    """Who was in a department is in it."""
    named = {(row["id"], row["department_id"]) for row in before.get("employees", ()) if "department_id" in row}
    assert named <= {(row["employee_id"], row["department_id"]) for row in after["department_employees"]}
