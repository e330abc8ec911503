"""A backfill fills existing rows in batches, records its progress, and skips or repeats no row."""

import asyncio
import threading
from itertools import pairwise
from typing import Any

import asyncpg
import pytest

from service.migrate.entrypoints import commands
from service.migrate.entrypoints.status import status
from service.migrate.errors import Refused
from service.migrate.run.backfill import runner
from tests.migrate.filling import (
    BASE,
    COLUMN,
    FILLED,
    IN_PYTHON,
    IN_SQL,
    NOTE,
    ROWS,
    held,
    noted,
    stopped,
    times,
    watched,
)
from tests.migrate.operations.live import Live, live
from tests.migrate.project import Project

NOTING = {"base": BASE, "rows": FILLED, "backfill": NOTE}
TYPES = {
    "integer and text": ("sa.Integer()", "sa.String(9)", "(n % 7) - 3", "'K' || n"),
    "letters of all kinds": ("sa.Text()", "sa.Integer()", "substr('aBä,''é Z:z%', n % 11 + 1, 3)", "-n"),
    "a day and a fraction": ("sa.Date()", "sa.Numeric(9, 3)", "CAST('2026-02-2' || n % 9 AS {date})", "n / 3.0"),
    "moments": (
        "sa.DateTime(timezone=True)",
        "sa.Boolean()",
        "CAST('2026-02-20 00:00:00.00' || (1000 + n / 2) AS {time})",
        "n % 2 = 0",
    ),
}
KEYED = """
ops.create_table(
    "Keyed", sa.Column("from", {one}, nullable=False), sa.Column("Nr", {other}, nullable=False),
    sa.Column("a", sa.Text()), sa.PrimaryKeyConstraint("from", "Nr", name="pk_Keyed"),
)
"""


async def test_a_run_that_is_gone_between_two_batches_goes_on_with_exactly_the_rows_that_are_left(
    empty_url: str, project: Project
) -> None:
    async with live(empty_url, project, **NOTING) as it:  # type: ignore[arg-type]
        await it.up()
        await stopped(it.url, after=1)
        done = await noted(it.store)
        assert (done["state"], done["seen"], done["filled"], done["cursor"]) == (
            "running",
            500,
            500,
            "[500]" if it.is_sqlite else '["500"]',
        )
        assert await times(it.store) == {0: ROWS - 500, 1: 500}
        assert await commands_backfill(it) == ["0002_change"]
        assert await times(it.store) == {1: ROWS}
        done = await noted(it.store)
        assert (done["state"], done["passes"], done["filled"], done["problem"]) == ("done", 1, ROWS, None)
        assert await commands_backfill(it) == []


async def test_a_batch_that_fails_leaves_neither_rows_nor_a_place_in_the_ledger(
    empty_url: str, project: Project
) -> None:
    backfill = IN_PYTHON.replace("a.lower()", "{'A900': lambda: 1 // 0}.get(a, a.lower)()")
    async with live(empty_url, project, base=BASE, rows=FILLED, up=COLUMN, backfill=backfill) as it:
        await it.up()
        why = (
            "0002_change: BACKFILL t.b: the function `by` failed at the row 900 of t: "
            "ZeroDivisionError('integer division or modulo by zero')."
        )
        for _ in range(2):
            with pytest.raises(Refused) as refused:
                await it.backfill()
            assert str(refused.value) == why
            done = await noted(it.store)
            assert (done["state"], done["problem"]) == ("running", why.rstrip("."))
            assert 500 <= done["seen"] < 900
            assert await it.value("SELECT max(id) FROM t WHERE b IS NOT NULL") == done["seen"] == done["filled"]
        project.add_safe("0002_change", after="0001_base", up=COLUMN, backfill=IN_PYTHON)
        await it.backfill()
        assert await it.value("SELECT count(*) FROM t WHERE b = lower(a)") == ROWS
        assert (await noted(it.store))["problem"] is None


@pytest.mark.parametrize(
    ("returned", "told"),
    [
        ("(a, a)", "('A1', 'A1')"),
        ("()", "()"),
        ("a.lower()", "'a1'"),
        ("None", "None"),
    ],
)
async def test_a_function_that_returns_something_else_is_told(
    empty_url: str, project: Project, returned: str, told: str
) -> None:
    parts: dict[str, Any] = {
        "base": BASE,
        "rows": FILLED,
        "up": COLUMN,
        "backfill": IN_PYTHON.replace("(a.lower(),)", returned),
    }
    async with live(empty_url, project, **parts) as it:
        await it.up()
        with pytest.raises(Refused) as refused:
            await it.backfill()
        assert str(refused.value) == (
            f"0002_change: BACKFILL t.b: the function `by` returned {told} at the row 1 of t. "
            "Return a tuple with a value for each of b."
        )
        assert await it.value("SELECT count(*) FROM t WHERE b IS NOT NULL") == 0


