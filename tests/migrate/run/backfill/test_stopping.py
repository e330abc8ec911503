"""A backfill is watched, paused, resumed and cancelled from another process, and is done when no row is left."""

import asyncio
import json
import re
from typing import Any

import pytest

from service.migrate.entrypoints import commands
from service.migrate.errors import Refused
from service.migrate.run.backfill.runner import Stopped
from service.migrate.state.backfills import BackfillState
from tests.cli.db.test_migrating import roster
from tests.migrate.filling import BASE, COLUMN, FILLED, IN_SQL, NOTE, ROWS, held, noted, times, watched
from tests.migrate.operations.live import live
from tests.migrate.project import Project

NOTING: dict[str, Any] = {"base": BASE, "rows": FILLED, "backfill": NOTE}


async def tell(url: str, *arguments: str) -> str:
    """The output of `roster db backfill`, as from another process."""
    result = await asyncio.to_thread(roster, "backfill", *arguments, url=url)
    assert (result.exit_code, result.stderr) == (0, "")
    return result.stdout


async def test_a_backfill_that_is_told_to_pause_stops_behind_its_batch_and_goes_on_when_it_is_told(
    empty_url: str, project: Project
) -> None:
    async with live(empty_url, project, **NOTING) as it:
        await it.up()
        async with held(it.url) as run:
            assert await tell(it.url, "--pause") == "Paused: looked_at.\n"
            assert await tell(it.url, "--pause") == "Paused: nothing, for no backfill is open.\n"
        with pytest.raises(Stopped) as stopped:
            await run.work
        found = await noted(it.store)
        assert found["state"] == "paused"
        done = found["filled"]
        assert str(stopped.value) == (f"0002_change: BACKFILL looked_at was paused after {done:,} rows.")
        assert await times(it.store) == {0: ROWS - done, 1: done}
        with pytest.raises(Stopped) as stopped:
            await it.backfill()
        assert str(stopped.value) == "0002_change: BACKFILL looked_at is paused. Run `roster db backfill --resume`."
        first, last = (await tell(it.url, "--resume")).splitlines()
        assert first == "Backfill of 0002_change: done."
        assert re.fullmatch(r"Backfilled 0002_change, in \d+\.\d s\.", last)
        assert await times(it.store) == {1: ROWS}
        outcomes = [row["outcome"] for row in await it.execute("SELECT outcome FROM migration_audit ORDER BY id")]
        assert outcomes[-2:] == ["stopped", "done"]


async def test_a_pause_that_is_taken_back_before_the_next_batch_stops_nothing(empty_url: str, project: Project) -> None:
    async with live(empty_url, project, **NOTING) as it:
        await it.up()
        async with held(it.url) as run:
            await tell(it.url, "--pause")
            assert await asyncio.to_thread(commands.command_backfills, it.url, BackfillState.RUNNING) == ["looked_at"]
        assert await run.work == ["0002_change"]
        assert await times(it.store) == {1: ROWS}


async def test_a_backfill_that_was_cancelled_begins_anew(empty_url: str, project: Project) -> None:
    async with live(empty_url, project, **NOTING) as it:
        await it.up()
        async with held(it.url) as run:
            assert json.loads(await tell(it.url, "--cancel", "--json")) == {"cancelled": ["looked_at"]}
        with pytest.raises(Stopped, match=r"0002_change: BACKFILL looked_at was cancelled after [\d,]+ rows"):
            await run.work
        done = (await noted(it.store))["filled"]
        told = await watched(it.url)
        assert (told[0].seen, told[-1].seen) == (500, ROWS)
        assert await times(it.store) == {1: ROWS - done, 2: done}


async def test_who_has_nothing_to_fill_is_told_so(fresh_url: str) -> None:
    assert await tell(fresh_url) == "Nothing is left to fill.\n"
    for option in ("--pause", "--cancel"):
        assert "nothing, for no backfill is open" in await tell(fresh_url, option)
    assert await tell(fresh_url, "--resume") == "Nothing is left to fill.\n"


async def test_status_tells_how_far_it_is_at_which_rate_and_how_long_it_takes_still(
    empty_url: str, project: Project
) -> None:
    async with live(empty_url, project, **NOTING) as it:
        if not it.is_sqlite:
            await it.execute("ANALYZE t")
        await it.up()
        async with held(it.url):
            result = await asyncio.to_thread(roster, "status", url=it.url)
            lines = result.stdout.splitlines()
            assert result.exit_code == 0
            assert lines[1].startswith("A migrator is running: ")
            assert lines[2:-1] == ["To fill, with `roster db backfill`: 0002_change."]
            assert re.fullmatch(
                r"Backfill looked_at of 0002_change \(running\): 29 %, 500 rows filled, [\d,]+ rows a second, "
                r"about \d+ s left\.",
                lines[-1],
            )
            result = await asyncio.to_thread(roster, "status", "--json", url=it.url)
            (fill,) = json.loads(result.stdout)["phases"]["backfills"]
            rate, left = fill.pop("rows_per_second"), fill.pop("seconds_left")
            assert (rate > 0, left) == (True, pytest.approx(1200 / rate, abs=0.1))
            assert fill.pop("changed_at")
            assert fill == {
                "revision": "0002_change",
                "name": "looked_at",
                "state": "running",
                "seen": 500,
                "total": ROWS,
                "filled": 500,
                "problem": None,
            }


async def test_rows_that_old_code_wrote_since_are_found_before_the_contract(empty_url: str, project: Project) -> None:
    async with live(
        empty_url, project, base=BASE, rows=FILLED, up=COLUMN, backfill=IN_SQL, contract='ops.set_not_null("t", "b")'
    ) as it:
        await it.up()
        await it.backfill()
        await it.execute("INSERT INTO t (id, a) VALUES (9001, 'LATE'), (9002, 'LATER')")
        before = await it.state()
        with pytest.raises(Refused) as refused:
            await it.contract()
        assert str(refused.value) == (
            "0002_change cannot be contracted: 2 rows of t were written after the backfill t.b, without its values. "
            "Stop the old version, then run `roster db backfill`."
        )
        assert await it.state() == before
        assert (await tell(it.url)).splitlines()[0] == "Backfill of 0002_change: done."
        assert await it.execute("SELECT b FROM t WHERE id > 9000 ORDER BY id") == [{"b": "late"}, {"b": "later"}]
        await it.contract()
