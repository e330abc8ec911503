"""In every state of a revision, the old and the new version read each other's values and lose none."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest

from tests.alembic.store import Row, opened
from tests.migrate.operations.crossing import BASE, CONTRACT, ROWS, STATES, UP, bring
from tests.migrate.operations.live import Live, live
from tests.migrate.project import copied
from tests.postgres import fresh_database

OLD = ("user", "b", "flag", "at", "doc", "raw", "code", "seconds")
NEW = ("Owner", "c", "on", "when", "data", "text", "number", "ms")


@pytest.fixture(scope="module", params=STATES)
async def it(
    backend: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Live]:
    """The database in one of the states, for all tests of this file."""
    folder = tmp_path_factory.mktemp("crossing")
    async with AsyncExitStack() as stack:
        url = f"sqlite:///{folder / 'roster.db'}"
        if backend == "postgresql":
            url = await stack.enter_async_context(fresh_database(request.getfixturevalue("postgres_admin_url")))
        project = stack.enter_context(copied(folder / "project"))
        it = await stack.enter_async_context(live(url, project, base=BASE, rows=ROWS, up=UP, contract=CONTRACT))
        await bring(it, request.param)
        yield it


async def insert(it: Live, table: str, columns: str, values: str, returning: str = "1") -> Row:
    (row,) = await it.execute(f'INSERT INTO "{table}" ({columns}) VALUES ({values}) RETURNING {returning}')
    return row


async def order(it: Live, nr: int) -> tuple[list[Any], list[Any]]:
    """The values of one row that the old and the new version read."""
    (row,) = await it.execute(f'SELECT * FROM "Order" WHERE "Nr" = {nr} AND "group" IN (0, 7)')
    return [row[name] for name in OLD], [row[name] for name in NEW]


@pytest.mark.slow
async def test_what_old_code_inserts_new_code_sees(it: Live) -> None:
    columns = '"group", "Nr", "user", b, flag, at, doc, raw, code, seconds'
    values = """7, 1, 'a1', 5, false, '2020-02-29 12:30:00', '{"a": 1}', '[1]', '007', 3"""
    row = await insert(it, "Order", columns, values, '"user", b, code, seconds')
    assert row == {"user": "a1", "b": 5, "code": "007", "seconds": 3}
    old, new = await order(it, 1)
    assert new == [*old[:6], 7, 3000]
    assert old[6:] == ["007", 3]


@pytest.mark.slow
async def test_what_new_code_inserts_old_code_sees(it: Live) -> None:
    columns = '"group", "Nr", "Owner", c, "on", "when", data, text, number, ms'
    values = """7, 2, 'a2', 5, false, '2020-02-29 12:30:00', '{"a": 1}', '[1]', 7, 3500"""
    row = await insert(it, "Order", columns, values, '"Owner", c, number, ms')
    assert row == {"Owner": "a2", "c": 5, "number": 7, "ms": 3500}
    old, new = await order(it, 2)
    assert old == [*new[:6], "7", 3]
    assert new[6:] == [7, 3500]


@pytest.mark.parametrize(("nr", "name"), [(3, "user"), (4, "Owner")])
async def test_who_leaves_columns_out_gets_their_defaults_under_both_names(it: Live, nr: int, name: str) -> None:
    await insert(it, "Order", f'"group", "Nr", "{name}"', f"7, {nr}, 'a{nr}'")
    old, new = await order(it, nr)
    assert old == new
    assert [old[each] for each in (1, 2, 4, 5, 6)] == [1, True, "{}", None, None]
    assert old[3] is not None


@pytest.mark.parametrize(("nr", "name", "columns"), [(5, "user", "b, doc"), (6, "Owner", "c, data")])
async def test_who_writes_null_means_it_whatever_the_default(it: Live, nr: int, name: str, columns: str) -> None:
    await insert(it, "Order", f'"group", "Nr", "{name}", {columns}', f"7, {nr}, 'a{nr}', NULL, NULL")
    old, new = await order(it, nr)
    assert (old[1], old[4], new[1], new[4]) == (None, None, None, None)


async def test_who_writes_both_is_believed(it: Live) -> None:
    await insert(it, "Order", '"group", "Nr", "user", "Owner", b, c', "7, 8, 'a8', 'a8', 2, 3")
    assert [each[:2] for each in await order(it, 8)] == [["a8", 2], ["a8", 3]]
    await it.execute('UPDATE "Order" SET b = 4, c = 5 WHERE "Nr" = 8')
    assert [each[1] for each in await order(it, 8)] == [4, 5]


async def test_what_either_changes_the_other_sees(it: Live) -> None:
    await insert(it, "Order", '"group", "Nr", "user", code, seconds', "7, 9, 'a9', '007', 3")
    await it.execute("""UPDATE "Order" SET "user" = 'b9', b = NULL, flag = false, code = '08' WHERE "Nr" = 9""")
    assert [each[:3] + each[6:] for each in await order(it, 9)] == [
        ["b9", None, False, "08", 3],
        ["b9", None, False, 8, 3000],
    ]
    changed = await it.execute(
        """UPDATE "Order" SET "Owner" = 'c9', c = 4, "on" = true, number = NULL, ms = 4999
        WHERE "Nr" = 9 RETURNING ms"""
    )
    assert changed == [{"ms": 4999}]
    assert [each[:3] + each[6:] for each in await order(it, 9)] == [
        ["c9", 4, True, None, 4],
        ["c9", 4, True, None, 4999],
    ]
    await it.execute("""UPDATE "Order" SET b = 4, seconds = 5, doc = '[2]' WHERE "Nr" = 9""")
    old, new = await order(it, 9)
    assert (old[4], new[4], new[7]) == ("[2]", "[2]", 5000)


async def test_a_value_that_was_not_changed_stays_as_it_was_written(it: Live) -> None:
    await insert(it, "Order", '"group", "Nr", "user", code', "7, 10, 'a10', '007'")
    await it.execute("""UPDATE "Order" SET "Owner" = 'b10', number = 7 WHERE "Nr" = 10""")
    await it.execute("""UPDATE "Order" SET c = 3 WHERE "Nr" = 10""")
    assert [each[6] for each in await order(it, 10)] == ["007", 7]


async def test_a_row_that_the_backfill_may_not_have_come_to_is_completed_by_whoever_writes(it: Live) -> None:
    await it.execute("""UPDATE "Order" SET b = 6 WHERE "Nr" = 1590""")
    await it.execute("""UPDATE "Order" SET c = 6 WHERE "Nr" = 1591""")
    await it.execute("""UPDATE "Order" SET "Owner" = 'v1592', ms = 1500 WHERE "Nr" = 1592""")
    found = [[each[0], each[1], each[7]] for nr in (1590, 1591, 1592) for each in await order(it, nr)]
    assert found == [
        ["u1590", 6, 1590],
        ["u1590", 6, 1590000],
        ["u1591", 6, 1591],
        ["u1591", 6, 1591000],
        ["v1592", 1, 1],
        ["v1592", 1, 1500],
    ]


@pytest.mark.parametrize(("nr", "name", "column"), [(11, "user", "b"), (12, "Owner", "c")])
async def test_rows_are_inserted_or_updated_under_either_name(it: Live, nr: int, name: str, column: str) -> None:
    for value in (3, 4):
        await it.execute(
            f"""INSERT INTO "Order" ("group", "Nr", "{name}", {column}) VALUES (7, {nr}, 'a{nr}', {value})
            ON CONFLICT ("{name}") DO UPDATE SET {column} = excluded.{column} + 1"""
        )
    assert [each[:2] for each in await order(it, nr)] == [[f"a{nr}", 5], [f"a{nr}", 5]]
    await it.execute(f"""DELETE FROM "Order" WHERE "{name}" = 'a{nr}'""")
    assert await it.execute(f'SELECT 1 FROM "Order" WHERE "Nr" = {nr}') == []


async def test_a_column_without_a_value_is_filled_and_one_that_has_it_is_left_alone(it: Live) -> None:
    rows = "(21, 'A', NULL), (22, 'B', 'mine'), (23, 'C', NULL)"
    await it.execute(f"""INSERT INTO t (id, "Name", kind) VALUES {rows}""")
    await it.execute("UPDATE t SET kind = 'mine' WHERE id = 23")
    await it.execute("UPDATE t SET kind = NULL WHERE id = 22")
    found = await it.execute("SELECT kind FROM t WHERE id IN (21, 22, 23) ORDER BY id")
    assert [row["kind"] for row in found] == ["kind of A", "kind of B", "mine"]


async def test_a_column_follows_where_it_is_not_written_itself(it: Live) -> None:
    await it.execute("""INSERT INTO t (id, "Name", key, kind) VALUES (31, 'A', NULL, ''), (32, 'B', 'mine', '')""")
    await it.execute("""INSERT INTO t (id, "Name", key, kind) VALUES (33, 'C', NULL, ''), (34, 'D', NULL, '')""")
    await it.execute("""UPDATE t SET "Name" = 'X' WHERE id IN (31, 32)""")
    await it.execute("""UPDATE t SET "Name" = 'Y', key = 'mine' WHERE id = 33""")
    await it.execute("""UPDATE t SET kind = 'k' WHERE id = 34""")
    found = await it.execute("SELECT key FROM t WHERE id BETWEEN 31 AND 34 ORDER BY id")
    assert [row["key"] for row in found] == ["x", "x", "mine", "d"]


async def test_a_column_is_written_whatever_its_type_is_by_now(it: Live) -> None:
    await it.execute("INSERT INTO t (id, code, wide, kind) VALUES (41, '8', 'wider', ''), (42, '9', NULL, '')")
    await it.execute("INSERT INTO t (id, kind) VALUES (43, '')")
    await it.execute("UPDATE t SET code = '10', wide = 'x' WHERE id = 42")
    found = await it.execute("SELECT CAST(code AS TEXT) AS code, wide FROM t WHERE id BETWEEN 41 AND 43 ORDER BY id")
    assert [tuple(row.values()) for row in found] == [("8", "wider"), ("10", "x"), ("0", None)]


async def test_a_table_has_the_same_rows_under_either_name(it: Live) -> None:
    row = await insert(it, "people", "id, name", "51, 'Ann'", "id, name, age")
    assert row == {"id": 51, "name": "Ann", "age": 7}
    assert (await insert(it, "Person", "id, name, age", "52, 'Bob', NULL", "age")) == {"age": None}
    await it.execute("""UPDATE "Person" SET age = 8 WHERE name = 'Ann'""")
    await it.execute("UPDATE people SET name = 'Rob', id = 53 WHERE id = 52")
    await it.execute("INSERT INTO people (id, name) VALUES (54, 'Ann') ON CONFLICT (name) DO UPDATE SET age = 9")
    await it.execute("""INSERT INTO "Person" (id, name) VALUES (55, 'Rob') ON CONFLICT DO NOTHING""")
    expected = [{"id": 51, "name": "Ann", "age": 9}, {"id": 53, "name": "Rob", "age": None}]
    for table in ("people", "Person"):
        assert (
            await it.execute(f'SELECT id, name, age FROM "{table}" WHERE id > 50 AND id < 60 ORDER BY id') == expected
        )
    await it.execute("DELETE FROM people WHERE id = 51")
    await it.execute("""DELETE FROM "Person" WHERE id = 53""")
    for table in ("people", "Person"):
        assert await it.execute(f'SELECT 1 FROM "{table}" WHERE id > 50 AND id < 60') == []


async def test_rows_are_locked_under_the_old_name_too(it: Live) -> None:
    if it.is_sqlite:
        return
    async with opened(it.url) as other:
        await other.execute("BEGIN")
        await other.execute("""SELECT 1 FROM "Person" WHERE id = 1000 FOR UPDATE""")
        assert await it.execute("SELECT id FROM people WHERE id = 1000 FOR UPDATE SKIP LOCKED") == []
        await other.execute("ROLLBACK")
    assert await it.execute("SELECT id FROM people WHERE id = 1000 FOR UPDATE SKIP LOCKED") == [{"id": 1000}]


async def test_the_way_down_loses_nothing_that_old_code_saw(it: Live) -> None:
    asked = ", ".join(f'"{name}"' for name in OLD)
    before = await it.execute(f'SELECT "group", "Nr", {asked} FROM "Order" ORDER BY 1, 2')
    people = await it.execute("SELECT * FROM people ORDER BY id")
    codes = {row["id"]: str(row["code"]) for row in await it.execute("SELECT id, code FROM t")}
    await it.down()
    assert await it.execute(f'SELECT "group", "Nr", {asked} FROM "Order" ORDER BY 1, 2') == before
    assert await it.execute("SELECT * FROM people ORDER BY id") == people
    found = {row["id"]: row["code"] for row in await it.execute("SELECT id, code FROM t")}
    # Values that no version changed are as written.
    unchanged = {id: f"00{id}" for id in range(1000, 1600) if codes[id] != "9"}
    assert found == codes | unchanged