async def test_rows_that_a_fill_does_not_fill_are_named(empty_url: str, project: Project) -> None:
    backfill = IN_SQL.replace("lower(a)", "CASE WHEN id % 200 > 0 THEN a END")
    async with live(empty_url, project, base=BASE, rows=FILLED, up=COLUMN, backfill=backfill) as it:
        await it.up()
        with pytest.raises(Refused) as refused:
            await it.backfill()
        assert str(refused.value) == (
            "0002_change: BACKFILL t.b does not fill 8 rows of t that meet `left` (id): 200; 400; 600; 800; 1000; …."
        )
        assert (await status(it.url)).phases.backfill == ("0002_change",)


@pytest.mark.parametrize("backfill", [IN_SQL, IN_PYTHON], ids=["in SQL", "in Python"])
async def test_rows_written_behind_the_cursor_and_before_it_are_filled_too(
    empty_url: str, project: Project, backfill: str
) -> None:
    async with live(empty_url, project, base=BASE, rows=FILLED, up=COLUMN, backfill=backfill) as it:
        await it.up()
        async with held(it.url) as run:
            await it.execute("INSERT INTO t (id, a) VALUES (-2, 'BEHIND'), (9000, 'BEFORE')")
            await it.execute("UPDATE t SET b = NULL, a = 'AGAIN' WHERE id IN (3, 500)")
            await it.execute("UPDATE t SET b = 'mine' WHERE id = 1600")
            await it.execute("DELETE FROM t WHERE id IN (501, 1700)")
        assert await run.work == ["0002_change"]
        assert await it.value("SELECT count(*) FROM t WHERE b IS NULL") == 0
        assert await it.execute("SELECT id, b FROM t WHERE b <> lower(a)") == [{"id": 1600, "b": "mine"}]
        done = await noted(it.store)
        assert (done["state"], done["passes"], done["filled"]) == ("done", 2, ROWS + 1)


@pytest.mark.parametrize("kind", TYPES)
async def test_keys_of_any_type_are_gone_through_in_their_order(empty_url: str, project: Project, kind: str) -> None:
    one, other, *values = TYPES[kind]
    base = KEYED.format(one=one, other=other)
    names = {"date": "TEXT", "time": "TEXT"} if "sqlite" in empty_url else {"date": "DATE", "time": "TIMESTAMP"}
    selected = ", ".join(values).format(**names)
    rows = FILLED[0].replace("INTO t (id, a) SELECT n", f'INTO "Keyed" ("from", "Nr", a) SELECT {selected}')
    backfill = IN_PYTHON.replace('"t"', '"Keyed", key=("from", "Nr")')
    up = 'ops.add_column("Keyed", sa.Column("b", sa.Text()))'
    async with live(empty_url, project, base=base, rows=(rows,), up=up, backfill=backfill) as it:
        await it.up()
        await stopped(it.url, after=1)
        assert await it.value('SELECT count(*) FROM "Keyed" WHERE b IS NOT NULL') == 500
        seen = [each.seen for each in await watched(it.url)]
        assert seen[-1] == ROWS
        assert await it.value('SELECT count(*) FROM "Keyed" WHERE b = lower(a)') == ROWS
        assert (await noted(it.store))["passes"] == 1


@pytest.mark.parametrize(("target", "sizes"), [(60.0, [500, 1000, 200]), (0.0, [500, 250, 125, 62, 31, 15, 10, 10])])
async def test_a_batch_grows_and_shrinks_by_half_or_double_towards_its_time(
    empty_url: str, project: Project, monkeypatch: pytest.MonkeyPatch, target: float, sizes: list[int]
) -> None:
    monkeypatch.setattr(runner, "_TARGET_SECONDS", target)
    async with live(empty_url, project, **NOTING) as it:  # type: ignore[arg-type]
        await it.execute("DELETE FROM t WHERE id > $1", sum(sizes))
        await it.up()
        seen = [0, *(each.seen for each in await watched(it.url))]
        assert [after - before for before, after in pairwise(seen)] == [*sizes, 0]


async def test_a_source_that_changes_under_a_batch_in_python_is_read_again(
    empty_postgres_url: str, project: Project
) -> None:
    low = "__import__('importlib').import_module('tests.migrate.run.backfill.test_backfill').low(a)"
    backfill = IN_PYTHON.replace("a.lower()", low)
    async with live(empty_postgres_url, project, base=BASE, rows=FILLED, up=COLUMN, backfill=backfill) as it:
        await it.up()
        Meanwhile.url = it.url
        await it.backfill()
        assert Meanwhile.url == ""
        assert await it.execute("SELECT a, b FROM t WHERE id = 7") == [{"a": "NEW", "b": "new"}]
        assert await it.value("SELECT count(*) FROM t WHERE b = lower(a)") == ROWS


class Meanwhile:
    """A concurrent write, once, while a batch is computed."""

    url = ""


def low(a: str) -> str:
    if a == "A7" and Meanwhile.url:
        url, Meanwhile.url = Meanwhile.url, ""

        async def write() -> None:
            connection = await asyncpg.connect(url)
            await connection.execute("UPDATE t SET a = 'NEW' WHERE id = 7")
            await connection.close()

        thread = threading.Thread(target=lambda: asyncio.run(write()))
        thread.start()
        thread.join()
    return a.lower()


async def commands_backfill(it: Live) -> list[str]:
    return await asyncio.to_thread(commands.backfill, it.url)
