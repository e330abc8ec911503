"""A key that does not find exactly one row is refused, on both databases, before anything is changed."""

import pytest

from service.migrate.errors import Refused
from tests.migrate.operations.live import changes, live
from tests.migrate.project import Project

BASE = """
ops.create_table("t", sa.Column("id", sa.Integer(), nullable=False), sa.Column("code", sa.Text()),
                 sa.Column("kind", sa.Text(), nullable=False), sa.Column("part", sa.Integer(), nullable=False),
                 sa.Column("a", sa.Text()),
                 sa.PrimaryKeyConstraint("id", name="pk_t"), sa.UniqueConstraint("code", name="uq_t_code"),
                 sa.UniqueConstraint("kind", "part", name="uq_t_kind_part"))
ops.create_index("ix_t_kind", "t", ["kind"], unique=True, where="part > 7")
"""
ROWS = ("INSERT INTO t (id, kind, part, a) VALUES (1, 'k', 1, 'x'), (2, 'k', 2, 'y')",)
RENAME = 'ops.rename_column("t", sa.Column("a", sa.Text()), sa.Column("b", sa.Text()), key={})'
NULLS = "code may be NULL, and no batch or trigger would find such a row"
TWICE = "no unique constraint is on kind, so that several rows may have the same key"
REFUSED = {
    NULLS: [
        {"up": RENAME.format('["code"]')},
        {"up": 'ops.set_not_null("t", "a", fill="kind", key=["code"])'},
        {"up": 'ops.rename_table("t", "u", ["id", "code", "kind", "part", "a"], key=["code"])'},
        {"backfill": 'ops.Backfill(name="f", table="t", key=("code",), left="a IS NULL", assign={"a": "kind"})'},
    ],
    TWICE: [
        {"up": RENAME.format('["kind"]')},
        {"up": 'ops.follow("t", "a", "kind", postgresql="kind", sqlite="kind", key=["kind"])'},
    ],
}


async def test_a_key_that_does_not_find_one_row_is_refused(empty_url: str, project: Project) -> None:
    async with live(empty_url, project, base=BASE, rows=ROWS) as it:
        before = await it.state()
        for why, parts in REFUSED.items():
            for part in parts:
                project.add_safe("0002_change", after="0001_base", **part)
                with pytest.raises(Refused, match=why):
                    await it.up()
        assert changes(before, await it.state()) == []
        project.add_safe("0002_change", after="0001_base", up=RENAME.format('["kind", "part", "id"]'))
        await it.up()
        await it.execute("UPDATE t SET b = 'z' WHERE part = 2")
        assert [row["a"] for row in await it.execute("SELECT a FROM t ORDER BY id")] == ["x", "z"]
