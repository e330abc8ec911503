"""The lease: renewed in each transaction, lost to another migrator, left by a migrator that was killed."""

import asyncio
from pathlib import Path

import pytest

from service.migrate import naming
from service.migrate.entrypoints import commands
from service.migrate.entrypoints.status import status
from service.migrate.errors import Refused
from service.migrate.run.backfill.runner import Progress
from tests import programs
from tests.alembic.store import Row, Store, opened
from tests.migrate.company import HERE, STUCK, Migrator, audit, until
from tests.migrate.operations.live import live
from tests.migrate.project import Project

ROOT = Path(commands.__file__).parents[3]
FILL = """ops.Backfill(name="t.c", table="t", left="c IS NULL", assign={"c": "a || '!'"})"""
UP = """
ops.add_column("t", sa.Column("c", sa.String(60)), derived=True)
ops.create_index("ix_t_c", "t", ["c"])
"""
CONTRACT = 'ops.drop_column("t", sa.Column("b", sa.Integer(), server_default="1"))'
# Some batches, of which the first takes 500.
MANY = """
INSERT INTO t (id, a) WITH RECURSIVE n (n) AS (SELECT 10 UNION ALL SELECT n + 1 FROM n WHERE n < 1700)
SELECT n, 'a' || n FROM n
"""
TAKE_OVER = "UPDATE migration_lease SET token = 'another', holder = 'someone else, process 1'"
KEEPER = f"""
SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted AND objid = {naming.lock_key() & 0xFFFFFFFF} AND {HERE}
"""


async def lease(store: Store) -> Row:
    (row,) = await store.execute("SELECT * FROM migration_lease")
    return row


async def test_it_is_renewed_with_each_batch_and_gone_at_the_end(empty_url: str, project: Project) -> None:
    async with live(empty_url, project, up=UP, backfill=FILL) as it:
        await it.execute(MANY)
        await it.up()
        assert await it.execute("SELECT * FROM migration_lease") == []
        loop, seen = asyncio.get_running_loop(), []

        def look(_progress: Progress) -> None:
            seen.append(asyncio.run_coroutine_threadsafe(lease(it.store), loop).result())

        await asyncio.to_thread(commands.backfill, it.url, watch=look)
        assert len(seen) > 2
        assert len({row["token"] for row in seen}) == len({row["taken_at"] for row in seen}) == 1
        moments = [row["seen_at"] for row in seen]
        assert moments == sorted(set(moments))
        assert await it.execute("SELECT * FROM migration_lease") == []


async def test_a_backfill_whose_lease_was_taken_over_fills_no_row_more(empty_url: str, project: Project) -> None:
    async with live(empty_url, project, up=UP, backfill=FILL) as it:
        await it.execute(MANY)
        await it.up()
        loop = asyncio.get_running_loop()
        filled: list[int] = []

        def take_over(progress: Progress) -> None:
            filled.append(progress.filled)
            asyncio.run_coroutine_threadsafe(it.execute(TAKE_OVER), loop).result()

        with pytest.raises(
            Refused, match=r"^Another migrator took the lease \(someone else, process 1\), so this one stopp"
        ):
            await asyncio.to_thread(commands.backfill, it.url, watch=take_over)
        assert len(filled) == 1
        assert await it.value("SELECT count(c) FROM t") == filled[0]
        # What is not its own any more it does not give back either, nor does it write a line more.
        assert (await lease(it.store))["token"] == "another"
        assert await audit(it.store, "id", phase="backfill") == []
        assert "someone else, process 1, since " in ((await status(it.url)).phases.active_run or "")
        await it.backfill()
        assert await it.value("SELECT count(*) FROM t WHERE c IS NULL") == 0
        assert await it.execute("SELECT * FROM migration_lease") == []


async def test_an_upgrade_whose_lease_was_taken_over_does_no_step_more(empty_url: str, project: Project) -> None:
    first = "CREATE TABLE one (a integer)", TAKE_OVER
    up = f"""
ops.execute("the first", postgresql={first}, sqlite={first}, lock=ops.Lock.NONE)
ops.add_column("t", sa.Column("c", sa.Integer()))
"""
    async with live(empty_url, project, up=up, down="pass") as it:
        before = await it.state()
        with pytest.raises(Refused, match="Another migrator took the lease"):
            await it.up()
        assert [line for line in await it.state() if line not in before and "one" not in line] == []
        assert await it.value("SELECT count(*) FROM migration_steps WHERE revision = '0002_change'") == 1
        assert (await status(it.url)).current == ("0001_base",)


