"""A ledger that contradicts the database is named before anything is changed, with the way out."""

import asyncio

import pytest
from alembic import command

from service.migrate.entrypoints import aio
from service.migrate.entrypoints.status import status
from service.migrate.errors import Refused
from service.migrate.plan.config import configuration
from tests.migrate.operations.live import Live, changes, live
from tests.migrate.project import Project

ADD = """
ops.add_column("t", sa.Column("d", sa.Integer()))
ops.create_index("ix_t_b", "t", ["b"])
"""
RENAME = """
ops.rename_column("t", sa.Column("a", sa.String(50), nullable=False), sa.Column("c", sa.String(50), nullable=False))
"""
UP = RENAME + ADD
CONTRACT = """
ops.drop_index("ix_t_b", "t", ["b"])
ops.drop_column("t", sa.Column("b", sa.Integer(), server_default="1"))
"""


async def stamp(it: Live, revision: str) -> None:
    await asyncio.to_thread(command.stamp, configuration(url=it.url), revision)


async def refused(it: Live, *messages: str, also_down: bool = True) -> None:
    before = await it.state()
    found = await status(it.url)
    assert not found.is_sound
    told = [each.replace(" Nothing was changed.", "") for each in messages]
    assert any(all(text in each for text in told) for each in found.contradictions), found.contradictions
    for verb in (it.up, it.backfill, it.contract, *((it.down,) if also_down else ())):
        with pytest.raises(Refused) as caught:
            await verb()
        assert [each for each in messages if each not in str(caught.value)] == [], caught.value
    assert await it.state() == before


async def test_a_downgrade_by_other_means(empty_url: str, project: Project) -> None:
    async with live(empty_url, project, up=ADD, contract=CONTRACT) as it:
        await it.up()
        made = await it.catalog()
        await it.execute("DROP INDEX ix_t_b")
        await it.execute("ALTER TABLE t DROP COLUMN d")
        await it.execute("UPDATE alembic_version SET version_num = '0001_base'")
        await refused(it, "of 0002_change is recorded as done, and the database does not have it", "stamp 0001_base`")
        await stamp(it, "0001")
        await it.up()
        assert await it.catalog() == made
        await it.backfill()
        await it.contract()
        await it.execute("UPDATE alembic_version SET version_num = '0001_base'")
        await refused(
            it, "the contract phase of 0002_change is recorded, and alembic_version does not have 0002_change"
        )


async def test_a_revision_that_was_stamped_and_not_applied(empty_url: str, project: Project) -> None:
    async with live(empty_url, project, up=UP) as it:
        await stamp(it, "0002")
        await refused(
            it, "the revision was stamped and not applied. Nothing was changed. Run `alembic stamp 0001_base`"
        )
        await stamp(it, "0001")
        await it.up()
        assert "d" in (await it.rows())[0]
        await it.execute("ALTER TABLE t DROP COLUMN d")
        await stamp(it, "0001")
        await stamp(it, "0002")
        await refused(it, "ADD COLUMN t.d", "or run `alembic stamp 0002_change` again")
        await stamp(it, "0002")
        await it.up()
        await it.backfill()


async def test_a_column_that_was_dropped_by_hand(empty_url: str, project: Project) -> None:
    async with live(empty_url, project, up=UP) as it:
        await it.up()
        # Drift that concerns no recorded step.
        await it.execute("CREATE INDEX mine ON t (d)")
        await it.execute("CREATE VIEW seen AS SELECT id, 't.a' AS d FROM t")
        await aio.backfill(it.url)
        await it.execute("DROP VIEW seen")
        await it.execute("DROP INDEX mine")
        await it.execute("ALTER TABLE t DROP COLUMN d")
        messages = ("ADD COLUMN t.d of 0002_change is recorded as done", "run `alembic stamp 0002_change`, which")
        await refused(it, *messages, also_down=False)
        await stamp(it, "0002")
        await it.backfill()
        await it.up()
        await it.execute("DROP INDEX ix_t_b")
        await it.down()
        assert "d" not in (await it.rows())[0]


@pytest.mark.parametrize("deleted", ["", " AND phase = 'contract'"])
async def test_records_that_were_deleted_by_hand(empty_url: str, project: Project, deleted: str) -> None:
    async with live(empty_url, project, up=UP) as it:
        before = await it.catalog()
        await it.up()
        await it.backfill()
        await it.contract()
        await it.execute(f"DELETE FROM migration_steps WHERE revision = '0002_change'{deleted}")
        await refused(it, "0002_change", "not recorded in migration_steps, from which another program deleted rows")
        await stamp(it, "0001")
        await stamp(it, "0002")
        await it.up()
        await it.contract()
        await it.down()
        assert "a" in (await it.rows())[0]
        assert changes(before, await it.catalog()) == []
