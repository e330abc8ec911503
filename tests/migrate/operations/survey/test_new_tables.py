"""The kind of a table that the same revision creates is known before the first step."""

import pytest

from service.migrate.errors import Refused
from tests.migrate.operations.live import changes, live
from tests.migrate.project import Project

TABLE = """
ops.create_table("n", sa.Column("id", sa.Integer(), primary_key=True), sa.Column("a", sa.Integer()), {})
{}
"""
REFUSED = {
    "postgresql": (
        'postgresql_partition_by="RANGE (id)"',
        'ops.create_index("ix_n_a", "n", ["a"])',
        "n cannot be changed by ops.create_index: it is partitioned",
    ),
    "sqlite": (
        "sqlite_strict=True",
        'ops.add_column("n", sa.Column("c", sa.String(9)))',
        "n cannot be changed by ops.add_column: it is a STRICT table",
    ),
}


async def test_a_table_of_the_same_revision_is_of_its_kind(empty_url: str, project: Project) -> None:
    option, call, why = REFUSED[empty_url.split(":", maxsplit=1)[0]]
    async with live(empty_url, project, up=TABLE.format(option, call)) as it:
        before = await it.state()
        with pytest.raises(Refused, match=why):
            await it.up()
        assert changes(before, await it.state()) == []
