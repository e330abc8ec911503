"""A table is not renamed while steps of a later phase name it: they would fail, or find another table's triggers."""

import pytest

from service.migrate.entrypoints import aio, commands
from service.migrate.errors import Refused
from tests.migrate.operations.live import live
from tests.migrate.project import Project

NUMBER = 'sa.Column("{}", sa.Integer(), server_default="1")'
COLUMN = f'ops.rename_column("t", {NUMBER.format("b")}, {NUMBER.format("c")})'
TABLE = 'ops.rename_table("t", "u", ["id", "a", "b"{}])'
AGAIN = 'ops.rename_table("u", "w", ["id", "a", "b"])'


async def test_a_table_is_renamed_after_the_phases_of_earlier_revisions(empty_url: str, project: Project) -> None:
    async with live(empty_url, project, up=COLUMN) as it:
        project.add_safe("0003_table", after="0002_change", up=TABLE.format(', "c"'))
        with pytest.raises(
            Refused, match=r"0003_table renames t, for which 0002_change has steps left\. Run .*upgrade"
        ):
            await it.up()
        await aio.upgrade(it.url, "0002")
        with pytest.raises(Refused, match="0003_table renames t"):
            await it.up()
        await it.backfill()
        await it.contract()
        project.add_safe("0003_table", after="0002_change", up=TABLE.format(', "c"').replace('"b", ', ""))
        await it.up()
        assert len(await it.rows("u")) == 3


@pytest.mark.parametrize(
    ("up", "later", "why"),
    [
        (COLUMN + "\n" + TABLE.format(', "c"'), None, "0002_change renames t, for which its other operations have"),
        (TABLE.format(""), AGAIN, "0003_again renames u, for which 0002_change has steps left"),
    ],
)
async def test_two_renames_take_two_deploys(
    empty_url: str, project: Project, up: str, later: str | None, why: str
) -> None:
    async with live(empty_url, project, up=up) as it:
        if later:
            project.add_safe("0003_again", after="0002_change", up=later)
        before = await it.state()
        with pytest.raises(Refused, match=why):
            await it.up()
        assert await it.state() == before
        if not it.is_sqlite:
            with pytest.raises(Refused, match=why):
                commands.script(it.url, "0001:head")
