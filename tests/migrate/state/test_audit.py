"""The audit has a row for every step: account, time, duration, attempts and outcome."""

import getpass
import os
from datetime import UTC, datetime

import pytest

from service import __version__
from service.migrate.errors import Refused
from tests.alembic.store import Row
from tests.migrate.company import audit, serving
from tests.migrate.operations.live import Live, live
from tests.migrate.project import Project

UP = """
ops.add_column("t", sa.Column("c", sa.String(60)), derived=True)
ops.set_not_null("t", "b", fill="7")
"""
CONTRACT = 'ops.drop_column("t", sa.Column("a", sa.String(50), nullable=False))'
# On PostgreSQL what needs all rows follows the backfill; on SQLite it is one rebuild, in the contract.
LIFE = {
    "postgresql": {
        "up": ["expand: ADD COLUMN t.c: done", "expand: CREATE TRIGGER roster_fill_t_b ON t: done"],
        "backfill": [
            "backfill: BACKFILL t.b: done, 1 rows",
            "settle: ADD CHECK (t.b IS NOT NULL) NOT VALID: done",
            "settle: VALIDATE CHECK (t.b IS NOT NULL): done",
            "settle: SET NOT NULL t.b: done",
        ],
        "contract": [
            "contract: DROP TRIGGER roster_fill_t_b ON t: done",
            "contract: DROP NOT NULL t.a: done",
            "contract: MOVE COLUMN t.a TO TRASH: done",
        ],
        "undo_contract": [
            "undo contract: ADD COLUMN t.a: nothing to do",
            "undo contract: RESTORE COLUMN t.a FROM TRASH: done",
            "undo contract: ADD CHECK (t.a IS NOT NULL) NOT VALID: done",
            "undo contract: VALIDATE CHECK (t.a IS NOT NULL): done",
            "undo contract: SET NOT NULL t.a: done",
            "undo contract: CREATE TRIGGER roster_fill_t_b ON t: done",
        ],
        "down": [
            "undo settle: DROP NOT NULL t.b: done",
            "undo settle: UNDO: VALIDATE CHECK (t.b IS NOT NULL): nothing to do",
            "undo settle: DROP CHECK (t.b IS NOT NULL): nothing to do",
            "undo expand: DROP TRIGGER roster_fill_t_b ON t: done",
            "undo expand: DROP COLUMN t.c: done",
        ],
    },
    "sqlite": {
        "up": ["expand: ADD COLUMN t.c: done", "expand: CREATE TRIGGER roster_fill_t_b ON t: done"],
        "backfill": ["backfill: BACKFILL t.b: done, 1 rows"],
        "contract": [
            "contract: SET NOT NULL t.b: done",
            "contract: DROP TRIGGER roster_fill_t_b ON t: done",
            "contract: DROP NOT NULL t.a: done",
            "contract: MOVE COLUMN t.a TO TRASH: done",
        ],
        "undo_contract": [
            "undo contract: ADD COLUMN t.a: nothing to do",
            "undo contract: RESTORE COLUMN t.a FROM TRASH: done",
            "undo contract: SET NOT NULL t.a: done",
            "undo contract: CREATE TRIGGER roster_fill_t_b ON t: done",
            "undo contract: DROP NOT NULL t.b: done",
        ],
        "down": [
            "undo expand: DROP TRIGGER roster_fill_t_b ON t: done",
            "undo expand: DROP COLUMN t.c: done",
        ],
    },
}
PURGE = ["purge: PURGE t.a: done, 3 rows"]


async def lines(it: Live) -> list[str]:
    """What was written down since this was asked last."""
    rows = await audit(it.store, "*")
    for row in rows:
        check(row, it)
    await it.execute("DELETE FROM migration_audit")
    return [told(row) for row in rows]


def check(row: Row, it: Live) -> None:
    at = datetime.fromisoformat(row["at"]).replace(tzinfo=UTC) if it.is_sqlite else row["at"]
    assert abs((datetime.now(UTC) - at).total_seconds()) < 60
    assert row["who"].startswith(f"{getpass.getuser()}@")
    assert row["who"].endswith(f", process {os.getpid()}")
    assert (row["revision"], row["code_version"]) == ("0002_change", __version__)
    assert (row["attempts"], row["longest_wait_ms"]) == (1, 0)
    assert 0 < row["seconds"] < 60


