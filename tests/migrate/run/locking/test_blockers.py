"""Sessions that block a migrator are named before a wait, during it, and at the deadline."""

import asyncio
import re

import pytest

from service.migrate.entrypoints import commands
from service.migrate.entrypoints.status import status
from service.migrate.errors import Refused
from service.migrate.run.locking import blockers
from service.migrate.run.locking.limits import WaitLimits
from tests.alembic.store import Store, opened
from tests.migrate.company import STUCK, Migrator, audit, until
from tests.migrate.operations.live import live
from tests.migrate.project import Project

ADD = 'ops.add_column("t", sa.Column("c", sa.Integer()))'
INDEX = 'ops.create_index("ix_t_a", "t", ["a"])'
ANALYZE = """
ops.execute("look at t", postgresql=["ANALYZE t"], tables=["t"], lock=ops.Lock.SHARE_UPDATE_EXCLUSIVE)
"""
CHECK = 'ops.add_check("t", "ck_t_b", "b > 0")'
OLD = f"SELECT clock_timestamp() - xact_start > '{blockers.LONG_SECONDS} s' FROM pg_stat_activity WHERE pid = $1"
SHORT = WaitLimits(deadline_seconds=0.5)


async def named(store: Store, name: str) -> int:
    """The process id of the session, which the message must name."""
    await store.execute(f"SET application_name = '{name}'")
    pid: int = await store.value("SELECT pg_backend_pid()")
    return pid


async def test_a_step_is_given_up_with_the_names_of_all_who_are_in_its_way(
    empty_postgres_url: str, project: Project
) -> None:
    async with (
        live(empty_postgres_url, project, up=ADD) as it,
        opened(it.url) as idle,
        opened(it.url) as busy,
    ):
        first, second = await named(idle, "psql of Ann"), await named(busy, "nightly report")
        before = await it.state()
        await idle.execute("BEGIN")
        await idle.execute("UPDATE t SET b = 11\n  WHERE id = 1")
        report = asyncio.create_task(busy.execute("SELECT pg_sleep(600) FROM t"))
        await until(it.store, "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND pid = $1", second)
        with pytest.raises(Refused) as refused:
            await asyncio.to_thread(commands.upgrade, it.url, wait_limits=SHORT)
        assert re.fullmatch(
            r"0002_change: ADD COLUMN t\.c gave up after 0\.5 seconds, \d+ attempts?; blocked by "
            rf"psql of Ann \(pid {first}, open for \d+\.\d s, idle in transaction\): UPDATE t SET b = 11 WHERE id = 1; "
            rf"nightly report \(pid {second}, open for \d+\.\d s, active\): SELECT pg_sleep\(600\) FROM t\. "
            r"Run the command again\.",
            str(refused.value),
        )
        await it.store.execute("SELECT pg_cancel_backend($1)", second)
        await asyncio.wait([report])
        assert report.exception() is not None
        await idle.execute("ROLLBACK")
        assert await it.state() == before
        (failed,) = await audit(it.store, "phase", "outcome", "seconds", "affected", step="ADD COLUMN t.c")
        # The last of its tries waited for as long as it may.
        assert failed.pop("seconds") >= 0.05
        assert failed == {"phase": "expand", "outcome": "failed", "affected": 0}
        await it.up()


async def test_no_more_than_three_are_named(empty_postgres_url: str, project: Project) -> None:
    async with (
        live(empty_postgres_url, project, up=ADD) as it,
        opened(it.url) as one,
        opened(it.url) as two,
        opened(it.url) as three,
        opened(it.url) as four,
    ):
        for each in (one, two, three, four):
            await each.execute("BEGIN")
            await each.execute(f"SELECT '{'long' * 30}' FROM t")
        with pytest.raises(
            Refused, match=r"(a session \(pid[^;]*: SELECT '[long]{72}…; ){3}and 1 more\. Run the command again"
        ):
            await asyncio.to_thread(commands.upgrade, it.url, wait_limits=SHORT)


