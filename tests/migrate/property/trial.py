"""A random change of a random table beside a twin that no migration touches: both must hold the same values."""

import re
import subprocess
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any

from sqlalchemy import make_url

from service.migrate.entrypoints import aio
from service.migrate.errors import Refused
from tests.alembic.store import opened
from tests.migrate.project import Project
from tests.migrate.property.changes import Change, random_change
from tests.migrate.property.tables import Table, prepared, random_table
from tests.migrate.property.writes import Names, Writer

TWIN = "twin"
# Seeds from here on choose among more changes.
FIRST_OF_MORE = 5000
# The migrator's own tables, and what a downgrade keeps until the purge.
_NOT_COMPARED = ("migration", "alembic_version", "_trash_")


class Failed(AssertionError):
    """The change broke a promise; the text says which, with the trial's own source."""


@dataclass(kw_only=True)
class Trial:
    """One table, its twin, one change, and what happened so far."""

    url: str
    table: Table
    change: Change
    writer: Writer
    catalog: "Catalog"
    told: list[str] = field(default_factory=list)

    @property
    def old(self) -> Names:
        return Names(table=self.table.name, columns={each.name: each.name for each in self.table.every})

    @property
    def new(self) -> Names:
        return Names(table=self.change.table, columns=self.change.names)

    async def run(self, random: Random) -> None:
        """Bring the change up and down again, with writes of both versions in each state."""
        before = await self.catalog.lines()
        if not await self._done("upgrade", aio.upgrade(self.url, "head")):
            await self._same_as(before)
            await self._written(self.old)
            return
        self.writer.may_be_unfilled = True
        await self._written(self.old, self.new)
        if await self._done("backfill", aio.backfill(self.url)):
            self.writer.may_be_unfilled = False
            await self._written(self.old, self.new)
            if random.random() < 0.8 and await self._done("contract", aio.contract(self.url)):
                await self._written(self.new)
                if random.random() < 0.2:
                    await self._done("purge", aio.purge(self.url))
                    await self._written(self.new)
                    return
                if random.random() < 0.5 and await self._done("undo", aio.contract(self.url, "0002", undo=True)):
                    await self._written(self.old, self.new)
            else:
                await self._written(self.old, self.new)
        if not await self._done("downgrade", aio.downgrade(self.url, "0001")):
            raise self.failed("the downgrade is refused")
        await self._same_as(before)
        await self._written(self.old)

    async def _done(self, verb: str, run: Any) -> bool:
        """Whether the command succeeded; False if it was refused in one line."""
        try:
            await run
        except Refused as refusal:
            self.told.append(f"{verb} refused: {refusal}")
            if "\n" in str(refusal).strip():
                raise self.failed(f"the refusal of {verb} has several lines") from refusal
            return False
        except Exception as error:
            raise self.failed(f"{verb} fails with {type(error).__name__}: {error}") from error
        self.told.append(f"{verb} done")
        return True

    async def _written(self, *names: Names) -> None:
        """Let each version write, then compare what each of them reads with the twin."""
        names = tuple(each for each in names if each.table)
        for each in names:
            for _ in range(5):
                if fault := await self.writer.write(each):
                    raise self.failed(fault)
        for each in names:
            if fault := await self.writer.compare(each):
                raise self.failed(fault)

    async def _same_as(self, before: Sequence[str]) -> None:
        after = await self.catalog.lines()
        gone = [f"- {line}" for line in before if line not in after]
        come = [f"+ {line}" for line in after if line not in before]
        if gone or come:
            raise self.failed("the catalog differs from that before the upgrade:\n" + "\n".join([*gone, *come]))

    def failed(self, why: str) -> Failed:
        table = "\n".join(self.table.ddl(self.table.name, "m_"))
        told = "\n".join([*self.told, *self.writer.told[-12:]])
        return Failed(f"{why}\n\n{table}\n\nup: {self.change.up}\ncontract: {self.change.contract}\n\n{told}")


@dataclass(kw_only=True)
class Catalog:
    """The schema as another program sees it: pg_dump, or the text that SQLite keeps."""

    url: str
    pg_dump: str | None
    store: Any

    async def lines(self) -> list[str]:
        """The catalog without the migrator's own tables and without the trash."""
        if self.pg_dump is None:
            rows = await self.store.execute("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY sql")
            found = sorted(_unordered(row["sql"]) for row in rows)
        else:
            url = make_url(self.url).render_as_string(hide_password=False)
            ask = [
                self.pg_dump,
                "--schema-only",
                "--no-owner",
                "--exclude-table=migration*",
                "--exclude-table=alembic*",
            ]
            told = subprocess.run([*ask, f"--dbname={url}"], check=True, capture_output=True, text=True).stdout
            found = sorted(line.rstrip(",") for line in told.splitlines() if not line.startswith(("--", "\\")))
        return [line for line in found if line and not any(each in line for each in _NOT_COMPARED)]


def _unordered(definition: str) -> str:
    """A statement without what may differ on SQLite: quotes, parentheses, the order of clauses, the trash."""
    plain = re.sub(r'["()\\]', " ", definition)
    parts = [" ".join(sorted(part.split())) for part in plain.split(",")]
    return ", ".join(part for part in parts if "_trash_" not in part)


@asynccontextmanager
async def trial(url: str, project: Project, seed: int, pg_dump: str | None) -> AsyncIterator[Trial]:
    """The trial of a seed: the table with rows, its twin, and a project with the change as revision 0002."""
    dialect = make_url(url).get_backend_name()
    random = Random(seed)
    table = random_table(random, dialect)
    change = random_change(random, table, more=seed >= FIRST_OF_MORE)
    project.clear()
    project.add_safe("0001_base", after=None)
    await aio.upgrade(url, "0001")
    up = f"from sqlalchemy.dialects import postgresql as pg\n{change.up}"
    contract = (
        None if change.contract is None else f"from sqlalchemy.dialects import postgresql as pg\n{change.contract}"
    )
    project.add_safe("0002_change", after="0001_base", up=up, contract=contract)
    async with opened(url) as store:
        statements = [*prepared(dialect), *table.ddl(TWIN, "w_"), *table.ddl(table.name, "m_")]
        for statement in statements:
            await _executed(store, statement)
        writer = Writer(store=store, table=table, change=change, twin=TWIN, random=random)
        it = Trial(
            url=url,
            table=table,
            change=change,
            writer=writer,
            catalog=Catalog(url=url, pg_dump=pg_dump, store=store),
        )
        for _ in range(8):
            if fault := await writer.insert(it.old):
                raise it.failed(fault)
        yield it


async def _executed(store: Any, statement: str) -> None:
    if store.backend == "postgresql":
        await store.connection.execute(statement)
        return
    await store.execute(statement)
