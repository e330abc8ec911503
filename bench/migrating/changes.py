"""Runs the measured changes: `Ours` as temporary revisions with `ops`, `Plain` with Alembic's `op`."""

import asyncio
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import indent
from time import perf_counter

from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine

from bench.migrating.scenarios import SETUP, Change, Scenario
from bench.rivals import ROOT
from service.db.urls import parse_url
from service.migrate import naming
from service.migrate.entrypoints import commands
from service.migrate.plan import config
from service.migrate.run.backfill.runner import Progress
from service.naming import use_roster

_REVISION = '''"""Measured."""

import sqlalchemy as sa

from service.migrate import ops

revision = {id!r}
down_revision = {after!r}
branch_labels = None
depends_on = None
{backfill}

def upgrade() -> None:
{upgrade}

{contract}
def downgrade() -> None:
    ops.undo()
'''
_SETUP = "9001_setup"
_CHANGE = "9002_change"


@contextmanager
def project(folder: Path) -> Iterator[Path]:
    """Use a copy of the project's revisions with one more for the setup, until the end of the block."""
    shutil.copytree(ROOT / "alembic", folder / "alembic", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "alembic.ini", folder)
    naming.use_files(folder / "alembic.ini")
    config.forget()
    head = commands.head()
    _write(folder, _SETUP, head, upgrade=SETUP)
    try:
        yield folder
    finally:
        use_roster()
        config.forget()


def set_up(url: str) -> None:
    """Upgrade to the revision that creates the columns and tables of the scenarios."""
    commands.upgrade(url, _SETUP)


class Ours:
    """A change as a revision with `ops`, with its backfill and contract."""

    def __init__(self, folder: Path, url: str, scenario: Scenario) -> None:
        self._folder = folder
        self._url = url
        self._scenario = scenario
        self.rows_per_second = 0.0
        declared = f"backfill = {scenario.backfill.strip()}\n" if scenario.backfill else ""
        contract = "" if scenario.contract in ("", "pass") else scenario.contract
        _write(folder, _CHANGE, _SETUP, upgrade=scenario.upgrade, contract=contract, backfill=declared)

    def up(self) -> None:
        commands.upgrade(self._url, _CHANGE)
        commands.backfill(self._url, watch=self._watch)
        if self._scenario.contract:
            commands.contract(self._url)

    def down(self) -> None:
        commands.downgrade(self._url, _SETUP)

    def clear(self) -> None:
        """Purge the trash, and delete the revision file."""
        commands.purge(self._url)
        (self._folder / "alembic/versions" / f"{_CHANGE}.py").unlink()
        config.forget()

    def _watch(self, progress: Progress) -> None:
        self.rows_per_second = progress.per_second


class Plain:
    """The same change with Alembic's `op` in one transaction, without timeouts."""

    rows_per_second = 0.0

    def __init__(self, url: str, scenario: Scenario) -> None:
        self._url = url
        self._scenario = scenario

    def up(self) -> None:
        asyncio.run(self._run(self._scenario.plain_up))

    def down(self) -> None:
        asyncio.run(self._run(self._scenario.plain_down))

    def clear(self) -> None:
        """A plain change leaves nothing to clear."""

    async def _run(self, change: Change) -> None:
        def run(connection: Connection) -> None:
            change(Operations(MigrationContext.configure(connection)))

        settings = {"server_settings": {"application_name": "plain"}}
        engine = create_async_engine(parse_url(self._url), connect_args=settings)
        async with engine.begin() as connection:
            await connection.run_sync(run)
        await engine.dispose()


def timed(change: "Ours | Plain", *, down: bool) -> tuple[float, str]:
    """Return the seconds, and the error or an empty text; traffic can make a plain change fail, by a deadlock."""
    began = perf_counter()
    problem = ""
    try:
        (change.down if down else change.up)()
    except DBAPIError as failure:
        problem = str(failure.orig).splitlines()[0]
    return perf_counter() - began, problem


def _write(folder: Path, id: str, after: str, *, upgrade: str, contract: str = "", backfill: str = "") -> None:
    body = f"def contract() -> None:\n{indent(contract.strip(), '    ')}\n\n" if contract else ""
    text = _REVISION.format(
        id=id, after=after, upgrade=indent(upgrade.strip(), "    "), contract=body, backfill=backfill
    )
    (folder / "alembic/versions" / f"{id}.py").write_text(text)
    config.forget()
