"""A table with a backfill that waits after its first batch while a test acts."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from service.migrate.entrypoints import commands
from service.migrate.run.backfill.runner import Progress
from tests.alembic.store import Row, Store

BASE = """
ops.create_table(
    "t", sa.Column("id", sa.Integer(), nullable=False), sa.Column("a", sa.Text()),
    sa.PrimaryKeyConstraint("id", name="pk_t"),
)
ops.create_table("looked_at", sa.Column("t_id", sa.Integer()))
ops.create_index("ix_looked_at", "looked_at", ["t_id"])
"""
# A first batch has 500 rows, the next at most twice as many.
ROWS = 1700
SERIES = "WITH RECURSIVE s (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {rows}) "
FILLED = (SERIES.format(rows=ROWS) + "INSERT INTO t (id, a) SELECT n, 'A' || n FROM s",)
COLUMN = 'ops.add_column("t", sa.Column("b", sa.Text()))'
# The backfill counts how often it reads each row.
NOTE = """ops.Backfill(
    name="looked_at",
    table="t",
    left="NOT EXISTS (SELECT 1 FROM looked_at WHERE looked_at.t_id = t.id)",
    statement="INSERT INTO looked_at (t_id) SELECT id FROM t WHERE {batch}",
)"""
IN_SQL = """ops.Backfill(name="t.b", table="t", left="b IS NULL", assign={"b": "lower(a)"})"""
IN_PYTHON = """ops.Backfill(
    name="t.b", table="t", left="b IS NULL", read=("a",), write=("b",), by=lambda a: (a.lower(),)
)"""


class Gone(BaseException):
    """The migrator is gone from one moment to the next, and ends nothing."""


@dataclass(kw_only=True)
class Held:
    """A backfill in a thread, which waits after its first batch until `go`."""

    work: asyncio.Future[list[str]]
    go: threading.Event
    told: list[Progress] = field(default_factory=list)


@asynccontextmanager
async def held(url: str, **how: Any) -> AsyncIterator[Held]:
    """The backfill continues when the context ends; its result is in `work`."""
    loop = asyncio.get_running_loop()
    reached, go = asyncio.Event(), threading.Event()
    told: list[Progress] = []

    def watch(progress: Progress) -> None:
        told.append(progress)
        loop.call_soon_threadsafe(reached.set)
        go.wait()

    work = asyncio.ensure_future(asyncio.to_thread(commands.backfill, url, watch=watch, **how))
    waiting = asyncio.ensure_future(reached.wait())
    try:
        await asyncio.wait([work, waiting], return_when=asyncio.FIRST_COMPLETED)
        yield Held(work=work, go=go, told=told)
    finally:
        waiting.cancel()
        go.set()


async def stopped(url: str, *, after: int) -> None:
    """Fill so many batches, and be gone then."""
    told: list[Progress] = []

    def watch(progress: Progress) -> None:
        told.append(progress)
        if len(told) == after:
            raise Gone

    try:
        await asyncio.to_thread(commands.backfill, url, watch=watch)
    except Gone:
        return


async def watched(url: str, **how: Any) -> list[Progress]:
    """Run the backfill, and return the progress after every batch."""
    told: list[Progress] = []
    await asyncio.to_thread(commands.backfill, url, watch=told.append, **how)
    return told


async def noted(store: Store) -> Row:
    """What the ledger says of the only fill."""
    (row,) = await store.execute("SELECT * FROM migration_fills")
    return row


async def times(store: Store) -> dict[int, int]:
    """The number of rows by how often they were read."""
    counted = "SELECT count(looked_at.t_id) AS n FROM t LEFT JOIN looked_at ON t.id = looked_at.t_id GROUP BY t.id"
    found = await store.execute(f"SELECT n, count(*) AS rows FROM ({counted}) AS counted GROUP BY n ORDER BY n")
    return {row["n"]: row["rows"] for row in found}
