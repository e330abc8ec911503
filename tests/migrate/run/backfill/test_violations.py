"""A backfill whose value violates a constraint names the row."""

import pytest

from service.migrate.errors import Refused
from tests.migrate.operations.live import live
from tests.migrate.project import Project

UP = 'ops.add_column("t", sa.Column("c", sa.Text()))\nops.create_index("ux_t_c", "t", ["c"], unique=True)'
FILLS = {
    "assign": 'ops.Backfill(name="t.c", table="t", left="c IS NULL", assign={"c": "\'v\' || (id % 2)"})',
    "by": 'ops.Backfill(name="t.c", table="t", left="c IS NULL", read=("id",), write=("c",), '
    'by=lambda id: ("v%d" % (id % 2),))',
}
TOLD = {
    "postgresql": 'duplicate key value violates unique constraint "ux_t_c": Key (c)=(v1) already exists.',
    "sqlite": "UNIQUE constraint failed: t.c.",
}


@pytest.mark.parametrize("kind", FILLS)
async def test_a_duplicate_that_a_backfill_makes_is_named(empty_url: str, project: Project, kind: str) -> None:
    async with live(empty_url, project, up=UP, backfill=FILLS[kind]) as it:
        await it.up()
        with pytest.raises(Refused) as error:
            await it.backfill()
        told = TOLD[it.store.backend]
        assert str(error.value) == f"0002_change: BACKFILL t.c failed at the row 3 of t: {told}"
