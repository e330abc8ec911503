import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from service import housekeeping
from service.app import Roster
from service.settings import Settings
from service.tokens.actions import issue
from tests.callers import add_user
from tests.conftest import client_of, copy_of, serving_in_process


async def left(roster: Roster, table: str) -> int:
    async with roster.database.reading.connect() as connection:
        return int((await connection.exec_driver_sql(f"SELECT count(*) FROM {table}")).scalar_one())


async def test_a_chore_that_fails_is_logged_and_done_at_a_later_turn(
    sqlite_template_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work(session: Any) -> None:
        user_id = await add_user(session)
        for days in (-31, -29):
            await issue(session, user_id=user_id, kind="session", name="test", lifetime=timedelta(days=days))

    async def rename(roster: Roster, table: str, to: str) -> None:
        async with roster.database.writing.begin() as connection:
            await connection.exec_driver_sql(f"ALTER TABLE {table} RENAME TO {to}")

    async def until(roster: Roster, table: str, count: int) -> None:
        async with asyncio.timeout(60):
            while await left(roster, table) != count:
                await asyncio.sleep(0.005)

    monkeypatch.setattr(housekeeping, "_SECONDS", 0.005)
    async with serving_in_process(copy_of(sqlite_template_url, tmp_path)) as roster, client_of(roster) as client:
        await client.post("/v1/records", json={"title": "a"}, headers={"idempotency-key": "a"})
        await roster.database.units.run(work)
        await rename(roster, "idempotency_keys", "away")
        with capture_logs() as logged:
            settings = Settings(database_url="sqlite:///unused.db", idempotency_hours=0)
            keeping = asyncio.create_task(housekeeping.keep_house(roster.database, settings))
            try:
                # The chore behind the one that fails is done.
                await until(roster, "tokens", 1)
                await rename(roster, "away", "idempotency_keys")
                await until(roster, "idempotency_keys", 0)
            finally:
                keeping.cancel()
                await asyncio.wait([keeping])
        assert await left(roster, "tokens") == 1
    failed = {(each["chore"], each["log_level"]) for each in logged if each["event"] == "housekeeping failed"}
    assert failed == {("forget_answers", "warning")}
    assert all("lacks a table or column" in each["reason"] for each in logged if "reason" in each)
