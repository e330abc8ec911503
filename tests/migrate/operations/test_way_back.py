"""A downgrade converts rows that the new version wrote, or is refused before it changes anything."""

import pytest

from service.migrate.errors import Refused
from tests.migrate.operations.live import ROWS, Live, changes, live
from tests.migrate.project import Project

# The change, the rows written after it, and the refusal of the downgrade.
WAYS = {
    "drop_not_null": (
        {"up": 'ops.drop_not_null("t", "a")'},
        "UPDATE t SET a = NULL WHERE id < 3",
        "t.a is NULL in some rows (2): 1; 2.",
    ),
    "drop_column": (
        {"contract": 'ops.drop_column("t", sa.Column("a", sa.String(50), nullable=False))'},
        "INSERT INTO t (id) VALUES (7)",
        "t.a is NOT NULL, and some rows were inserted without a value for it (1): 7.",
    ),
    "rename_column": (
        {
            "up": """
ops.rename_column("t", sa.Column("a", sa.String(50), nullable=False), sa.Column("c", sa.String(50)))
"""
        },
        "INSERT INTO t (id) VALUES (7), (8)",
        "t.a is NOT NULL, and in some rows c converts to NULL (2): 7; 8.",
    ),
    "change_type": (
        {
            "up": 'ops.change_type("t", sa.Column("a", sa.String(50), nullable=False), '
            'sa.Column("a", sa.Text(), nullable=False))'
        },
        f"UPDATE t SET a = '{'x' * 51}' WHERE id = 2",
        "t.a is longer than 50 characters, the old limit, in some rows (1): 2.",
    ),
    "drop_constraint, unique": (
        {
            "up": 'ops.add_unique("t", "uq", ["a"])',
            "contract": 'ops.drop_constraint("t", sa.UniqueConstraint("a", name="uq"))',
        },
        "UPDATE t SET a = 'same' WHERE id < 3",
        "Rows of t violate UNIQUE (a) (1): same.",
    ),
    "drop_constraint, check": (
        {
            "up": 'ops.add_check("t", "ck", "id < 9")',
            "contract": 'ops.drop_constraint("t", sa.CheckConstraint("id < 9", name="ck"))',
        },
        "UPDATE t SET id = 10 WHERE id = 1",
        "Rows of t violate CHECK (id < 9) (1): 10.",
    ),
    "drop_constraint, foreign key": (
        {
            "up": 'ops.add_column("t", sa.Column("c", sa.Integer()))\nops.add_foreign_key("t", "fk", ["c"], "t")',
            "contract": 'ops.drop_constraint("t", sa.ForeignKeyConstraint(["c"], ["t.id"], name="fk"))',
        },
        "UPDATE t SET c = 77 WHERE id = 1",
        "Rows of t violate FOREIGN KEY (c) REFERENCES t (1): 77.",
    ),
    "replace_constraint": (
        {
            "up": """
ops.add_check("t", "ck", "id < 9")
ops.replace_constraint("t", sa.CheckConstraint("id < 9", name="ck"), sa.CheckConstraint("id < 99", name="ck"))
"""
        },
        "UPDATE t SET id = 10 WHERE id = 1",
        "Rows of t violate CHECK (id < 9) (1): 10.",
    ),
    "drop_index": (
        {
            "up": 'ops.create_index("ux", "t", ["a DESC"], unique=True)',
            "contract": 'ops.drop_index("ux", "t", ["a DESC"], unique=True)',
        },
        "UPDATE t SET a = 'same'",
        "Rows of t violate UNIQUE (a) (1): same.",
    ),
}


@pytest.mark.parametrize("name", WAYS)
async def test_rows_that_do_not_go_back_are_told_before_anything_is_touched(
    empty_url: str, project: Project, name: str
) -> None:
    parts, write, why = WAYS[name]
    async with live(empty_url, project, rows=ROWS, **parts) as it:
        await whole(it)
        await it.execute(write)
        before = await it.state()
        for back in (it.down, it.undo_contract) if "contract" in parts else (it.down,):
            with pytest.raises(Refused) as refused:
                await back()
            assert str(refused.value) == why
            assert changes(before, await it.state()) == []


async def whole(it: Live) -> None:
    await it.up()
    await it.backfill()
    await it.contract()


PURGED = {
    "drop_column": ({"contract": 'ops.drop_column("t", sa.Column("b", sa.Integer(), server_default="1"))'}, "t.b (2,"),
    "drop_table": (
        {"contract": 'ops.drop_table("t", sa.Column("id", sa.Integer()))'},
        "t (3,",
    ),
    "rename_column": (
        {
            "up": """
ops.rename_column("t", sa.Column("b", sa.Integer(), server_default="1"), sa.Column("c", sa.Integer()))
"""
        },
        "t.b (2,",
    ),
    "change_type": (
        {
            "up": """
ops.change_type("t", sa.Column("b", sa.Integer(), server_default="1"), sa.Column("b", sa.Text(), server_default="1"),
                using="CAST({} AS TEXT)", back="CAST({} AS INTEGER)")
"""
        },
        "t.b (2,",
    ),
}


@pytest.mark.parametrize("name", PURGED)
async def test_what_was_purged_is_named_before_anything_is_touched(empty_url: str, project: Project, name: str) -> None:
    parts, gone = PURGED[name]
    async with live(empty_url, project, rows=ROWS, **parts) as it:
        await whole(it)
        assert await it.purge() == [gone.split(" ")[0]]
        before = await it.state()
        for back in (it.down, it.undo_contract):
            with pytest.raises(Refused) as refused:
                await back()
            assert f"0002_change cannot be undone: its trash was purged: {gone} on " in str(refused.value)
            assert changes(before, await it.state()) == []


async def test_a_purge_waits_for_the_contract(empty_url: str, project: Project) -> None:
    up = """
    ops.change_type("t", sa.Column("b", sa.Integer(), server_default="1"), sa.Column("b", sa.Text()),
                    using="CAST({} AS TEXT)", back="CAST({} AS INTEGER)")
    """
    async with live(empty_url, project, up=up) as it:
        await it.up()
        await it.backfill()
        with pytest.raises(Refused, match="0002_change cannot be purged: its contract is incomplete"):
            await it.purge()
