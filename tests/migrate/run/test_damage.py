"""A failure during a migration is reported in one sentence, and the last step is done or rolled back."""

import asyncio
import os
import re
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event

from service.migrate.entrypoints import commands
from service.migrate.entrypoints.aio import current
from service.migrate.entrypoints.status import status
from service.migrate.errors import Refused
from service.migrate.run.backfill.runner import Progress
from tests.alembic.store import opened
from tests.migrate.operations.live import live
from tests.migrate.project import Project, copied
from tests.postgres import Server, execute, fresh_database, unprivileged

FILL = """ops.Backfill(name="t.c", table="t", left="c IS NULL", assign={"c": "a || '!'"})"""
UP = """
ops.add_column("t", sa.Column("c", sa.String(60)), derived=True)
ops.create_index("ix_t_c", "t", ["c"])
"""
# Some batches, of which the first takes 500.
MANY = """
INSERT INTO t (id, a) WITH RECURSIVE n (n) AS (SELECT 10 UNION ALL SELECT n + 1 FROM n WHERE n < 1700)
SELECT n, 'a' || n FROM n
"""


async def test_a_server_that_goes_away_in_the_middle_is_told_and_the_run_goes_on_from_there(
    private_postgres: Server, project: Project
) -> None:
    async with fresh_database(private_postgres.url) as url:
        async with live(url, project, up=UP, backfill=FILL) as it:
            await it.execute(MANY)
            await it.up()
        filled: list[int] = []

        def stop(progress: Progress) -> None:
            filled.append(progress.filled)
            private_postgres.stop()

        with pytest.raises(Refused) as refused:
            await asyncio.to_thread(commands.backfill, url, watch=stop)
        # Whichever of the two it noticed first.
        assert re.fullmatch(r"(The database .* cannot be used: |0002_change: connection lost ).*\.", str(refused.value))
        private_postgres.start()
        async with opened(url) as store:
            assert await store.value("SELECT count(c) FROM t") == filled[0]
            await asyncio.to_thread(commands.backfill, url)
            assert await store.value("SELECT count(*) FROM t WHERE c IS NULL") == 0
        assert (await status(url)).is_sound


async def test_a_database_set_read_only_is_told_and_left_alone(empty_postgres_url: str, project: Project) -> None:
    name = empty_postgres_url.rpartition("/")[2]
    async with live(empty_postgres_url, project, up=UP, backfill=FILL) as it:
        before = await it.state()
        await it.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
        for verb in (it.up, it.backfill, it.contract, it.purge, it.down):
            with pytest.raises(Refused) as refused:
                await verb()
            assert str(refused.value) == (
                "This database is read-only (default_transaction_read_only = on). "
                "Set it to off for the role that migrates."
            )
        assert await it.state() == before
        assert (await status(it.url)).current == ("0001_base",)


@contextmanager
def as_someone_who_may_only_read(file: Path) -> Iterator[None]:
    """A read-only file in a read-only folder; root runs as the account nobody inside the block."""
    file.chmod(0o444)
    file.parent.chmod(0o555)
    account = unprivileged()
    if account:
        os.seteuid(account["user"])
    try:
        yield
    finally:
        if account:
            os.seteuid(0)
        file.parent.chmod(0o755)


async def test_a_file_that_may_not_be_written_is_told_and_left_alone() -> None:
    with tempfile.TemporaryDirectory(prefix="roster-file-") as name:
        # Another account comes here, and not to the folders of tests.
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "data").mkdir()
        file = folder / "data/roster.db"
        with copied(folder / "project") as project:
            async with live(f"sqlite:///{file}", project, up=UP, backfill=FILL) as it:
                before = await it.state()
            with as_someone_who_may_only_read(file):
                for verb in (commands.upgrade, commands.backfill, commands.purge):
                    told = (
                        rf"^The file {file} cannot be used: (attempt to write a readonly|unable to open) database.*\.$"
                    )
                    with pytest.raises(Refused, match=told):
                        await asyncio.to_thread(verb, it.url)
            assert [each.name for each in file.parent.iterdir()] == ["roster.db"]
            async with opened(it.url) as store:
                assert await replace(it, store=store).state() == before


