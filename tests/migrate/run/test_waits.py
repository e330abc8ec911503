"""A blocked migrator retries with backoff, and blocks requests for no longer than lock_timeout."""

import asyncio
import re

import pytest
from click.testing import CliRunner

from service.cli import main
from service.cli.db import db
from service.migrate.entrypoints import commands
from service.migrate.errors import Refused
from service.migrate.run import revisions
from service.migrate.run.locking.limits import Attempt, WaitLimits
from tests.alembic.store import Store, opened
from tests.migrate.company import WAITING, Migrator, audit, until
from tests.migrate.operations.live import live
from tests.migrate.project import Project

main.add_command(db)

ADD = 'ops.add_column("t", sa.Column("c", sa.Integer()))'
# What a step finds its own limits to be.
NOTE = """
LIMITS = "CREATE TABLE limits AS SELECT current_setting('lock_timeout') AS lock, current_setting('statement_timeout')"
ops.execute("note the limits", postgresql=[LIMITS], undo_postgresql=["DROP TABLE limits"], lock=ops.Lock.{lock})
"""


async def limits(url: str, project: Project, lock: str, wait_limits: WaitLimits) -> tuple[str, str]:
    async with live(url, project, up=NOTE.format(lock=lock)) as it:
        await asyncio.to_thread(commands.upgrade, url, wait_limits=wait_limits)
        (row,) = await it.execute("SELECT * FROM limits")
        return row["lock"], row["current_setting"]


@pytest.mark.parametrize("lock", ["SHARE_ROW_EXCLUSIVE", "ACCESS_EXCLUSIVE"])
async def test_what_keeps_requests_waiting_waits_a_moment_itself(
    empty_postgres_url: str, project: Project, lock: str
) -> None:
    assert await limits(empty_postgres_url, project, lock, WaitLimits()) == ("50ms", "3s")


@pytest.mark.parametrize("lock", ["NONE", "SHARE_UPDATE_EXCLUSIVE"])
async def test_what_keeps_nobody_waiting_waits_and_works_as_long_as_it_must(
    empty_postgres_url: str, project: Project, lock: str
) -> None:
    wait, statement = await limits(empty_postgres_url, project, lock, WaitLimits(deadline_seconds=3600))
    assert re.fullmatch(r"(3600|3[45]\d\d)(\d{3}ms|s)|1h|59min", wait)
    assert statement == "0"


@pytest.mark.parametrize(
    ("asked", "deadlock_timeout", "waited"), [(0.3, "1s", "300ms"), (5.0, "1s", "900ms"), (0.3, "100ms", "90ms")]
)
async def test_it_waits_for_less_than_the_server_takes_to_look_for_deadlocks(
    empty_postgres_url: str, project: Project, asked: float, deadlock_timeout: str, waited: str
) -> None:
    name = empty_postgres_url.rpartition("/")[2]
    async with opened(empty_postgres_url) as store:
        await store.execute(f"ALTER DATABASE \"{name}\" SET deadlock_timeout = '{deadlock_timeout}'")
    wait_limits = WaitLimits(lock_wait_seconds=asked)
    assert await limits(empty_postgres_url, project, "ACCESS_EXCLUSIVE", wait_limits) == (waited, "3s")


