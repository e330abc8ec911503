"""A database with rows, and a change that is upgraded and downgraded on it."""

import textwrap
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from service.db.engine import Purpose, create_engine
from service.db.urls import parse_url
from service.migrate.entrypoints import aio
from service.migrate.errors import Refused
from service.migrate.operations.base import Operation
from service.migrate.operations.preconditions import refuse_rows
from service.migrate.operations.step import Target
from service.migrate.run.locking.waiting import disposed
from service.migrate.state import ledger
from tests.alembic.catalog import catalog
from tests.alembic.store import Row, Store, opened
from tests.migrate.project import Project
from tests.migrate.reached import REACHED, is_empty

BASE = """
ops.create_table(
    "t",
    sa.Column("id", sa.Integer(), nullable=False),
    sa.Column("a", sa.String(50), nullable=False),
    sa.Column("b", sa.Integer(), server_default="1"),
    sa.PrimaryKeyConstraint("id", name="pk_t"),
)
"""
ROWS = ("INSERT INTO t (id, a, b) VALUES (1, 'one', 10), (2, 'two', NULL), (3, 'three', 30)",)
_OURS = ledger.TABLES | {"alembic_version"}


@dataclass(kw_only=True)
class Live:
    """The database, at revision 0001 with rows in it, and revision 0002, which is the change."""

    store: Store
    project: Project
    # All that was done to the empty database; `None` if it was not empty.
    history: list[str] | None = None

    @property
    def url(self) -> str:
        return self.store.url

    @property
    def is_sqlite(self) -> bool:
        return self.store.backend == "sqlite"

    async def up(self) -> None:
        self._note("up")
        await aio.upgrade(self.url, "head")

    async def backfill(self) -> None:
        self._note("backfill")
        await aio.backfill(self.url)

    async def contract(self) -> None:
        self._note("contract")
        await aio.contract(self.url)

    async def undo_contract(self) -> None:
        self._note("undo_contract")
        await aio.contract(self.url, "0002", undo=True)

    async def purge(self) -> list[str]:
        self._note("purge")
        return await aio.purge(self.url)

    async def down(self) -> None:
        self._note("down")
        await aio.downgrade(self.url, "0001")

    async def catalog(self, *, with_trash: bool = False) -> list[str]:
        return await catalog(self.store, with_trash=with_trash)

    async def execute(self, sql: str, *values: Any) -> list[Row]:
        if not sql.startswith("SELECT"):
            self._note(f"{sql} {values}")
        return await self.store.execute(sql, *values)

    async def value(self, sql: str) -> Any:
        return await self.store.value(sql)

    async def rows(self, table: str = "t") -> list[Row]:
        """The rows of a table, without columns in the trash."""
        found = await self.execute(f'SELECT * FROM "{table}"')
        rows = [{name: value for name, value in row.items() if not name.startswith("_trash_")} for row in found]
        return sorted(rows, key=lambda row: [str(value) for value in row.values()])

    async def state(self) -> list[str]:
        """The catalog and all rows, without the trash, as lines of text."""
        asked = (
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
            if self.is_sqlite
            else "SELECT relname AS name FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
        )
        names = sorted(row["name"] for row in await self.execute(asked))
        tables = [name for name in names if name not in _OURS and not name.startswith("_trash_")]
        rows = [
            f"{name}: {', '.join(f'{column} {row[column]}' for column in sorted(row))}"
            for name in tables
            for row in await self.rows(name)
        ]
        return [*await self.catalog(), *rows]

    async def reach(self, state: str, way: Callable[[], Awaitable[None]]) -> None:
        """Bring the database to this state of the project's revisions, by a copy where there is one."""
        if self.history is None:
            await way()
            return
        before = [*self.history, self.project.digest()]
        await REACHED.reach(self.store, (*before, state), way)
        self.history = [*before, state]

    def _note(self, done: str) -> None:
        if self.history is not None:
            self.history.append(done)


def changes(before: list[str], after: list[str]) -> list[str]:
    """Lines that are only in one of two states, the first's behind a minus, the second's behind a plus."""
    gone, come = set(before) - set(after), set(after) - set(before)
    return [*(f"- {line}" for line in sorted(gone)), *(f"+ {line}" for line in sorted(come))]


async def declined(url: str, operation: Operation, *only: str) -> list[str]:
    """What the operation's preconditions say on this database, without running it; with `only`, if it has such text."""
    phases = operation.phases(Target(dialect=url.partition(":")[0], revision="0002_change"))
    said = []

    def ask(connection: Connection) -> None:
        for check in (*phases.preconditions, *phases.contract_preconditions):
            try:
                refuse_rows(connection, check)
            except Refused as refused:
                said.append(str(refused))

    async with disposed(create_engine(parse_url(url), Purpose.MIGRATE)) as engine, engine.connect() as connection:
        await connection.run_sync(ask)
    return [each for each in said if not only or any(text in each for text in only)]


@asynccontextmanager
async def live(
    url: str, project: Project, *, base: str = BASE, rows: tuple[str, ...] = ROWS, **change: str
) -> AsyncIterator[Live]:
    """`change` are the parts of revision 0002, as for `Project.add_safe`."""
    project.clear()
    project.add_safe("0001_base", after=None, up=base)
    async with opened(url) as store:
        it = Live(store=store, project=project, history=[] if await is_empty(store) else None)

        async def begin() -> None:
            await aio.upgrade(url, "0001")
            for statement in rows:
                await store.execute(statement)

        await it.reach("\n".join(rows), begin)
        parts = {name: textwrap.dedent(part) for name, part in change.items()}
        project.add_safe("0002_change", after="0001_base", **parts)
        yield it
