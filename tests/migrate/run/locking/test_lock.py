"""One migrator at a time; a waiting migrator names the holder of the lock."""

import asyncio
import fcntl
import os
from pathlib import Path

import pytest
import sqlalchemy as sa

from service.db.urls import parse_url
from service.migrate import naming
from service.migrate.entrypoints import commands
from service.migrate.entrypoints.aio import upgrade
from service.migrate.entrypoints.status import status
from service.migrate.errors import Refused
from service.migrate.run.locking import lock
from tests.alembic.store import Store, opened
from tests.migrate.project import Project

TAKE = f"SELECT pg_advisory_lock({naming.lock_key()})"
LEAVE = f"SELECT pg_advisory_unlock({naming.lock_key()})"


async def test_a_migrator_that_waits_too_long_names_who_is_at_work(empty_postgres_url: str) -> None:
    async with opened(empty_postgres_url) as other:
        await other.execute("SET application_name = 'someone else'")
        await other.execute(TAKE)
        pid = await other.value("SELECT pg_backend_pid()")
        with pytest.raises(
            Refused,
            match=rf"did not finish in 0\.3 seconds: someone else from 127\.0\.0\.1 \(pid {pid}\), since .*UTC",
        ):
            await asyncio.to_thread(commands.upgrade, other.url, "head", lock_wait_seconds=0.3)
        assert f"someone else from 127.0.0.1 (pid {pid})" in ((await status(other.url)).migrator or "")
        await other.execute(LEAVE)
        assert (await status(other.url)).migrator is None


async def test_a_migrator_that_waited_goes_on_when_the_other_is_done(empty_postgres_url: str) -> None:
    async with opened(empty_postgres_url) as other:
        await other.execute(TAKE)
        told: list[str] = []
        work = asyncio.create_task(asyncio.to_thread(commands.upgrade, other.url, "0001", report=told.append))
        while not told:
            await asyncio.sleep(0.01)
        await other.execute(LEAVE)
    assert await work == ["0001_create_users"]
    assert told[0].startswith("Waiting for another migrator: ")
    assert len(told) == 2


async def test_the_lock_is_free_when_the_work_is_done_or_has_failed(empty_url: str, project: Project) -> None:
    project.clear()
    project.add("0001_wrong", after=None, up="raise ValueError('mine')")
    for _ in range(2):
        with pytest.raises(Refused, match=r"0001_wrong\.py:18: ValueError: mine"):
            await asyncio.to_thread(commands.upgrade, empty_url, "head", lock_wait_seconds=0.5)
    assert (await status(empty_url)).migrator is None


@pytest.fixture
async def file_store(tmp_path: Path) -> Store:
    url = f"sqlite:///{tmp_path / 'roster.db'}"
    await upgrade(url, "0001")
    return Store(url=url, backend="sqlite", connection=None)


async def test_a_process_that_migrates_a_file_is_named(file_store: Store) -> None:
    file = lock.lock_file(parse_url(file_store.url))
    assert file is not None
    descriptor = lock.lock(file)
    assert descriptor is not None
    assert lock.lock(file) is None
    with pytest.raises(Refused, match=rf"did not finish in 0\.3 seconds: process {os.getpid()}, since .*UTC"):
        await asyncio.to_thread(commands.upgrade, file_store.url, "0002", lock_wait_seconds=0.3)
    assert f"process {os.getpid()}" in ((await status(file_store.url)).migrator or "")
    os.close(descriptor)


async def test_a_lock_file_that_a_killed_process_left_stops_nobody(file_store: Store) -> None:
    file = lock.lock_file(parse_url(file_store.url))
    assert file is not None
    file.write_text("process 1, since yesterday")
    assert (await status(file_store.url)).migrator is None
    assert await upgrade(file_store.url, "0002") == ["0002_add_age_to_users"]
    assert not file.exists()


def test_a_lock_on_a_file_that_was_removed_meanwhile_counts_for_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "lock"
    monkeypatch.setattr(fcntl, "flock", lambda *_: file.unlink())
    assert lock.lock(file) is None


def test_a_synchronous_connection_waits_for_the_file_too(tmp_path: Path) -> None:
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'roster.db'}")
    file = lock.lock_file(engine.url)
    assert file is not None
    descriptor = lock.lock(file)
    assert descriptor is not None

    def let_go(_sentence: str) -> None:
        os.close(descriptor)

    with engine.connect() as connection, lock.held(connection, let_go, own=False):
        assert lock.file_holder(engine.url) is not None
    engine.dispose()


def test_a_database_without_a_file_of_its_own_has_no_lock_file() -> None:
    assert lock.lock_file(parse_url("postgresql://host/name")) is None
    assert lock.file_holder(parse_url("postgresql://host/name")) is None
