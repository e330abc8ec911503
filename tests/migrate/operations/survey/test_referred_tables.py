"""A table to which a foreign key cannot refer is refused before the first step of the revision."""

import pytest
from sqlalchemy import make_url

from service.migrate.errors import Refused
from tests.migrate.operations.live import changes, live
from tests.migrate.project import Project

UP = 'ops.add_column("t", sa.Column("c", sa.Text()))\nops.add_foreign_key("t", "fk_t_b", ["b"], "goal")'


async def test_a_logged_table_does_not_refer_to_an_unlogged_one(empty_postgres_url: str, project: Project) -> None:
    rows = ("CREATE UNLOGGED TABLE goal (id int PRIMARY KEY)",)
    async with live(empty_postgres_url, project, rows=rows, up=UP) as it:
        before = await it.state()
        with pytest.raises(Refused, match=r"goal cannot be changed by a foreign key to it: it is unlogged"):
            await it.up()
        assert changes(before, await it.state()) == []
        await it.execute("ALTER TABLE t SET UNLOGGED")
        await it.up()


async def test_a_view_is_no_table_to_refer_to(empty_url: str, project: Project) -> None:
    async with live(empty_url, project, rows=("CREATE VIEW goal AS SELECT 1 AS id",), up=UP) as it:
        before = await it.state()
        with pytest.raises(Refused, match=r"goal cannot be changed by a foreign key to it: it is a view"):
            await it.up()
        assert changes(before, await it.state()) == []


async def test_a_table_of_another_role_is_refused_before_the_first_step(
    empty_postgres_url: str, project: Project
) -> None:
    other = f"other_{make_url(empty_postgres_url).database}"
    async with live(empty_postgres_url, project, rows=(f"CREATE ROLE {other} NOSUPERUSER",), up=UP) as it:
        try:
            await it.execute("CREATE TABLE goal (id int PRIMARY KEY)")
            await it.execute(f"ALTER ROLE {other} LOGIN PASSWORD 'x'")
            await it.execute(f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {other}")
            await it.execute(f"GRANT ALL ON SCHEMA public TO {other}")
            it.store.url = make_url(it.url).set(username=other, password="x").render_as_string(False)
            before = await it.value("SELECT count(*) FROM pg_attribute WHERE attrelid = 't'::regclass")
            with pytest.raises(Refused, match=r"t cannot be changed by ops\.add_column: it belongs to the role"):
                await it.up()
            assert await it.value("SELECT count(*) FROM pg_attribute WHERE attrelid = 't'::regclass") == before
        finally:
            await it.execute(f"DROP OWNED BY {other}")
            await it.execute(f"DROP ROLE {other}")
