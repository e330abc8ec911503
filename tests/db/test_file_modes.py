"""The files of a SQLite database are for their owner alone."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from service.migrate.entrypoints.aio import backfill, contract, downgrade, upgrade
from tests.db.conftest import engine_on

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def a_usual_mask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def modes(folder: Path) -> dict[str, int]:
    return {each.name: stat.S_IMODE(each.stat().st_mode) for each in folder.iterdir()}


async def test_every_file_of_a_database_can_be_read_by_its_owner_alone(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'roster.db'}"
    await upgrade(url)
    assert modes(tmp_path) == {"roster.db": 0o600}
    async with engine_on(url) as engine, engine.begin() as connection:
        await connection.execute(text("DELETE FROM users"))
        names = {"roster.db", "roster.db-wal", "roster.db-shm", "roster.db-queue"}
        assert modes(tmp_path) == dict.fromkeys(names, 0o600)


async def test_changes_of_the_schema_keep_the_mode_and_leave_no_other_file(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'roster.db'}"
    await upgrade(url, "0009")
    (tmp_path / "roster.db").chmod(0o640)
    await upgrade(url)
    await backfill(url)
    await contract(url)
    await downgrade(url, "0009")
    # A file whose owner gave it another mode keeps that.
    assert modes(tmp_path) == {"roster.db": 0o640}