async def test_an_index_waits_for_every_transaction_and_what_it_left_is_built_again(
    empty_postgres_url: str, project: Project
) -> None:
    async with live(empty_postgres_url, project, up=INDEX) as it, opened(it.url) as elsewhere:
        pid = await named(elsewhere, "psql of Ann")
        await elsewhere.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        await elsewhere.execute("SELECT 1")
        told = rf"CREATE INDEX CONCURRENTLY ix_t_a ON t gave up .* blocked by psql of Ann \(pid {pid}, .*\): SELECT 1\."
        with pytest.raises(Refused, match=told):
            await asyncio.to_thread(commands.upgrade, it.url, wait_limits=SHORT)
        await elsewhere.execute("ROLLBACK")
        await it.up()
        assert await it.value("SELECT indisvalid FROM pg_index WHERE indexrelid = 'ix_t_a'::regclass") is True


async def test_rows_that_someone_holds_are_told_with_their_holder(empty_postgres_url: str, project: Project) -> None:
    up = 'ops.set_not_null("t", "b", fill="0")'
    async with live(empty_postgres_url, project, up=up) as it, opened(it.url) as holder:
        await it.up()
        pid = await named(holder, "psql of Ann")
        await holder.execute("BEGIN")
        await holder.execute("SELECT * FROM t WHERE id = 2 FOR UPDATE")
        told = (
            rf"BACKFILL t\.b gave up after 0\.5 seconds, \d+ attempts?; blocked by psql of Ann \(pid {pid}, .* UPDATE\."
        )
        with pytest.raises(Refused, match=told):
            await asyncio.to_thread(commands.backfill, it.url, wait_limits=SHORT)
        assert "BACKFILL t.b gave up" in ((await status(it.url)).phases.backfills[0].problem or "")
        await holder.execute("COMMIT")
        await it.backfill()
        assert await it.value("SELECT b FROM t WHERE id = 2") == 0


async def test_who_is_there_for_long_is_told_before_anything_waits(empty_postgres_url: str, project: Project) -> None:
    up = f"{ANALYZE}\n{CHECK}\n{INDEX}"
    async with (
        live(empty_postgres_url, project, up=up) as it,
        opened(it.url) as elsewhere,
        opened(it.url) as reader,
        opened(it.url) as keeper,
    ):
        open_ones = (
            (keeper, "look at t", "LOCK TABLE t IN SHARE UPDATE EXCLUSIVE MODE"),
            (reader, "ADD CONSTRAINT ck_t_b ON t NOT VALID", "SELECT * FROM t"),
            (elsewhere, "CREATE INDEX CONCURRENTLY ix_t_a ON t", "SELECT 1"),
        )
        for store, what, asked in open_ones:
            pid = await named(store, f"in the way to {what}")
            await store.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
            await store.execute(asked)
        await until(it.store, OLD, pid)
        migrator = Migrator.start(commands.upgrade, it.url)
        for store, what, asked in open_ones:
            told = await migrator.tells(f"{what} may wait for long transactions: ")
            assert re.search(
                rf" long transactions: in the way to {what} \(pid \d+, open for [^;]*\): {re.escape(asked)}\.$", told
            )
            await store.execute("COMMIT")
        assert await migrator.done() == ["0002_change"]


async def test_status_tells_whom_the_migrator_waits_for(empty_postgres_url: str, project: Project) -> None:
    async with live(empty_postgres_url, project, up=INDEX) as it, opened(it.url) as elsewhere:
        pid = await named(elsewhere, "psql of Ann")
        await elsewhere.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        await elsewhere.execute("SELECT 1")
        migrator = Migrator.start(commands.upgrade, it.url)
        await until(it.store, STUCK)
        found = await status(it.url)
        await elsewhere.execute("COMMIT")
        await migrator.done()
    described = rf"psql of Ann \(pid {pid}, open for .* s, idle in transaction\): SELECT 1"
    assert re.fullmatch(described, found.blocked_by or "")
    assert re.match("roster migrate from .*, since ", found.migrator or "")
