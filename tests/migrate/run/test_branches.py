"""A history with two heads: messages that say which revision is meant, and a trash that belongs to one branch."""

import asyncio

import pytest
from click.testing import CliRunner

from service.cli import main
from service.migrate.entrypoints import aio
from service.migrate.errors import Refused
from tests.migrate.operations.live import live
from tests.migrate.project import Project

ADD = 'ops.add_column("t", sa.Column("c", sa.Text()))'


def branch(project: Project) -> None:
    """Add a second branch with the same number."""
    project.add_safe("0002_other", after="0001_base", up='ops.add_column("t", sa.Column("d", sa.Text()))')


async def test_a_number_of_two_revisions_is_told_from_an_unknown_one(empty_url: str, project: Project) -> None:
    async with live(empty_url, project, up=ADD) as it:
        branch(project)
        several = "0002 begins the ids of several revisions: 0002_(change, 0002_other|other, 0002_change). Write one"
        for wanted in (aio.upgrade(it.url, "0002"), aio.downgrade(it.url, "0002")):
            with pytest.raises(Refused, match=several):
                await wanted
        with pytest.raises(Refused, match="more than one head, 0002_change and 0002_other"):
            await it.up()
        await aio.upgrade(it.url, "heads")
        status = await asyncio.to_thread(CliRunner().invoke, main, ["db", "status", "--database", it.url])
        assert status.exit_code == 1
        assert "more than one head, 0002_change and 0002_other: `alembic merge heads` joins them." in status.output
        with pytest.raises(Refused, match="-1 is ambiguous: the database is at 0002_change and 0002_other"):
            await aio.downgrade(it.url, "-1")
        project.add_safe("0003_merge", after=("0002_change", "0002_other"))
        await it.up()
        with pytest.raises(Refused, match="ambiguous at a merge, which has several parents"):
            await aio.downgrade(it.url, "-1")


async def test_a_purge_is_recorded_under_no_other_branch(empty_url: str, project: Project) -> None:
    async with live(empty_url, project, up=ADD) as it:
        branch(project)
        await aio.upgrade(it.url, "heads")
        await it.execute("UPDATE t SET c = 'x', d = 'y'")
        await aio.downgrade(it.url, "0002_change@-1")
        assert await it.purge() == ["t.c"]
        assert [row["revision"] for row in await it.execute("SELECT revision FROM migration_purged")] == ["0002"]
        await aio.downgrade(it.url, "0001")
        await aio.upgrade(it.url, "0002_other")
        assert await it.value("SELECT count(*) FROM t WHERE d = 'y'") == 3


async def test_the_end_of_an_incomplete_upgrade_counts_as_done(empty_url: str, project: Project) -> None:
    up = f'{ADD}\nops.execute("fails", postgresql=["SELECT 1 / 0"], sqlite=["SELECT nothing"])'
    async with live(empty_url, project, up=up) as it:
        with pytest.raises(Refused, match="fails failed"):
            await it.up()
        assert await aio.downgrade(it.url, "0001") == ["0002_change"]
        assert await aio.downgrade(it.url, "0001") == []


async def test_two_revisions_of_one_number_do_not_share_the_trash(empty_url: str, project: Project) -> None:
    b = 'sa.Column("b", sa.Integer(), server_default="1")'
    drop = f'ops.drop_column("t", {b})'
    others: tuple[dict[str, str], ...] = (
        {"contract": drop},
        {"up": f'ops.rename_column("t", {b}, sa.Column("e", sa.Integer()))'},
        {"contract": 'ops.add_column("t", sa.Column("b", sa.Integer()))'},
    )
    async with live(empty_url, project, contract=drop) as it:
        await it.up()
        await it.contract()
        before = await it.state()
        for other in others:
            project.add_safe("0002_other", after="0002_change", **other)
            with pytest.raises(
                Refused, match=r"0002_other and 0002_change have the number 0002, and both keep t\.b in"
            ):
                await it.up()
        assert await it.state() == before
        await aio.contract(it.url, undo=True)
        assert await it.value("SELECT b FROM t WHERE id = 3") == 30
