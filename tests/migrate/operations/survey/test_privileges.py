"""The old and the new version run as another role than the migrator, and are never denied what they were granted."""

from collections.abc import AsyncIterator, Sequence

import pytest
from sqlalchemy import make_url

from tests.alembic.store import Store, opened
from tests.migrate.operations.live import live
from tests.migrate.project import Project

TABLES = (
    "CREATE TABLE {t} (id int PRIMARY KEY, a varchar(50) NOT NULL)",
    "INSERT INTO {t} VALUES (1, 'one')",
    # By columns alone, which a new column or a view would not have by itself.
    "GRANT SELECT (id, a), INSERT (id, a), UPDATE (id, a), DELETE ON {t} TO {role}",
)
A, C = ('sa.Column("{}", sa.String(50), nullable=False)'.replace("{}", name) for name in "ac")
UP = f"""
ops.rename_column("renamed", {A}, {C})
ops.change_type("retyped", {A}, sa.Column("a", sa.Text(), nullable=False), using="{{}} || ''")
ops.add_column("extended", sa.Column("c", sa.Text()))
ops.rename_table("table_before", "table_after", ["id", "a"])
ops.rename_table("owned_before", "owned_after", ["id", "a"])
"""
NAMES = ("renamed", "retyped", "extended", "table_before", "owned_before")
WRITES = (
    "UPDATE {t} SET {c} = 'two' WHERE id = 1 RETURNING {c}",
    "INSERT INTO {t} (id, {c}) VALUES (2, 'x') RETURNING id, {c}",
    "DELETE FROM {t} WHERE id = 2",
)
# What the old and the new version write to.
OLD = [(name, "a") for name in NAMES]
NEW = [("renamed", "c"), ("retyped", "a"), ("extended", "a"), ("table_after", "a"), ("owned_after", "a")]


@pytest.fixture
async def role(empty_postgres_url: str) -> AsyncIterator[str]:
    role = f"app_{make_url(empty_postgres_url).database}"
    async with opened(empty_postgres_url) as store:
        await store.execute(f"CREATE ROLE {role}")
        yield role
        await store.execute(f"DROP OWNED BY {role}")
        await store.execute(f"DROP ROLE {role}")


async def serve(store: Store, role: str, versions: Sequence[tuple[str, str]]) -> None:
    await store.execute(f"SET ROLE {role}")
    for table, column in versions:
        for statement in WRITES:
            await store.execute(statement.format(t=table, c=column))
    # Whole rows, as a version reads that names no columns.
    await store.execute("SELECT * FROM extended")
    await store.execute("RESET ROLE")


async def test_no_version_is_denied_what_it_was_granted(empty_postgres_url: str, project: Project, role: str) -> None:
    rows = [statement.format(t=name, role=role) for name in NAMES for statement in TABLES]
    rows += [f"ALTER TABLE owned_before OWNER TO {role}", f"GRANT CREATE ON SCHEMA public TO {role}"]
    rows += [f"ALTER DEFAULT PRIVILEGES GRANT TRUNCATE ON TABLES TO {role}"]
    async with live(empty_postgres_url, project, base="pass", rows=tuple(rows), up=UP) as it:
        await serve(it.store, role, OLD)
        await it.up()
        await serve(it.store, role, [*OLD, *NEW])
        # The privileges of a table are those of its old name, and no others.
        assert await it.value(f"SELECT has_table_privilege('{role}', 'table_before', 'TRUNCATE, TRIGGER')") is False
        await it.backfill()
        await serve(it.store, role, [*OLD, *NEW])
        # Granted in the meantime, on the old names.
        await it.execute(f"REVOKE SELECT (a) ON renamed FROM {role}")
        await it.execute(f"GRANT SELECT (a) ON renamed TO {role} WITH GRANT OPTION")
        await it.contract()
        await serve(it.store, role, NEW)
        asked = "SELECT attacl::text FROM pg_attribute WHERE attrelid = 'renamed'::regclass AND attname = 'c'"
        assert f"{role}=ar*w/" in await it.value(asked)
        await it.undo_contract()
        await serve(it.store, role, [*OLD, *NEW])
        await it.down()
        await serve(it.store, role, OLD)