async def cut(store: Store) -> None:
    """End the session that keeps the migrators' lock."""
    assert await store.value(f"SELECT pg_terminate_backend(pid, 10000) FROM ({KEEPER}) AS keeper") is True


SECOND = """
import sys
from pathlib import Path
from service.migrate.entrypoints import commands
from service.migrate import naming

naming.use_files(Path(sys.argv[2]) / "alembic.ini")
print(commands.upgrade(sys.argv[1], report=lambda _: None))
"""


async def test_one_whose_lock_was_lost_stops_when_another_has_taken_over(
    empty_postgres_url: str, project: Project
) -> None:
    async with live(empty_postgres_url, project, up=UP) as it, opened(it.url) as elsewhere:
        await elsewhere.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        await elsewhere.execute("SELECT 1")
        first = Migrator.start(commands.upgrade, it.url)
        await until(it.store, STUCK)
        await cut(it.store)
        second, output = programs.started("-c", SECOND, it.url, str(project.folder), cwd=ROOT)
        await until(it.store, f"SELECT count(*) FROM migration_lease WHERE holder LIKE '%, process {second.pid}'")
        await elsewhere.execute("COMMIT")
        with pytest.raises(
            Refused, match=rf"Another migrator took the lease \(.*, process {second.pid}\), so this one stopped"
        ):
            await first.done()
        with output:
            assert await asyncio.to_thread(output.read) == "['0002_change']\n"
        assert second.wait() == 0
        assert await it.value("SELECT indisvalid FROM pg_index WHERE indexrelid = 'ix_t_c'::regclass") is True
        assert (await status(it.url)).is_sound


async def test_one_whose_lock_was_lost_comes_to_its_end_when_nobody_else_is_there(
    empty_postgres_url: str, project: Project
) -> None:
    async with live(empty_postgres_url, project, up=UP) as it, opened(it.url) as elsewhere:
        await elsewhere.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        await elsewhere.execute("SELECT 1")
        migrator = Migrator.start(commands.upgrade, it.url)
        await until(it.store, STUCK)
        await cut(it.store)
        await elsewhere.execute("COMMIT")
        assert await migrator.done() == ["0002_change"]
        assert (await status(it.url)).is_sound


async def test_one_that_was_cut_off_in_the_middle_of_a_step_is_simply_run_again(
    empty_postgres_url: str, project: Project
) -> None:
    async with live(empty_postgres_url, project, up=UP, backfill=FILL, contract=CONTRACT) as it:
        async with opened(it.url) as elsewhere:
            await elsewhere.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
            await elsewhere.execute("SELECT 1")
            migrator = Migrator.start(commands.upgrade, it.url)
            await until(it.store, STUCK)
            await it.execute(
                f"SELECT pg_terminate_backend(pid, 10000) FROM ({STUCK.replace('count(*)', 'pid')}) AS stuck"
            )
            told = "^0002_change: connection lost during CREATE INDEX CONCURRENTLY ix_t_c ON t: .*[.] Run the"
            with pytest.raises(Refused, match=told):
                await migrator.done()
        assert (await status(it.url)).phases.incomplete == ("0002_change",)
        await it.up()
        await it.backfill()
        await it.contract()
        assert (await status(it.url)).is_sound


FOUR = """
import os, sys
from pathlib import Path
from service.migrate.entrypoints import commands
from service.migrate import naming

naming.use_files(Path(sys.argv[2]) / "alembic.ini")
commands.scripts()
children = []
for _ in range(4):
    if not (child := os.fork()):
        for verb in (commands.upgrade, commands.backfill, commands.contract):
            for each in verb(sys.argv[1]):
                os.write(1, f"{verb.__name__} {each}\\n".encode())
        os._exit(0)
    children.append(child)
sys.exit(max(os.waitpid(child, 0)[1] for child in children))
"""


@pytest.mark.slow
async def test_of_four_that_go_through_a_revision_s_life_one_does_each_thing(empty_url: str, project: Project) -> None:
    async with live(empty_url, project, up=UP, backfill=FILL, contract=CONTRACT) as it:
        await it.execute(MANY)
        four = await asyncio.to_thread(programs.run, "-c", FOUR, it.url, str(project.folder), cwd=ROOT)
        assert (four.returncode, four.stderr) == (0, "")
        done = ["upgrade 0002_change", "backfill 0002_change", "contract 0002_change"]
        assert four.stdout.splitlines() == done
        assert await it.value("SELECT count(*) FROM t WHERE c IS NULL") == 0
        lines = await audit(it.store, "step", "outcome")
        assert {line["outcome"] for line in lines} == {"done"}
        assert len({line["step"] for line in lines}) == len(lines)
        assert (await status(it.url)).is_sound
