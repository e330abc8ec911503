"""An upgrade from nothing is refused where another program made its tables."""

import pytest

from service.migrate.entrypoints import aio
from service.migrate.errors import Refused
from tests.alembic.store import opened
from tests.migrate.project import Project

TABLE = 'ops.create_table("{}", sa.Column("id", sa.Integer(), primary_key=True))'


async def test_tables_of_another_program_are_named_and_left_alone(empty_url: str, project: Project) -> None:
    project.clear()
    project.add_safe("0001_base", after=None, up="\n".join(TABLE.format(each) for each in "abcd"))
    project.add_safe("0002_more", after="0001_base", up="\n".join(TABLE.format(each) for each in "efgh"))
    expected = r", and alembic_version has no revision\. Nothing was changed\. If a revision created the same schema, "
    async with opened(empty_url) as store:
        # Views have the names of tables, too.
        await store.execute("CREATE TABLE other (id INTEGER)")
        await store.execute("CREATE VIEW c AS SELECT id FROM other")
        with pytest.raises(Refused, match=rf"^The database already has the table c{expected}"):
            await aio.upgrade(empty_url)
        for each in "abdefg":
            await store.execute(f"CREATE TABLE {each} (id INTEGER)")
        with pytest.raises(Refused, match=rf"^The database already has the tables a, b, c, d, e and 2 more{expected}"):
            await aio.upgrade(empty_url)
