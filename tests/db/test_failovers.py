import asyncio
import os
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, make_url, select

from service.db import engine
from service.db.engine import Purpose
from service.db.reader import Query, Reader
from service.db.uow import Units
from service.errors import Unavailable
from tests.db.conftest import checked_out, engine_on
from tests.db.line import Cut, Line
from tests.db.tables import Mark, Tables, marks
from tests.db.test_units import mark
from tests.postgres import Server, execute, free_port, unprivileged

pytestmark = pytest.mark.slow

NUMBER = Query(lambda number: number, select(func.count()).select_from(Mark))


async def test_a_primary_that_became_a_standby_is_left_for_the_new_one(
    small_postgres_url: str, postgres_admin_url: str
) -> None:
    name = f'"{small_postgres_url.rpartition("/")[2]}"'
    await execute(postgres_admin_url, f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    async with engine_on(small_postgres_url, pool_size=2) as writing:
        # Both connections lead to a server that only reads.
        await asyncio.gather(marks(writing), marks(writing))
        waiting = asyncio.create_task(Units(writing, Tables.metadata).run(mark("once")))
        await asyncio.sleep(0.1)
        await execute(postgres_admin_url, f"ALTER DATABASE {name} SET default_transaction_read_only = off")
        async with asyncio.timeout(5):
            await waiting
        assert await marks(writing) == ["once"]


@pytest.fixture
def standby(battered_postgres: Server, battered_url: str) -> Iterator[Server]:
    """A standby of that server, as it was when it had the small tables."""
    with tempfile.TemporaryDirectory(prefix="roster-standby-") as name:
        folder, account = Path(name), unprivileged()
        if account:
            os.chown(folder, account["user"], account["group"])
        source = ["--dbname", battered_postgres.url, "--write-recovery-conf", "--checkpoint=fast", "--no-sync"]
        backup: list[str | Path] = [battered_postgres.programs / "pg_basebackup", "--pgdata=data", *source]
        subprocess.run(backup, check=True, cwd=folder, **account)
        server = replace(battered_postgres, folder=folder, port=free_port(), keeper=None)
        server.start()
        yield server
        server.stop()


async def test_a_standby_that_lags_is_not_believed_about_a_commit(standby: Server, battered_url: str) -> None:
    await execute(standby.url, "SELECT pg_wal_replay_pause()")
    async with Line(battered_url).open() as line, engine_on(line.url) as writing:
        primary = line.port

        async def fail_over_for_a_while() -> None:
            line.port = standby.port
            asyncio.get_running_loop().call_later(0.3, setattr, line, "port", primary)

        line.cuts.append(Cut.AFTER)
        line.at_cut = fail_over_for_a_while
        await Units(writing, Tables.metadata).run(mark("once"))
        assert await marks(writing) == ["once"]


async def test_a_network_that_swallows_everything_hangs_no_reader_and_no_writer(
    small_postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "_CONNECT_SECONDS", 0.2)
    async with (
        Line(small_postgres_url).open() as line,
        engine_on(line.url, statement_seconds=0.1, pool_size=2) as writing,
        engine_on(line.url, Purpose.READ, statement_seconds=0.1, pool_size=2) as reading,
    ):
        units, reader = Units(writing, Tables.metadata, deadline_seconds=0.3), Reader(reading, deadline_seconds=0.3)
        await units.run(mark("before"))
        assert await reader.first(NUMBER) == 1
        line.mute = True
        async with asyncio.timeout(5):
            for asked in (units.run(mark("lost")), reader.first(NUMBER)):
                with pytest.raises(Unavailable):
                    await asked
        assert checked_out(writing) == checked_out(reading) == 0
        line.mute = False
        await units.run(mark("after"))
        assert await reader.first(NUMBER) == 2


@pytest.mark.parametrize("wrong", [{"password": "sesame"}, {"database": "nowhere"}, {"username": "nobody"}], ids=str)
async def test_a_door_that_stays_shut_is_unavailable_at_once(postgres_admin_url: str, wrong: dict[str, Any]) -> None:
    url = make_url(postgres_admin_url).set(**wrong).render_as_string(hide_password=False)
    async with engine_on(url) as writing, engine_on(url, Purpose.READ) as reading:
        async with asyncio.timeout(5):
            for asked in (Units(writing, Tables.metadata).run(mark("lost")), Reader(reading).first(NUMBER)):
                with pytest.raises(Unavailable) as refused:
                    await asked
                assert "sesame" not in repr(refused.value.__cause__)