async def test_the_command_says_how_long_and_the_service_s_settings_do_not(
    empty_postgres_url: str, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROSTER_LOCK_WAIT_SECONDS", "5")
    async with live(empty_postgres_url, project, up=NOTE.format(lock="ACCESS_EXCLUSIVE")) as it:
        command = ["db", "--database", it.url, "upgrade", "--lock-wait"]
        too_long = await asyncio.to_thread(CliRunner().invoke, main, [*command, "5"])
        assert too_long.exit_code == 2
        assert "5.0 is not in the range 0.001<=x<=0.9" in too_long.stderr
        await asyncio.to_thread(CliRunner().invoke, main, [*command, "0.2"])
        assert await it.value("SELECT lock FROM limits") == "200ms"
        await it.down()
        await it.up()
        assert await it.value("SELECT lock FROM limits") == "50ms"


def test_it_pauses_for_longer_each_time_and_never_as_long_as_another() -> None:
    tries = [Attempt(revision="0002", title="do it", deadline_seconds=600) for _ in range(20)]
    for attempts in range(1, 12):
        for each in tries:
            each.begin()
        pauses = [each.pause_seconds() for each in tries]
        middle = min(0.05 * 2**attempts, 1.0)
        assert len(set(pauses)) == len(pauses)
        assert 0.5 * middle <= min(pauses) < max(pauses) <= 1.5 * middle


async def test_readers_and_writers_that_come_while_it_waits_are_answered(
    empty_postgres_url: str, project: Project
) -> None:
    async with live(empty_postgres_url, project, up=ADD) as it, opened(it.url) as holder, opened(it.url) as caller:
        await holder.execute("BEGIN")
        await holder.execute("SELECT * FROM t")
        migrator = Migrator.start(commands.upgrade, it.url)
        await migrator.tells("ADD COLUMN t.c waits, blocked by")
        async with asyncio.timeout(10):
            # Waits for the migrator, which waits for the session that holds the lock.
            await until(it.store, WAITING, "t")
            assert await caller.value("SELECT count(*) FROM t") == 3
            await until(it.store, WAITING, "t")
            await caller.execute("UPDATE t SET b = b + 1 WHERE id = 1")
        await holder.execute("COMMIT")
        assert await migrator.done() == ["0002_change"]
        (row,) = await audit(it.store, "attempts", "longest_wait_ms", "outcome", step="ADD COLUMN t.c")
    assert row["attempts"] > 2
    assert row["longest_wait_ms"] >= 50
    assert row["outcome"] == "done"


# The gate delays the step until the other session waits for its lock.
LOCKS = """
LOCKS = [f"LOCK TABLE {table} IN {mode} MODE" for table in ("t", "gate", "u")]
ops.execute("lock them all", postgresql=LOCKS, lock=ops.Lock.{name}, tables=["t", "gate", "u"])
"""


async def crossed(it: Store, other: Store, gate: Store, mode: str) -> "asyncio.Task[object]":
    """A deadlock: another session locks u and waits for t, which the migrator has locked before it waits for u."""
    await until(it, WAITING, "gate")
    waits = asyncio.create_task(other.execute(f"LOCK TABLE t IN {mode} MODE"))
    await until(it, WAITING, "t")
    await gate.execute("COMMIT")
    return waits


async def test_in_a_deadlock_it_is_the_migrator_that_gives_way(empty_postgres_url: str, project: Project) -> None:
    mode = "SHARE UPDATE EXCLUSIVE"
    async with (
        live(
            empty_postgres_url,
            project,
            up=LOCKS.replace("{name}", mode.replace(" ", "_")).replace("{mode}", mode),
            rows=("CREATE TABLE u ()", "CREATE TABLE gate ()"),
        ) as it,
        opened(it.url) as other,
        opened(it.url) as gate,
    ):
        # It never looks for deadlocks itself.
        await other.execute("SET deadlock_timeout = '1h'")
        for store, table in ((other, "u"), (gate, "gate")):
            await store.execute("BEGIN")
            await store.execute(f"LOCK TABLE {table} IN {mode} MODE")
        migrator = Migrator.start(commands.upgrade, it.url)
        waits = await crossed(it.store, other, gate, mode)
        async with asyncio.timeout(10):
            await waits
        await other.execute("COMMIT")
        assert await migrator.done() == ["0002_change"]
        (row,) = await audit(it.store, "attempts", "longest_wait_ms", step="lock them all")
    assert row["attempts"] > 1
    # As long as the server took to look.
    assert row["longest_wait_ms"] >= 1000


# Long enough for a request to come between.
BOTH = """
ALTER = ["ALTER TABLE t ADD c integer", "SELECT pg_sleep(0.2)", "ALTER TABLE u ADD c integer"]
ops.execute("alter both", postgresql=ALTER, tables=["t", "u"])
"""


async def test_a_request_that_crosses_its_way_is_answered_before_there_is_a_deadlock(
    empty_postgres_url: str, project: Project
) -> None:
    async with (
        live(empty_postgres_url, project, up=BOTH, rows=("CREATE TABLE u (id integer)",)) as it,
        opened(it.url) as request,
    ):
        await request.execute("BEGIN")
        await request.execute("SELECT * FROM u")
        migrator = Migrator.start(commands.upgrade, it.url)
        await until(it.store, WAITING, "u")
        async with asyncio.timeout(10):
            assert await request.execute("SELECT * FROM t") == []
        await migrator.tells("alter both waits")
        await request.execute("COMMIT")
        assert await migrator.done() == ["0002_change"]


PLAIN = 'op.add_column("t", sa.Column("c", sa.Integer()))'


async def test_a_revision_of_the_plain_style_gives_way_whole(empty_postgres_url: str, project: Project) -> None:
    async with live(empty_postgres_url, project) as it, opened(it.url) as holder:
        project.add("0003_plain", after="0002_change", up=f'op.execute("CREATE TABLE first ()")\n{PLAIN}')
        await holder.execute("BEGIN")
        await holder.execute("SELECT * FROM t")
        migrator = Migrator.start(commands.upgrade, it.url)
        told = await migrator.tells("is retried")
        assert told == (
            "Upgrade to 0003_plain was rolled back and is retried: canceling statement due to lock timeout."
        )
        assert await it.value("SELECT to_regclass('first')") is None
        await holder.execute("COMMIT")
        assert await migrator.done() == ["0002_change", "0003_plain"]


async def test_a_revision_of_the_plain_style_is_given_up_whole(
    empty_postgres_url: str, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(revisions, "TRY_SECONDS", 0.2)
    async with live(empty_postgres_url, project) as it, opened(it.url) as holder:
        project.add("0003_plain", after="0002_change", up=PLAIN)
        before = await it.state()
        await holder.execute("BEGIN")
        await holder.execute("SELECT * FROM t")
        told = r"^Upgrade to 0003_plain failed and was rolled back: canceling statement due to lock timeout"
        with pytest.raises(Refused, match=told):
            await it.up()
        assert await it.state() == before