@contextmanager
def no_room(more: int) -> Iterator[None]:
    """SQLite's files may have so many pages more than they have."""

    def limit(driver: Any, _record: object) -> None:
        cursor = driver.cursor()
        cursor.execute("PRAGMA page_count")
        (pages,) = cursor.fetchone()
        cursor.execute(f"PRAGMA max_page_count = {pages + more}")
        cursor.close()

    event.listen(Engine, "connect", limit)
    try:
        yield
    finally:
        event.remove(Engine, "connect", limit)


async def test_a_full_disk_under_a_file_is_told_and_what_was_done_stays(tmp_path: Path, project: Project) -> None:
    async with live(f"sqlite:///{tmp_path / 'roster.db'}", project, up=UP, backfill=FILL) as it:
        await it.execute(MANY)
        before = await it.state()
        with (
            no_room(2),
            pytest.raises(Refused, match=r"^0002_change: CREATE INDEX ix_t_c ON t failed: .* is full\.$"),
        ):
            await it.up()
        assert (await status(it.url)).phases.incomplete == ("0002_change",)
        assert [line for line in before if not line.startswith("t: ")] == [
            line for line in await it.catalog() if "c VARCHAR" not in line
        ]
        await it.up()
        with no_room(2), pytest.raises(Refused, match=r"^0002_change: BACKFILL t\.c failed: .* is full\.$"):
            await it.backfill()
        assert "is full" in ((await status(it.url)).phases.backfills[0].problem or "")
        await it.backfill()
        await it.down()
        assert await it.state() == before


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A folder on a disk of 2 MB, for PostgreSQL; only root can have one."""
    if os.environ.get("ROSTER_TEST_DATABASE_URL") or not (account := unprivileged()):
        pytest.skip("needs root, and a server of the tests' own")
    with tempfile.TemporaryDirectory(prefix="roster-disk-") as name:
        mount = ["mount", "-t", "tmpfs", "-o", f"size=2m,mode=700,uid={account['user']}", "tmpfs", name]
        if subprocess.run(mount, check=False, capture_output=True).returncode:
            pytest.skip("no disk can be mounted here")
        try:
            yield Path(name)
        finally:
            subprocess.run(["umount", name], check=True)


@pytest.fixture
async def small_tablespace(postgres_admin_url: str, small_disk: Path) -> AsyncIterator[str]:
    await execute(postgres_admin_url, f"CREATE TABLESPACE small LOCATION '{small_disk}'")
    yield "small"
    await execute(postgres_admin_url, "DROP TABLESPACE small")


async def test_a_full_disk_under_postgresql_is_told_and_what_was_done_stays(
    small_tablespace: str, small_disk: Path, empty_postgres_url: str, project: Project
) -> None:
    async with live(empty_postgres_url, project, up=UP) as it:
        await it.execute(MANY)
        before = await it.state()
        name = it.url.rpartition("/")[2]
        await it.execute(f'ALTER DATABASE "{name}" SET default_tablespace = {small_tablespace}')
        room = os.statvfs(small_disk)
        (small_disk / "rubbish").write_bytes(bytes(room.f_bavail * room.f_frsize - 20_000))
        told = r"^0002_change: CREATE INDEX CONCURRENTLY ix_t_c ON t failed: .*: No space left on device\.$"
        with pytest.raises(Refused, match=told):
            await it.up()
        assert (await status(it.url)).phases.incomplete == ("0002_change",)
        (small_disk / "rubbish").unlink()
        await it.up()
        assert await it.value("SELECT indisvalid FROM pg_index WHERE indexrelid = 'ix_t_c'::regclass") is True
        await it.down()
        assert await it.state() == before


async def test_a_database_ahead_of_this_code_is_left_alone_by_every_verb(empty_url: str, project: Project) -> None:
    async with live(empty_url, project, up=UP, backfill=FILL) as it:
        await it.up()
        there = await it.state()
        project.remove("0002_change")
        for verb in (it.up, it.backfill, it.contract, it.undo_contract, it.purge, it.down):
            with pytest.raises(Refused, match="is at revision 0002_change, which this version does not have: a newer"):
                await verb()
        assert await it.state() == there


async def test_of_two_heads_neither_is_applied(empty_url: str, project: Project) -> None:
    async with live(empty_url, project, up=UP) as it:
        before = await it.state()
        project.add_safe("0003_other", after="0001_base", up='ops.drop_not_null("t", "a")')
        with pytest.raises(Refused, match="more than one head, 0002_change and 0003_other"):
            await it.up()
        assert await it.state() == before
        assert await current(it.url) == ("0001_base",)
