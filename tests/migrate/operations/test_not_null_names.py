"""A NOT NULL has a name on PostgreSQL 18, and may have one on SQLite: an operation keeps it, or refuses."""

from pathlib import Path

import pytest

from service.migrate.errors import Refused
from tests.migrate.operations.live import Live, live
from tests.migrate.project import Project

ROWS = (
    "CREATE TABLE u (id integer PRIMARY KEY, a integer CONSTRAINT a_set NOT NULL, c integer NOT NULL)",
    "ALTER TABLE u ADD COLUMN b varchar(20) CONSTRAINT b_set NOT NULL",
    "ALTER TABLE u ADD COLUMN d integer CONSTRAINT d_set NOT NULL NO INHERIT",
    'ALTER TABLE u ADD COLUMN "E" varchar(20) NOT NULL',
    "COMMENT ON CONSTRAINT a_set ON u IS 'why'",
    "INSERT INTO u VALUES (1, 1, 1, 'one', 1, 'one')",
)
CHANGES = """
ops.change_type("u", sa.Column("a", sa.Integer(), nullable=False), sa.Column("a", sa.Text(), nullable=False),
                back="CAST({} AS INTEGER)")
ops.change_type("u", sa.Column("b", sa.String(20), nullable=False), sa.Column("b", sa.String(40), nullable=False))
ops.change_type("u", sa.Column("c", sa.Integer(), nullable=False), sa.Column("c", sa.BigInteger(), nullable=False))
ops.change_type("u", sa.Column("d", sa.Integer(), nullable=False), sa.Column("d", sa.BigInteger(), nullable=False))
ops.change_type("u", sa.Column("E", sa.String(20), nullable=False), sa.Column("E", sa.String(40), nullable=False))
"""
RENAME = 'ops.rename_table("u", "w", ["id", "a", "b", "c", "d", "E"])'
NAMES = """
SELECT conname || CASE WHEN connoinherit THEN ' no inherit' ELSE '' END
       || coalesce(': ' || obj_description(oid, 'pg_constraint'), '') AS name
FROM pg_constraint WHERE contype = 'n' AND conrelid = $1::text::regclass AND conname NOT LIKE '%trash%' ORDER BY 1
"""


async def names(it: Live, table: str) -> list[str]:
    return [row["name"] for row in await it.execute(NAMES, table)]


@pytest.mark.parametrize(("change", "table"), [(CHANGES, "u"), (RENAME, "w")])
async def test_a_name_stays_with_its_column(empty_postgres_url: str, project: Project, change: str, table: str) -> None:
    async with live(empty_postgres_url, project, rows=ROWS, up=change) as it:
        before = await names(it, "u")
        assert before == ["a_set: why", "b_set", "d_set no inherit", "u_E_not_null", "u_c_not_null", "u_id_not_null"]
        after = sorted(each.replace("u_", f"{table}_") for each in before)
        await it.up()
        await it.backfill()
        assert await names(it, table) == after
        await it.contract()
        assert await names(it, table) == after
        await it.down()
        assert await names(it, "u") == before


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"up": 'ops.drop_not_null("u", "b")'}, "b_set, which an undo would set again without its name"),
        (
            {"contract": 'ops.drop_column("u", sa.Column("a", sa.Integer(), nullable=False))'},
            "a_set, which an undo would set again without its name, its comment 'why'",
        ),
        (
            {
                "up": 'ops.rename_column("u", sa.Column("d", sa.Integer(), nullable=False), '
                'sa.Column("f", sa.Integer(), nullable=False))'
            },
            "d_set, which an undo would set again without its name, NO INHERIT",
        ),
        ({"up": """ops.set_not_null("u", "z", fill="0")"""}, "z_set NOT VALID, so that existing rows may be NULL"),
    ],
)
async def test_a_name_that_would_be_lost_is_refused(
    empty_postgres_url: str, project: Project, change: dict[str, str], why: str
) -> None:
    rows = (*ROWS, "ALTER TABLE u ADD COLUMN z integer", "ALTER TABLE u ADD CONSTRAINT z_set NOT NULL z NOT VALID")
    async with live(empty_postgres_url, project, rows=rows, **change) as it:
        before = await it.state()
        if "contract" in change:
            await it.up()
        with pytest.raises(Refused) as refused:
            await (it.contract() if "contract" in change else it.up())
        assert why in str(refused.value)
        assert [line for line in await it.state() if line not in before] == []


@pytest.mark.parametrize("clause", ["CONSTRAINT b_set NOT NULL", "NOT NULL ON CONFLICT REPLACE"])
async def test_what_sqlite_has_on_not_null_is_kept_or_refused(tmp_path: Path, project: Project, clause: str) -> None:
    rows = (f"CREATE TABLE u (id INTEGER PRIMARY KEY, b TEXT {clause})",)
    wider = 'ops.change_type("u", sa.Column("b", sa.Text(), nullable=False), sa.Column("b", sa.JSON(), nullable=False))'
    async with live(
        f"sqlite:///{tmp_path}/roster.db", project, rows=rows, up=wider, contract='ops.drop_not_null("u", "b")'
    ) as it:
        before = await it.state()
        await it.up()
        assert any(clause.lower() in line.lower() for line in await it.state())
        with pytest.raises(Refused, match="which an undo would set again without"):
            await it.contract()
        await it.down()
        assert await it.state() == before
