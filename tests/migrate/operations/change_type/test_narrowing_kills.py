"""A migrator killed during the downgrade of a widened column can be run again, in either direction."""

from collections.abc import AsyncIterator

import pytest

from tests.migrate.operations.live import Live, changes, live
from tests.migrate.project import Project
from tests.migrate.run.test_kills import killed

BASE = """
ops.create_table("u", sa.Column("code", sa.String(90), nullable=False), sa.PrimaryKeyConstraint("code", name="pk_u"))
ops.create_table(
    "t",
    sa.Column("id", sa.Integer(), nullable=False),
    sa.Column("a", sa.String(50), nullable=False),
    sa.PrimaryKeyConstraint("id", name="pk_t"),
    sa.UniqueConstraint("a", name="uq_t_a"),
    sa.ForeignKeyConstraint(["a"], ["u.code"], name="fk_t_a_u"),
)
ops.create_index("ix_t_a", "t", ["lower(a)"])
"""
ROWS = (
    "INSERT INTO u SELECT 'c' || n FROM generate_series(1, 700) AS n",
    "INSERT INTO t SELECT n, 'c' || n FROM generate_series(1, 700) AS n",
)
UP = """
ops.change_type("t", sa.Column("a", sa.String(50), nullable=False), sa.Column("a", sa.String(90), nullable=False))
"""
CHECK = "ALTER TABLE t ADD CONSTRAINT ck_t_a CHECK (a <> '')"


@pytest.fixture
async def it(empty_postgres_url: str, project: Project) -> AsyncIterator[Live]:
    """The database, once the type is wider."""
    async with live(empty_postgres_url, project, base=BASE, rows=ROWS, up=UP) as it:
        await it.up()
        await it.execute(CHECK)
        yield it


async def test_killed_at_every_commit_it_gets_to_where_others_get(it: Live) -> None:
    wide = await it.state()
    file = await it.value("SELECT pg_relation_filenode('t')")
    count, (back,) = await killed(it.project, it.url, "downgrade 0001_base", "catalog")
    assert count > 30
    assert changes(wide, await it.state()) == [
        "- column t.a character varying(90) not null collate default",
        "+ column t.a character varying(50) not null collate default",
    ]
    assert await it.value("SELECT pg_relation_filenode('t')") == file
    assert back == await it.catalog()


async def test_the_way_up_again_leaves_nothing_of_a_way_back_that_was_killed(it: Live) -> None:
    wide = await it.state()
    # After 50 commits the downgrade is done, and the CHECK prevents the upgrade.
    numbers = range(2, 50, 3)
    given = [each for number in numbers for each in (f"downgrade 0001_base@{number}", "!upgrade head", "catalog")]
    count, catalogs = await killed(it.project, it.url, *given)
    assert count > 9
    assert [changes(await it.catalog(), each) for each in catalogs] == [[]] * len(catalogs)
    assert changes(wide, await it.state()) == []
