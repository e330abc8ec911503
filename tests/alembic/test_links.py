"""employees.department_id and the link table agree while the old and the new version write."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, nullcontext

import pytest

from service.migrate.entrypoints.aio import backfill, contract, downgrade, upgrade
from tests.alembic.store import Store, opened
from tests.postgres import fresh_database

BEFORE_LINKS = "0005"
WITH_TRIGGERS = "0006"


@pytest.fixture(scope="module")
async def linked(
    backend: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Store]:
    """A database at the revision of the links, for the whole file."""
    database: AbstractAsyncContextManager[str]
    if backend == "sqlite":
        database = nullcontext(f"sqlite:///{tmp_path_factory.mktemp('links') / 'roster.db'}")
    else:
        database = fresh_database(request.getfixturevalue("postgres_admin_url"), "links")
    async with database as url, opened(url) as store:
        # A database with nothing in it would be made without the triggers.
        await upgrade(url, BEFORE_LINKS)
        await found(store)
        await upgrade(url, WITH_TRIGGERS)
        yield store


@pytest.fixture
async def company(linked: Store) -> Store:
    """Departments 1 to 3; Ann (1) in the first."""
    for table in ("department_employees", "employees", "departments"):
        await linked.execute(f"DELETE FROM {table}")
    await found(linked)
    return linked


async def found(store: Store) -> None:
    for department in (1, 2, 3):
        await store.execute("INSERT INTO departments (id, name) VALUES ($1, $2)", department, f"D{department}")
    await store.execute("INSERT INTO employees (id, name, department_id) VALUES (1, 'Ann', 1)")


async def links(store: Store) -> list[tuple[int, int]]:
    rows = await store.execute("SELECT employee_id AS e, department_id AS d FROM department_employees ORDER BY 1, 2")
    return [(row["e"], row["d"]) for row in rows]


async def departments(store: Store) -> dict[int, int | None]:
    return {row["id"]: row["department_id"] for row in await store.execute("SELECT id, department_id FROM employees")}


async def link(store: Store, employee: int, department: int) -> None:
    sql = "INSERT INTO department_employees (employee_id, department_id) VALUES ($1, $2)"
    await store.execute(sql, employee, department)


async def test_the_links_are_filled_from_the_rows_that_exist(store: Store) -> None:
    await upgrade(store.url, BEFORE_LINKS)
    await found(store)
    await upgrade(store.url, WITH_TRIGGERS)
    assert await links(store) == []
    await backfill(store.url)
    assert await links(store) == [(1, 1)]


async def test_old_code_that_adds_an_employee_makes_the_link(company: Store) -> None:
    await company.execute("INSERT INTO employees (id, name, department_id) VALUES (2, 'Bob', 3)")
    assert await links(company) == [(1, 1), (2, 3)]


async def test_old_code_that_moves_an_employee_moves_the_link_and_no_other(company: Store) -> None:
    await link(company, 1, 2)
    await company.execute("UPDATE employees SET department_id = 3 WHERE id = 1")
    assert (await links(company), await departments(company)) == ([(1, 2), (1, 3)], {1: 3})


async def test_old_code_that_moves_an_employee_to_where_they_are_already_keeps_one_link(company: Store) -> None:
    await link(company, 1, 2)
    await company.execute("UPDATE employees SET department_id = 2 WHERE id = 1")
    assert (await links(company), await departments(company)) == ([(1, 2)], {1: 2})


async def test_old_code_that_takes_an_employee_out_of_the_only_department_leaves_no_link(company: Store) -> None:
    await company.execute("UPDATE employees SET department_id = NULL WHERE id = 1")
    assert (await links(company), await departments(company)) == ([], {1: None})


async def test_old_code_that_takes_an_employee_out_of_one_of_two_sees_the_other(company: Store) -> None:
    await link(company, 1, 3)
    await company.execute("UPDATE employees SET department_id = NULL WHERE id = 1")
    assert (await links(company), await departments(company)) == ([(1, 3)], {1: 3})


async def test_old_code_that_changes_a_name_touches_no_link(company: Store) -> None:
    await link(company, 1, 2)
    await company.execute("UPDATE employees SET name = 'Anna', department_id = department_id WHERE id = 1")
    assert (await links(company), await departments(company)) == ([(1, 1), (1, 2)], {1: 1})


async def test_old_code_that_deletes_an_employee_deletes_the_links(company: Store) -> None:
    await link(company, 1, 2)
    await company.execute("DELETE FROM employees WHERE id = 1")
    assert await links(company) == []


async def test_new_code_that_links_an_employee_without_a_department_fills_the_column(company: Store) -> None:
    await company.execute("INSERT INTO employees (id, name) VALUES (2, 'Bob')")
    await link(company, 2, 3)
    await link(company, 2, 1)
    assert await departments(company) == {1: 1, 2: 3}


async def test_new_code_that_unlinks_the_column_s_department_shows_the_next(company: Store) -> None:
    await link(company, 1, 3)
    await link(company, 1, 2)
    await company.execute("DELETE FROM department_employees WHERE department_id = 1")
    assert await departments(company) == {1: 2}
    await company.execute("DELETE FROM department_employees WHERE department_id = 3")
    assert await departments(company) == {1: 2}
    await company.execute("DELETE FROM department_employees")
    assert await departments(company) == {1: None}


async def test_new_code_that_moves_a_link_moves_the_column(company: Store) -> None:
    await company.execute("UPDATE department_employees SET department_id = 2 WHERE employee_id = 1")
    assert await departments(company) == {1: 2}


async def test_a_link_given_to_another_employee_moves_both_columns(company: Store) -> None:
    await company.execute("INSERT INTO employees (id, name) VALUES (2, 'Bob')")
    await company.execute("UPDATE department_employees SET employee_id = 2 WHERE employee_id = 1")
    assert await departments(company) == {1: None, 2: 1}


async def test_a_deleted_department_leaves_its_people_in_their_others(company: Store) -> None:
    await link(company, 1, 2)
    await company.execute("INSERT INTO employees (id, name, department_id) VALUES (2, 'Bob', 1)")
    await company.execute("DELETE FROM departments WHERE id = 1")
    assert (await links(company), await departments(company)) == ([(1, 2)], {1: 2, 2: None})


async def test_many_rows_in_one_statement_are_all_followed(company: Store) -> None:
    await company.execute(
        "INSERT INTO employees (id, name, department_id) VALUES (2, 'B', 1), (3, 'C', 2), (4, 'D', 3)"
    )
    await company.execute("UPDATE employees SET department_id = 3 WHERE department_id <> 3")
    assert await links(company) == [(1, 3), (2, 3), (3, 3), (4, 3)]
    await company.execute("DELETE FROM department_employees WHERE employee_id > 2")
    assert await departments(company) == {1: 3, 2: 3, 3: None, 4: None}


async def test_two_links_deleted_at_once_leave_an_empty_column(company: Store, backend: str) -> None:
    await link(company, 1, 2)
    if backend == "sqlite":
        await company.execute("DELETE FROM department_employees")
    else:
        async with opened(company.url) as other:
            await other.execute("BEGIN")
            await other.execute("DELETE FROM department_employees WHERE department_id = 1")
            deletion = asyncio.create_task(company.execute("DELETE FROM department_employees WHERE department_id = 2"))
            waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
            while not await other.value(waiting):
                await asyncio.sleep(0.01)
            await other.execute("COMMIT")
            await deletion
    assert (await links(company), await departments(company)) == ([], {1: None})


@pytest.mark.slow
async def test_the_triggers_outlive_every_later_revision_until_the_column_goes_and_come_back_with_it(
    store: Store,
) -> None:
    await upgrade(store.url, BEFORE_LINKS)
    await found(store)
    await upgrade(store.url, "0014")
    await backfill(store.url)
    await store.execute("UPDATE employees SET department_id = 2 WHERE id = 1")
    await link(store, 1, 3)
    rows = await store.execute("SELECT department_id, version, created_at FROM department_employees ORDER BY 1")
    assert [(row["department_id"], row["version"]) for row in rows] == [(2, 1), (3, 1)]
    assert all(row["created_at"] for row in rows)

    await upgrade(store.url, "0015")
    await contract(store.url)
    await link(store, 1, 1)
    await store.execute("INSERT INTO employees (id, name, name_key) VALUES (2, 'Bob', 'bob')")
    await downgrade(store.url, "-1")
    # The department that the column named is still among Ann's.
    assert await departments(store) == {1: 2, 2: None}
    await link(store, 2, 2)
    assert await departments(store) == {1: 2, 2: 2}
