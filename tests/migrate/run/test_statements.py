"""The number of statements that a migration sends; a change that sends more says so here."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event, make_url

from service.migrate.run import session
from tests.migrate.operations.live import live
from tests.migrate.project import Project

# Steps in transactions and outside, edits, triggers; without and with something to bring back.
UP = """
ops.add_column("t", sa.Column("c", sa.String(60)), derived=True)
ops.add_column("t", sa.Column("d", sa.Integer()))
ops.add_check("t", "ck_t_b", "b > 0")
ops.create_index("ix_t_b", "t", ["b"])
ops.set_not_null("t", "b", fill="7")
"""
CONTRACT = 'ops.drop_column("t", sa.Column("a", sa.String(50), nullable=False))'
MOST = {
    "sqlite": {"up": 125, "backfill": 57, "contract": 127, "down": 217, "nothing": 12},
    "postgresql": {"up": 145, "backfill": 97, "contract": 87, "down": 193, "nothing": 19},
}


@dataclass
class Counter:
    """Counts the statements to a database, with each COMMIT and savepoint."""

    database: str
    count: int = 0
    by_name: dict[str, int] = field(default_factory=dict)

    def hear(self, connection: Connection, *_: Any) -> None:
        self.count += connection.engine.url.database == self.database

    @contextmanager
    def counting(self, name: str) -> Iterator[None]:
        self.count = 0
        names = ("before_cursor_execute", "commit", "rollback", "savepoint", "release_savepoint")
        for each in names:
            event.listen(Engine, each, self.hear)
        try:
            yield
        finally:
            for each in names:
                event.remove(Engine, each, self.hear)
        self.by_name[name] = self.count


async def test_a_migration_sends_no_more_statements_than_before(
    empty_url: str, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    # One query for old transactions in each run, however long the run takes.
    monkeypatch.setattr(session, "_CALM_SECONDS", 60)
    counter = Counter(database=str(make_url(empty_url).database))
    async with live(empty_url, project, up=UP, contract=CONTRACT) as it:
        for name, verb in {
            "up": it.up,
            "backfill": it.backfill,
            "contract": it.contract,
            "down": it.down,
            "nothing": it.down,
        }.items():
            with counter.counting(name):
                await verb()
        most = MOST[it.store.backend]
    assert {name: count for name, count in counter.by_name.items() if count > most[name]} == {}
