"""A database that ran all phases at once, so that its trash is empty, downgrades with its rows."""

import pytest

from service.migrate.entrypoints import aio
from service.migrate.errors import Refused
from tests.alembic.store import opened
from tests.migrate.operations.live import BASE, Live, changes
from tests.migrate.project import Project

CHANGES = {
    "rename_column": (
        """
ops.rename_column("t", sa.Column("a", sa.String(50), nullable=False), sa.Column("Name", sa.Text(), nullable=False))
ops.rename_column("t", sa.Column("b", sa.Integer(), server_default="1"), sa.Column("c", sa.Integer()), up="{} * 10",
                  down="{} / 10")
""",
        "pass",
        "INSERT INTO t (id, \"Name\", c) VALUES (1, 'one', 19), (2, 'two', NULL)",
        ["t: a one, b 1, id 1", "t: a two, b None, id 2"],
    ),
    "change_type": (
        """
ops.change_type("t", sa.Column("a", sa.String(50), nullable=False), sa.Column("a", sa.Integer(), nullable=False),
                using="CAST({} AS INTEGER)", back="CAST({} AS VARCHAR(50))")
ops.change_type("t", sa.Column("b", sa.Integer(), server_default="1"), sa.Column("b", sa.Text(), server_default="x"),
                using="CAST({} AS TEXT)", back="length({})")
""",
        "pass",
        "INSERT INTO t (id, a, b) VALUES (1, 7, NULL), (2, 8, '9')",
        ["t: a 7, b None, id 1", "t: a 8, b 1, id 2"],
    ),
    "change_type, noted only": (
        """
ops.change_type("t", sa.Column("a", sa.String(50), nullable=False), sa.Column("a", sa.Text(), nullable=False))
""",
        "pass",
        "INSERT INTO t (id, a, b) VALUES (1, 'a', NULL)",
        ["t: a a, b None, id 1"],
    ),
    "drop_column": (
        "pass",
        """
ops.drop_not_null("t", "a")
ops.refill(ops.Backfill(name="t.a", table="t", left="a IS NULL", assign={"a": "'refilled'"}))
ops.drop_column("t", sa.Column("a", sa.String(50)))
ops.drop_column("t", sa.Column("b", sa.Integer(), server_default="1"))
""",
        "INSERT INTO t (id) VALUES (1), (2)",
        ["t: a refilled, b 1, id 1", "t: a refilled, b 1, id 2"],
    ),
    "rename_table": (
        'ops.rename_table("t", "Other", ["id", "a", "b"])',
        "pass",
        """INSERT INTO "Other" (id, a) VALUES (1, 'one')""",
        ["t: a one, b 1, id 1"],
    ),
    "nulls": (
        'ops.set_not_null("t", "b", fill="7")',
        "pass",
        "INSERT INTO t (id, a, b) VALUES (1, 'one', 8)",
        ["t: a one, b 8, id 1"],
    ),
}


@pytest.mark.parametrize("name", CHANGES)
async def test_it_goes_back_with_the_rows_it_has(empty_url: str, project: Project, name: str) -> None:
    up, contract, rows, expected = CHANGES[name]
    project.clear()
    project.add_safe("0001_base", after=None, up=BASE)
    await aio.upgrade(empty_url)
    async with opened(empty_url) as store:
        it = Live(store=store, project=project)
        before = await it.state()
        await aio.downgrade(empty_url, "base")
        project.add_safe("0002_change", after="0001_base", up=up, contract=contract)
        await it.up()
        await it.execute(rows)
        await it.down()
        assert changes(before, await it.state()) == [f"+ {line}" for line in expected]


FALSE = {
    'ops.change_type("t", sa.Column("a", sa.String(50)), sa.Column("a", sa.Text()))': r"t\.a may not be NULL",
    'ops.rename_column("t", sa.Column("b", sa.Integer()), sa.Column("c", sa.Integer()))': "default",
    'ops.rename_column("t", sa.Column("z", sa.Integer()), sa.Column("c", sa.Integer()))': "t has no column z",
    'ops.rename_table("u", "w", ["id"])': "the table u does not exist",
}


@pytest.mark.parametrize("is_used", [False, True], ids=["unused", "used"])
@pytest.mark.parametrize("up", FALSE)
async def test_it_refuses_what_a_used_database_refuses(
    empty_url: str, project: Project, up: str, *, is_used: bool
) -> None:
    project.clear()
    project.add_safe("0001_base", after=None, up=BASE)
    if is_used:
        await aio.upgrade(empty_url)
    project.add_safe("0002_change", after="0001_base", up=up)
    with pytest.raises(Refused, match=FALSE[up]):
        await aio.upgrade(empty_url)
