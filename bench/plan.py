"""`python -m bench.plan`: the durations that `db plan` predicts, beside those of the run that follows."""

import asyncio
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import asyncpg
import click

from service.migrate import naming
from service.migrate.entrypoints import commands, project
from service.migrate.entrypoints.project import url_of
from service.migrate.plan import config
from service.migrate.proof import scratch
from service.migrate.proof.forecast.actions import Stretch
from service.migrate.proof.forecast.forecast import Forecaster

_ENV = """
from alembic import context
from sqlalchemy import MetaData
from service.migrate.entrypoints.environment import main
from service.migrate.naming import Naming

main(context, MetaData(), Naming())
"""
_REVISION = '''
"""Measured."""

import sqlalchemy as sa

from service.migrate import ops

revision = {id!r}
down_revision = {after!r}
branch_labels = None
depends_on = None


def upgrade() -> None:
    {up}


def downgrade() -> None:
    ops.undo()
'''
_BASE = """ops.create_table(
        "kinds", sa.Column("id", sa.Integer(), nullable=False), sa.PrimaryKeyConstraint("id", name="pk_kinds"))
    ops.create_table(
        "items", sa.Column("id", sa.Integer(), nullable=False), sa.Column("name", sa.String(60), nullable=False),
        sa.Column("note", sa.Text()), sa.Column("price", sa.Integer()), sa.Column("kind_id", sa.Integer()),
        sa.PrimaryKeyConstraint("id", name="pk_items"))
    ops.create_index("ix_items_name", "items", ["name"])"""
_FILL = {
    "postgresql": "INSERT INTO items (name, note, price, kind_id) SELECT md5(i::text), repeat('x', 60), i % 1000, "
    "1 + i % 50 FROM generate_series(1, {rows}) AS i",
    "sqlite": "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows}) INSERT INTO items "
    "(name, note, price, kind_id) SELECT hex(randomblob(16)), printf('%.60c', 'x'), i % 1000, 1 + i % 50 FROM n",
}
_KINDS = "INSERT INTO kinds (id) VALUES " + ", ".join(f"({each})" for each in range(1, 51))
CHANGES = {
    "create index": 'ops.create_index("ix_items_price", "items", ["price"])',
    "add check": 'ops.add_check("items", "ck_items_price", "price >= 0")',
    "add foreign key": 'ops.add_foreign_key("items", "fk_items_kind_id_kinds", ["kind_id"], "kinds")',
    "set not null": 'ops.set_not_null("items", "price", fill="0")',
    "rename column": 'ops.rename_column("items", sa.Column("note", sa.Text()), sa.Column("remark", sa.Text()))',
    "change type": 'ops.change_type("items", sa.Column("kind_id", sa.Integer()), sa.Column("kind_id", sa.Text()), '
    'back="CAST({} AS integer)")',
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One phase of one change: seconds predicted and taken."""

    database: str
    change: str
    phase: str
    predicted: float
    taken: float

    @property
    def ratio(self) -> float:
        return self.predicted / self.taken


@click.command()
@click.option("--rows", default=300_000, show_default=True, type=click.IntRange(100))
@click.option("--on", "databases", type=click.Choice(["sqlite", "postgresql"]), multiple=True)
@click.option("--only", type=click.Choice(list(CHANGES)), multiple=True, help="Only this change; may be repeated.")
def main(rows: int, databases: tuple[str, ...], only: tuple[str, ...]) -> None:
    """Predict, run and compare; the exit status is 1 if a phase of 1 s or more is off by more than 2."""
    found = [
        each
        for database in databases or ("sqlite", "postgresql")
        for change in only or tuple(CHANGES)
        for each in measured(database, change, rows)
    ]
    click.echo(f"{rows:,} rows. Predicted, taken, predicted / taken:")
    for each in found:
        what = f"{each.database:<11}{each.change:<17}{each.phase:<10}"
        click.echo(f"{what}{each.predicted:8.2f} s{each.taken:8.2f} s{each.ratio:7.2f}")
    counted = [each for each in found if max(each.predicted, each.taken) >= 1]
    off = [each for each in counted if not 0.5 <= each.ratio <= 2]
    click.echo(f"{len(counted)} of 1 s or more, {len(off)} of them off by more than 2.")
    sys.exit(1 if off else 0)


def measured(database: str, change: str, rows: int) -> Iterator[Measured]:
    """Run one change on a database of its own; yield each phase that has something to do."""
    with tempfile.TemporaryDirectory(prefix="plan-") as name:
        folder = Path(name)
        _write(folder, "0001", None, _BASE)
        naming.use_files(folder / "alembic.ini")
        try:
            if database == "sqlite":
                with scratch.sqlite_file() as url:
                    yield from _measured(folder, url, change, rows)
            else:
                with scratch.postgresql_server(None) as server, scratch.postgresql_database(server) as url:
                    yield from _measured(folder, url, change, rows)
        finally:
            naming.use_files()
            config.forget()


def _measured(folder: Path, url: str, change: str, rows: int) -> Iterator[Measured]:
    config.forget()
    project.read()
    database = url.partition(":")[0]
    commands.upgrade(url, report=_unsaid)
    _fill(url, _KINDS, _FILL[database].format(rows=rows))
    _write(folder, "0002", "0001", CHANGES[change])
    config.forget()
    runs: dict[Stretch, Callable[[], object]] = {
        Stretch.UPGRADE: lambda: commands.upgrade(url, report=_unsaid),
        Stretch.BACKFILL: lambda: commands.backfill(url, report=_unsaid),
        Stretch.CONTRACT: lambda: commands.contract(url, report=_unsaid),
    }
    for stretch, run in runs.items():
        forecast = Forecaster(config=None).run(url_of(url), stretches=[stretch])
        predicted = forecast.command_seconds + sum(each.seconds or 0.0 for each in forecast.planned)
        began = perf_counter()
        run()
        taken = perf_counter() - began
        if forecast.planned:
            yield Measured(database=database, change=change, phase=stretch, predicted=predicted, taken=taken)


def _write(folder: Path, id: str, after: str | None, up: str) -> None:
    versions = folder / "migrations/versions"
    versions.mkdir(parents=True, exist_ok=True)
    (folder / "alembic.ini").write_text(f"[alembic]\nscript_location = {folder}/migrations\n")
    (folder / "migrations/env.py").write_text(_ENV)
    (versions / f"{id}.py").write_text(_REVISION.format(id=id, after=after, up=up))


def _fill(url: str, *statements: str) -> None:
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)) as file:
            for each in statements:
                file.execute(each)
        return

    async def fill() -> None:
        connection = await asyncpg.connect(url)
        for each in statements:
            await connection.execute(each)
        await connection.execute("ANALYZE")
        await connection.close()

    asyncio.run(fill())


def _unsaid(_sentence: str) -> None:
    """The steps are of no interest here."""


if __name__ == "__main__":
    main()
