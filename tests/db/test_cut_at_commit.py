import asyncio
import os
import signal
from collections.abc import AsyncIterator
from itertools import chain

import asyncpg
import pytest

from service.db import commits, engine
from service.db.uow import Units
from service.errors import Unsettled
from tests.db.conftest import checked_out, engine_on
from tests.db.line import Cut, Line
from tests.db.tables import Tables, marks
from tests.db.test_units import mark
from tests.postgres import Server, execute

ROUNDS = 30
WRITERS = 4


@pytest.mark.parametrize("cut", [Cut.BEFORE, Cut.AFTER])
async def test_a_line_cut_at_commit_stores_exactly_once(small_postgres_url: str, cut: Cut) -> None:
    async with Line(small_postgres_url).open() as line, engine_on(line.url, pool_size=WRITERS) as writing:
        units = Units(writing, Tables.metadata)
        texts = [[f"{turn} {writer}" for writer in range(WRITERS)] for turn in range(ROUNDS)]
        for turn in texts:
            line.cuts += [cut] * (WRITERS - 1)
            assert await asyncio.gather(*(units.run(mark(text)) for text in turn)) == turn
        assert sorted(await marks(writing)) == sorted(chain(*texts))
        assert line.made == ROUNDS * (WRITERS - 1)


async def test_the_only_connection_of_a_pool_is_free_to_ask_what_became_of_its_commit(small_postgres_url: str) -> None:
    async with (
        Line(small_postgres_url).open() as line,
        engine_on(line.url, pool_size=1, pool_wait_seconds=0.5) as writing,
    ):
        line.cuts.append(Cut.AFTER)
        await Units(writing, Tables.metadata).run(mark("once"))
        assert await marks(writing) == ["once"]


async def test_a_line_gone_silent_at_commit_is_given_up(
    small_postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "_CONNECT_SECONDS", 0.3)
    async with Line(small_postgres_url).open() as line, engine_on(line.url, statement_seconds=0.1) as writing:
        line.cuts.append(Cut.SILENT)
        await Units(writing, Tables.metadata).run(mark("once"))
        assert await marks(writing) == ["once"]


async def test_says_that_nobody_knows_when_the_server_stays_away(
    small_postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commits, "_SETTLE_SECONDS", 0.3)
    async with Line(small_postgres_url).open() as line, engine_on(line.url) as writing:
        await marks(writing)
        line.cuts.append(Cut.AFTER)
        line.refuses = True
        with pytest.raises(Unsettled):
            await Units(writing, Tables.metadata).run(mark("who knows"))
        assert checked_out(writing) == 0


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The restart of a server may take long on a busy machine."""
    monkeypatch.setattr(commits, "_SETTLE_SECONDS", 60.0)


async def crash(server: Server, url: str, line: Line, *, transactions: int) -> None:
    """End every process of the server as a power cut would, start it again and let others write before anyone asks."""
    line.refuses = True
    connection = await asyncpg.connect(url)
    processes = [row["pid"] for row in await connection.fetch("SELECT pid FROM pg_stat_activity")]
    for process in (server.pid, *processes):
        os.kill(process, signal.SIGKILL)
    connection.terminate()
    server.stop()
    server.start()
    connection = await asyncpg.connect(url)
    for _ in range(transactions):
        await connection.execute("INSERT INTO marks (text) VALUES ('of someone else')")
    await connection.close()
    line.refuses = False


async def pause_wal_writers(url: str) -> None:
    """Keep the server's own processes from writing WAL: what has not been committed is lost in a crash."""
    connection = await asyncpg.connect(url)
    writers = await connection.fetch(
        "SELECT pid FROM pg_stat_activity WHERE backend_type IN ('walwriter', 'background writer', 'checkpointer')"
    )
    await connection.close()
    for writer in writers:
        os.kill(writer["pid"], signal.SIGSTOP)


@pytest.mark.slow
@pytest.mark.usefixtures("patient")
async def test_a_transaction_lost_in_a_crash_runs_again(battered_postgres: Server, battered_url: str) -> None:
    async with Line(battered_url).open() as line, engine_on(line.url) as writing:
        line.cuts.append(Cut.BEFORE)
        line.at_cut = lambda: crash(battered_postgres, battered_url, line, transactions=0)
        await Units(writing, Tables.metadata).run(mark("once"))
        assert await marks(writing) == ["once"]


@pytest.mark.usefixtures("patient")
async def test_a_lost_transaction_is_not_taken_for_another_with_its_number(
    battered_postgres: Server, battered_url: str
) -> None:
    async with Line(battered_url).open() as line, engine_on(line.url) as writing:
        line.cuts.append(Cut.BEFORE)
        line.at_cut = lambda: crash(battered_postgres, battered_url, line, transactions=5)
        await pause_wal_writers(battered_url)
        with pytest.raises(Unsettled):
            await Units(writing, Tables.metadata).run(mark("lost"))
        assert set(await marks(writing)) == {"of someone else"}


@pytest.fixture
async def lonely_primary_url(battered_postgres: Server, battered_url: str) -> AsyncIterator[str]:
    """The URL of a primary whose COMMITs wait for a standby that never comes."""
    await execute(battered_postgres.url, "ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
    await execute(battered_postgres.url, "SELECT pg_reload_conf()")
    yield battered_url
    await execute(battered_postgres.url, "ALTER SYSTEM RESET synchronous_standby_names")
    await execute(battered_postgres.url, "SELECT pg_reload_conf()")


@pytest.mark.parametrize("function", ["pg_cancel_backend", "pg_terminate_backend"])
async def test_a_commit_that_no_standby_confirmed_is_unsettled(
    battered_postgres: Server, lonely_primary_url: str, function: str
) -> None:
    async with engine_on(lonely_primary_url) as writing:
        waiting = asyncio.create_task(Units(writing, Tables.metadata).run(mark("here only")))
        connection = await asyncpg.connect(battered_postgres.url)
        ended = None
        while not ended:
            ended = await connection.fetchval(
                f"SELECT {function}(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
            )
        await connection.close()
        with pytest.raises(Unsettled, match="no standby"):
            await waiting


async def test_a_commit_that_waits_too_long_for_a_standby_is_unsettled(
    lonely_primary_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "_CONNECT_SECONDS", 0.3)
    async with engine_on(lonely_primary_url, statement_seconds=0.1) as writing:
        with pytest.raises(Unsettled, match="no standby"):
            await Units(writing, Tables.metadata).run(mark("here only"))
