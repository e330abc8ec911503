"""Rows that row security hides from the migrating role: refused, in each phase, and no value is lost."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import make_url

from service.migrate.errors import Refused
from tests.alembic.store import opened
from tests.migrate.operations.live import Live, live
from tests.migrate.project import Project

WAS, NOW = (f'sa.Column("{name}", sa.String(50), nullable=False)' for name in ("a", "c"))
RENAME = f'ops.rename_column("t", {WAS}, {NOW})'
HIDE = (
    "CREATE POLICY of_one ON t USING (id = 1)",
    "ALTER TABLE t ENABLE ROW LEVEL SECURITY",
    "ALTER TABLE t FORCE ROW LEVEL SECURITY",
)
SHOW = (
    "DROP POLICY of_one ON t",
    "ALTER TABLE t DISABLE ROW LEVEL SECURITY",
    "ALTER TABLE t NO FORCE ROW LEVEL SECURITY",
)


@pytest.fixture
async def owned_url(empty_postgres_url: str) -> AsyncIterator[str]:
    """A database whose tables an ordinary role owns."""
    url = make_url(empty_postgres_url)
    role = f"keeper_{url.database}"
    async with opened(empty_postgres_url) as store:
        await store.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'k'")
        try:
            await store.execute(f"ALTER SCHEMA public OWNER TO {role}")
            await store.execute(f"GRANT TEMP ON DATABASE {url.database} TO {role}")
            yield url.set(username=role, password="k").render_as_string(False)
        finally:
            await store.execute(f"DROP OWNED BY {role}")
            await store.execute(f"DROP ROLE {role}")


async def hidden(it: Live, *, hide: bool = True) -> None:
    for statement in HIDE if hide else SHOW:
        await it.execute(statement)


async def test_each_phase_is_refused_while_rows_are_hidden(owned_url: str, project: Project) -> None:
    async with live(owned_url, project, up=RENAME) as it:
        for phase in (it.up, it.backfill, it.contract, it.purge):
            await hidden(it)
            with pytest.raises(Refused, match=r"row(-level)? security") as error:
                await phase()
            assert "BYPASSRLS" in str(error.value)
            await hidden(it, hide=False)
            await phase()
        assert await it.rows() == [
            {"id": 1, "b": 10, "c": "one"},
            {"id": 2, "b": None, "c": "two"},
            {"id": 3, "b": 30, "c": "three"},
        ]


async def test_a_downgrade_does_not_take_hidden_rows_for_an_empty_table(owned_url: str, project: Project) -> None:
    async with live(owned_url, project, up='ops.add_column("t", sa.Column("c", sa.Integer()))') as it:
        await it.up()
        await it.execute("UPDATE t SET c = id")
        await it.execute("CREATE POLICY none ON t USING (false)")
        await hidden(it)
        await it.execute("DROP POLICY of_one ON t")
        with pytest.raises(Refused, match="BYPASSRLS"):
            await it.down()
        assert await it.value("SELECT count(*) FROM pg_attribute WHERE attrelid = 't'::regclass AND attname = 'c'") == 1


async def test_a_policy_that_hides_nothing_from_the_role_is_no_obstacle(owned_url: str, project: Project) -> None:
    async with live(owned_url, project, up=RENAME) as it:
        for statement in HIDE[:2]:
            await it.execute(statement)
        await it.up()
        await it.backfill()
        await it.contract()
        assert await it.value("SELECT count(c) FROM t") == 3
        await it.execute(HIDE[2])
        with pytest.raises(Refused, match="BYPASSRLS"):
            await it.undo_contract()
        await it.execute(SHOW[2])
        await it.undo_contract()
        assert [row["a"] for row in await it.rows()] == ["one", "two", "three"]
