"""A backfill waits for locked rows and for other writers."""

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import AsyncSession

from service.db.uow import Units
from service.migrate.entrypoints import commands
from service.migrate.errors import Refused
from service.migrate.run.backfill import runner
from service.migrate.run.backfill.runner import Progress
from service.migrate.run.locking.limits import WaitLimits
from tests.alembic.store import opened
from tests.db.conftest import engine_on
from tests.db.tables import Tables
from tests.migrate.filling import BASE, COLUMN, FILLED, IN_PYTHON, IN_SQL, ROWS, noted, watched
from tests.migrate.operations.live import Live, live
from tests.migrate.project import Project

pytestmark = pytest.mark.slow

WRITERS = 64
BLOCKED = r"blocked by a session \(pid \d+, open for \d+\.\d s, idle in transaction\): UPDATE t SET a = 'MINE'"


@pytest.mark.parametrize("backfill", [IN_SQL, IN_PYTHON], ids=["in SQL", "in Python"])
async def test_a_batch_that_meets_a_locked_row_lets_go_of_all_its_rows_and_is_tried_again_smaller(
    empty_postgres_url: str, project: Project, backfill: str
) -> None:
    async with (
        live(empty_postgres_url, project, base=BASE, rows=FILLED, up=COLUMN, backfill=backfill) as it,
        opened(it.url) as other,
    ):
        await it.up()
        await other.execute("BEGIN")
        await other.execute("UPDATE t SET a = 'MINE' WHERE id = 400")
        told = await Told.of(it)
        await told.first()
        assert re.match(rf"0002_change: BACKFILL t\.b waits, {BLOCKED}", told.sentences[0])
        # Between two attempts no other session waits for the rows.
        await it.execute("SET lock_timeout = '2s'")
        await it.execute("UPDATE t SET a = 'YOURS' WHERE id = 1")
        await other.execute("COMMIT")
        assert await told.work == ["0002_change"]
        assert await it.execute("SELECT id, b FROM t WHERE id IN (1, 400) ORDER BY id") == [
            {"id": 1, "b": "yours"},
            {"id": 400, "b": "mine"},
        ]
        assert await it.value("SELECT count(*) FROM t WHERE b = lower(a)") == ROWS
        (entry,) = await it.execute("SELECT * FROM migration_audit WHERE phase = 'backfill'")
        assert (entry["outcome"], entry["affected"]) == ("done", ROWS)
        assert entry["attempts"] > 1
        assert entry["longest_wait_ms"] >= 50


async def test_a_batch_that_others_keep_waiting_until_the_deadline_is_given_up_and_those_before_stay(
    empty_postgres_url: str, project: Project
) -> None:
    wait_limits = WaitLimits(lock_wait_seconds=0.01, deadline_seconds=0.5)
    async with (
        live(empty_postgres_url, project, base=BASE, rows=FILLED, up=COLUMN, backfill=IN_SQL) as it,
        opened(it.url) as other,
    ):
        await it.up()
        await other.execute("BEGIN")
        await other.execute("UPDATE t SET a = 'MINE' WHERE id = 1690")
        with pytest.raises(Refused) as refused:
            await watched(it.url, wait_limits=wait_limits)
        why = rf"0002_change: BACKFILL t\.b gave up after 0\.5 seconds, \d+ attempts?; {BLOCKED} WHERE id = 1690"
        assert re.fullmatch(rf"{why}\. Run the command again\.", str(refused.value))
        found = await noted(it.store)
        assert (found["state"], found["problem"]) == ("running", str(refused.value).rstrip("."))
        assert await it.value("SELECT count(*) FROM t WHERE b IS NOT NULL") == found["filled"] >= 500
        await other.execute("ROLLBACK")
        assert (await watched(it.url, wait_limits=wait_limits))[-1].filled == ROWS


async def test_64_who_write_to_a_file_beside_a_backfill_never_meet_a_lock_and_lose_nothing(
    tmp_path: Path, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "_TARGET_SECONDS", 0.0)
    url = f"sqlite:///{tmp_path / 'roster.db'}"
    async with (
        live(url, project, base=BASE, rows=FILLED, up=COLUMN, backfill=IN_PYTHON) as it,
        engine_on(url) as engine,
    ):
        await it.up()
        failures: list[str] = []
        event.listen(
            engine.sync_engine, "handle_error", lambda context: failures.append(str(context.original_exception))
        )
        backfill = asyncio.ensure_future(watched(url))
        units = Units(engine, Tables.metadata)
        written = await asyncio.gather(*(write(units, number, backfill) for number in range(WRITERS)))
        batches = await backfill
        assert failures == []
        assert min(written) > 0
        assert len(batches) > 20
        counted = "SELECT sum(CAST(substr(a, 6) AS INTEGER)) FROM t WHERE a LIKE 'MINE %'"
        assert await it.value(counted) == sum(written)
        await it.backfill()
        assert await it.value("SELECT count(*) FROM t WHERE b IS NULL") == 0


async def write(units: Units, number: int, backfill: asyncio.Future[list[Progress]]) -> int:
    """Change a row of one's own again and again while rows are filled, and return how often."""
    count = 0

    async def change(session: AsyncSession) -> None:
        values = {"a": f"MINE {count + 1}", "id": 1 + number * 20}
        await session.execute(text("UPDATE t SET a = :a WHERE id = :id"), values)

    while not backfill.done():
        await units.run(change)
        count += 1
    return count


class Told:
    """A running backfill, and the sentences that it has reported."""

    def __init__(self) -> None:
        self.sentences: list[str] = []
        self.work: asyncio.Future[list[str]] = asyncio.Future()

    @classmethod
    async def of(cls, it: Live, **how: Any) -> "Told":
        told = cls()
        run = asyncio.to_thread(commands.backfill, it.url, report=told.sentences.append, **how)
        told.work = asyncio.ensure_future(run)
        return told

    async def first(self) -> None:
        """Return after the first sentence, or when the backfill has ended."""
        while not self.sentences and not self.work.done():
            await asyncio.sleep(0.005)
