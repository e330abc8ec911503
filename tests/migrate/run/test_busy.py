"""A migration completes beside a second writer of the SQLite file."""

import re
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random

import pytest
from sqlalchemy import Connection, Engine, event

from service.migrate.entrypoints import commands, environment
from service.migrate.entrypoints.status import status
from service.migrate.errors import Refused
from service.migrate.run import revisions
from service.migrate.run.locking import limits
from service.migrate.run.locking.limits import WaitLimits
from tests.migrate.company import Migrator
from tests.migrate.operations.live import Live, live
from tests.migrate.project import Project

pytestmark = pytest.mark.slow

UP = """
ops.add_column("t", sa.Column("c", sa.Integer()))
ops.add_check("t", "ck_t_b", "b > 0")
ops.set_not_null("t", "b", fill="7")
ops.create_index("ix_t_a", "t", ["a"])
"""
CONTRACT = """
ops.drop_index("ix_t_a", "t", ["a"])
ops.drop_column("t", sa.Column("a", sa.String(50), nullable=False))
"""


@dataclass(kw_only=True)
class Writer:
    """A writer that begins a transaction before every second one of the migrator, and ends in the same way."""

    other: sqlite3.Connection
    file: str
    met: int = 0
    stays: bool = False
    chance: Random = field(default_factory=lambda: Random(7))

    def meet(self, connection: Connection) -> None:
        is_writer = connection.get_execution_options().get("begin") is None
        if connection.engine.url.database != self.file or not is_writer:
            return
        if not self.other.in_transaction and (self.stays or self.chance.random() < 0.5):
            self.other.execute("BEGIN IMMEDIATE")
            self.met += 1
        elif self.other.in_transaction and not self.stays and self.chance.random() < 0.5:
            self.other.execute("COMMIT")


@pytest.fixture
def writer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Writer]:
    # Nobody waits for a lock: the first try always fails.
    monkeypatch.setattr(environment, "LIMITS", replace(environment.LIMITS, busy_seconds=0))
    monkeypatch.setattr(limits, "_LONGEST_PAUSE_SECONDS", 0.001)
    monkeypatch.setattr(revisions, "_PAUSE_SECONDS", 0.001)
    file = str(tmp_path / "roster.db")
    with closing(sqlite3.connect(file, isolation_level=None, check_same_thread=False)) as other:
        yield Writer(other=other, file=file)


@contextmanager
def meeting(writer: Writer) -> Iterator[None]:
    event.listen(Engine, "begin", writer.meet)
    try:
        yield
    finally:
        event.remove(Engine, "begin", writer.meet)
        if writer.other.in_transaction:
            writer.other.execute("COMMIT")


@pytest.fixture
async def it(writer: Writer, project: Project) -> AsyncIterator[Live]:
    async with live(f"sqlite:///{writer.file}", project, up=UP, contract=CONTRACT) as it:
        yield it


async def test_every_transaction_that_meets_another_writer_is_tried_again(writer: Writer, it: Live) -> None:
    # What is filled in stays.
    await it.execute("UPDATE t SET b = 7 WHERE b IS NULL")
    before = await it.state()
    states = []
    for verb in (it.up, it.backfill, it.contract, it.undo_contract, it.contract, it.down, it.up, it.backfill):
        met = writer.met
        with meeting(writer):
            await verb()
        assert writer.met > met
        states.append(await it.state())
    expanded, filled, contracted, _, again, down, *there = states
    assert (down, there) == (before, [expanded, filled])
    assert contracted == again
    assert (await status(it.url)).is_sound


async def test_a_writer_that_does_not_end_is_told_of_at_the_deadline(writer: Writer, it: Live) -> None:
    before = await it.state()
    writer.stays = True
    with meeting(writer):
        migrator = Migrator.start(commands.backfill, it.url, wait_limits=WaitLimits(deadline_seconds=0.3))
        with pytest.raises(Refused) as refused:
            await migrator.done()
    assert migrator.told == ["migrations: the start of the session waits, blocked by another writer."]
    told = r"migrations: the start of the session gave up after 0\.3 seconds, \d+ attempts?; "
    told += r"blocked by another writer\. Run the command again\."
    assert re.fullmatch(told, str(refused.value))
    assert await it.state() == before
