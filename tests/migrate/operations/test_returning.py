"""Tables and columns restored from the trash after other tables have changed."""

import pytest

from service.migrate.errors import Refused
from tests.migrate.operations.live import BASE, live
from tests.migrate.project import Project

LINKS = """
ops.create_table(
    "links",
    sa.Column("id", sa.Integer(), primary_key=True),
    sa.Column("owner", sa.Integer()),
    sa.Column("friend", sa.Integer()),
    sa.ForeignKeyConstraint(["owner"], ["t.id"], name="fk_links_owner", ondelete="CASCADE"),
    sa.ForeignKeyConstraint(["friend"], ["t.id"], name="fk_links_friend", ondelete={friend}),
)
"""
MANAGER = """
ops.add_column("t", sa.Column("boss", sa.Integer()))
ops.add_foreign_key("t", "fk_t_boss", ["boss"], "t", ondelete={boss})
"""


async def test_rows_whose_parent_was_deleted_meanwhile_follow_it(empty_url: str, project: Project) -> None:
    async with live(empty_url, project, up=LINKS.format(friend='"SET NULL"')) as it:
        await it.up()
        await it.execute("INSERT INTO links VALUES (1, 1, 2), (2, 2, 1), (3, 3, 3), (4, NULL, NULL)")
        await it.down()
        await it.execute("DELETE FROM t WHERE id = 1")
        await it.up()
        assert [tuple(row.values()) for row in await it.rows("links")] == [(2, 2, None), (3, 3, 3), (4, None, None)]


async def test_a_value_whose_parent_was_deleted_meanwhile_goes(empty_url: str, project: Project) -> None:
    async with live(empty_url, project, up=MANAGER.format(boss='"CASCADE"')) as it:
        await it.up()
        await it.execute("UPDATE t SET boss = CASE id WHEN 2 THEN 1 ELSE 3 END")
        await it.down()
        await it.execute("DELETE FROM t WHERE id = 1")
        await it.up()
        assert [(row["id"], row["boss"]) for row in await it.rows()] == [(2, None), (3, 3)]


@pytest.mark.parametrize(
    ("up", "write", "why"),
    [
        (
            LINKS.format(friend="None"),
            "INSERT INTO links VALUES (1, 2, 1)",
            (
                "Rows of links violate FOREIGN KEY (friend) REFERENCES t: "
                "parents were deleted while the rows were in the trash (1): 1."
            ),
        ),
        (
            MANAGER.format(boss='"RESTRICT"'),
            "UPDATE t SET boss = 1 WHERE id = 2",
            (
                "Rows of t violate FOREIGN KEY (boss) REFERENCES t: "
                "parents were deleted while the rows were in the trash (1): 1."
            ),
        ),
    ],
)
async def test_rows_whose_parent_should_not_have_been_deleted_are_told(
    empty_url: str, project: Project, up: str, write: str, why: str
) -> None:
    async with live(empty_url, project, up=up) as it:
        await it.up()
        await it.execute(write)
        await it.down()
        await it.execute("DELETE FROM t WHERE id = 1")
        before = await it.catalog(with_trash=True)
        with pytest.raises(Refused) as refused:
            await it.up()
        assert str(refused.value) == why
        assert await it.catalog(with_trash=True) == before


async def test_a_way_back_that_was_killed_behind_the_rename_goes_on(empty_url: str, project: Project) -> None:
    async with live(empty_url, project, up=LINKS.format(friend="None")) as it:
        before = await it.catalog()
        await it.up()
        await it.execute("INSERT INTO links VALUES (1, 1, 1)")
        await it.execute("ALTER TABLE links RENAME TO _trash_0002_links")
        await it.down()
        assert await it.catalog() == before
        await it.up()
        assert [tuple(row.values()) for row in await it.rows("links")] == [(1, 1, 1)]


async def test_an_empty_table_and_an_empty_table_s_column_are_not_kept(empty_url: str, project: Project) -> None:
    up = LINKS.format(friend="None") + 'ops.add_column("links", sa.Column("c", sa.Integer()))'
    async with live(empty_url, project, up=up) as it:
        bare = await it.catalog(with_trash=True)
        await it.up()
        await it.down()
        assert await it.catalog(with_trash=True) == bare


async def test_a_narrower_type_leaves_indexes_and_constraints_in_their_place(empty_url: str, project: Project) -> None:
    base = (
        BASE.replace('sa.PrimaryKeyConstraint("id"', 'sa.PrimaryKeyConstraint("a"')
        + 'ops.create_index("ix_t_a", "t", ["lower(a)"])'
    )
    up = """
ops.change_type("t", sa.Column("a", sa.String(50), nullable=False), sa.Column("a", sa.String(90), nullable=False))
"""
    async with live(empty_url, project, base=base, up=up) as it:
        before = await it.state()
        await it.up()
        await it.down()
        assert await it.state() == before