def told(row: Row) -> str:
    rows = f", {row['affected']} rows" if row["affected"] else ""
    return f"{row['phase']}: {row['step']}: {row['outcome']}{rows}"


async def ledger(it: Live) -> list[str]:
    """The steps that are done, as a line of the audit would have them."""
    asked = "SELECT * FROM migration_steps WHERE revision = '0002_change' ORDER BY position"
    assert not any(row["half"] for row in await it.execute(asked))
    return [f"{row['phase']}: {row['title']}: done" for row in await it.execute(asked)]


def of(life: dict[str, list[str]], *verbs: str) -> list[str]:
    """The steps that these verbs do, without the rows that were filled."""
    return sorted(line for verb in verbs for line in life[verb] if not line.startswith("backfill"))


@pytest.mark.slow
async def test_the_whole_life_of_a_revision_is_written_down(empty_url: str, project: Project) -> None:
    async with live(empty_url, project, up=UP, contract=CONTRACT) as it:
        life = LIFE[it.store.backend]
        await it.execute("DELETE FROM migration_audit")
        await it.up()
        assert await lines(it) == life["up"]
        assert sorted(await ledger(it)) == of(life, "up")
        await it.backfill()
        assert await lines(it) == life["backfill"]
        assert sorted(await ledger(it)) == of(life, "up", "backfill")
        await it.contract()
        assert await lines(it) == life["contract"]
        assert sorted(await ledger(it)) == of(life, "up", "backfill", "contract")
        await it.undo_contract()
        assert await lines(it) == life["undo_contract"]
        assert sorted(await ledger(it)) == of(life, "up", "backfill")
        await it.down()
        assert await lines(it) == life["down"]
        for table in ("steps", "fills", "revisions"):
            assert await it.execute(f"SELECT * FROM migration_{table} WHERE revision = '0002_change'") == []
        for verb in (it.up, it.backfill, it.contract):
            await verb()
        await lines(it)
        await it.purge()
        assert await lines(it) == PURGE
        purged = await it.execute("SELECT revision, name, lost FROM migration_purged")
        assert purged == [{"revision": "0002_change", "name": "t.a", "lost": 3}]
        await it.purge()
        assert await lines(it) == []


async def test_a_step_that_fails_is_written_down_as_failed_and_nothing_of_it_stays(
    empty_url: str, project: Project
) -> None:
    statements = ["INSERT INTO t (id, a) VALUES (9, 'nine')", "INSERT INTO t (id, a) VALUES (1, 'one')"]
    up = f"""
ops.create_index("ix_t_a", "t", ["a"])
ops.execute("insert", postgresql={statements}, sqlite={statements})
"""
    async with live(empty_url, project, up=up, down="pass") as it:
        await it.execute("DELETE FROM migration_audit")
        before = await it.rows()
        with pytest.raises(Refused, match=r"^0002_change: insert failed: .*(?i:unique).*\.$"):
            await it.up()
        async with serving(it.url) as client:
            newest, _ = (await client.get("/v1/schema/history")).json()["items"]
        done = await lines(it)
        assert done[-1] == "expand: insert: failed"
        assert [f"{each['phase']}: {each['step']}: {each['outcome']}" for each in newest["steps"]] == done
        assert await it.rows() == before
        assert await ledger(it) == done[:-1]


async def test_a_fill_that_fails_is_written_down_with_the_rows_that_it_filled(empty_url: str, project: Project) -> None:
    fill = (
        """ops.Backfill(name="t.b", table="t", left="b IS NULL", read=("id",), write=("b",), by=lambda id: (1 // 0,))"""
    )
    async with live(empty_url, project, backfill=fill) as it:
        await it.up()
        await it.execute("DELETE FROM migration_audit")
        with pytest.raises(Refused, match="ZeroDivisionError"):
            await it.backfill()
        assert await lines(it) == ["backfill: BACKFILL t.b: failed"]


async def test_a_database_made_whole_has_one_line_for_each_revision(empty_url: str, project: Project) -> None:
    async with live(empty_url, project, up=UP, contract=CONTRACT) as it:
        await it.down()
        (row,) = await audit(it.store, "*", revision="0001_base", phase="all")
        assert (row["step"], row["outcome"], row["attempts"]) == ("A test's own, in safe steps.", "done", 1)
