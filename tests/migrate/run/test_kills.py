"""A migrator killed with SIGKILL at any point is run again, and ends with the same catalog."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from functools import partial
from pathlib import Path

import pytest

from service.migrate.entrypoints import commands
from service.migrate.entrypoints.status import status
from tests import programs
from tests.alembic.catalog import catalog
from tests.alembic.store import Row, Store, opened
from tests.migrate.project import Project
from tests.postgres import fresh_database
from tests.preloaded import ROOT

pytestmark = pytest.mark.slow

# More than a first batch.
ROWS = 700

BASE = """
ops.create_table(
    "things",
    sa.Column("id", sa.Integer(), nullable=False),
    sa.Column("name", sa.String(50), nullable=False),
    sa.Column("size", sa.Integer()),
    sa.Column("legacy", sa.String(9), nullable=False),
    sa.PrimaryKeyConstraint("id", name="pk_things"),
)
ops.create_index("ix_things_legacy", "things", ["legacy"])
ops.create_table("olds", sa.Column("id", sa.Integer(), nullable=False), sa.PrimaryKeyConstraint("id", name="pk_olds"))
"""
# Steps of every kind: alone and in transactions, edits, triggers, a table, with and without something to bring back.
EXPAND = """
ops.create_table(
    "parts",
    sa.Column("id", sa.Integer(), nullable=False),
    sa.Column("thing_id", sa.Integer()),
    sa.PrimaryKeyConstraint("id", name="pk_parts"),
    sa.ForeignKeyConstraint(["thing_id"], ["things.id"], name="fk_parts_thing_id_things"),
)
ops.add_column("things", sa.Column("slug", sa.String(50)), derived=True)
ops.add_column("things", sa.Column("kind", sa.String(9)))
ops.add_check("things", "ck_things_size", "size >= 0")
ops.create_index("ix_things_name", "things", ["name"])
ops.set_not_null("things", "kind", fill="'plain'")
ops.execute(
    "note it once",
    postgresql=["CREATE TABLE once (id integer)"],
    sqlite=["CREATE TABLE once (id integer)"],
    undo_postgresql=["DROP TABLE once"],
    undo_sqlite=["DROP TABLE once"],
)
"""
BACKFILL = """ops.Backfill(
    name="things.slug",
    table="things",
    left="slug IS NULL",
    read=("name",),
    write=("slug",),
    by=lambda name: (name.lower(),),
)"""
CONTRACT = """
ops.drop_index("ix_things_legacy", "things", ["legacy"])
ops.set_not_null("things", "slug")
ops.drop_column("things", sa.Column("legacy", sa.String(9), nullable=False))
ops.drop_table("olds", sa.Column("id", sa.Integer(), nullable=False), sa.PrimaryKeyConstraint("id", name="pk_olds"))
"""
UP = ("upgrade 0002_all", "backfill", "contract")


@pytest.fixture
def history(project: Project) -> Project:
    project.clear()
    project.add_safe("0001_base", after=None, up=BASE)
    project.add_safe("0002_all", after="0001_base", up=EXPAND, backfill=BACKFILL, contract=CONTRACT)
    return project


async def killed(project: Project, url: str, *given: str) -> tuple[int, list[list[str]]]:
    """How often the migrator was killed, and the catalogs that were asked for in between."""
    work = partial(programs.run, "tests.migrate.killing", str(project.folder), url, *given, cwd=ROOT, timeout=600)
    done = await asyncio.to_thread(work)
    assert done.returncode == 0, done.stderr + done.stdout
    told = [json.loads(line) for line in done.stdout.splitlines()]
    return sum(each for each in told if isinstance(each, int)), [each for each in told if isinstance(each, list)]


@asynccontextmanager
async def another(backend: str, request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    """A second database, for a migrator that is not killed."""
    database: AbstractAsyncContextManager[str] = nullcontext(f"sqlite:///{tmp_path / 'another.db'}")
    if backend == "postgresql":
        database = fresh_database(request.getfixturevalue("postgres_admin_url"), "another")
    async with database as url, opened(url) as store:
        yield store


async def fill(store: Store) -> None:
    await asyncio.to_thread(commands.upgrade, store.url, "0001_base")
    series = f"WITH RECURSIVE s (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {ROWS})"
    await store.execute(
        f"{series} INSERT INTO things (id, name, size, legacy) SELECT n, 'Thing ' || n, n, 'l' || n FROM s"
    )
    await store.execute("INSERT INTO olds VALUES (1), (2)")


async def values(store: Store) -> list[Row]:
    return await store.execute("SELECT id, name, size, legacy FROM things ORDER BY id")


async def test_killed_at_every_commit_it_gets_to_where_others_get(
    store: Store, backend: str, history: Project, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    await fill(store)
    first, before = await catalog(store), await values(store)
    down = ("contract --undo", "catalog", "contract", "downgrade 0001_base", "catalog")
    async with another(backend, request, tmp_path) as other:
        await fill(other)
        there = (*UP, "catalog", *down)
        count, catalogs = await killed(history, other.url, *unharmed(*there), store.url, *there)
        assert count > 60
        assert catalogs[3:] == catalogs[:3]
        assert (catalogs[-1], await values(store)) == (first, before)
        up = unharmed(*UP)
        given = (other.url, *up, "!purge", "catalog", store.url, *up, "purge", "catalog")
        _, (expected, purged) = await killed(history, *given)
        assert purged == expected
    assert await store.execute("SELECT * FROM migration_lease") == []
    assert (await status(store.url)).phases.drift == ()


def unharmed(*given: str) -> list[str]:
    """The same commands, none of which is killed."""
    return [command if command == "catalog" else f"!{command}" for command in given]


async def test_an_unused_database_is_made_whole_however_often_the_migrator_is_killed(
    store: Store, backend: str, history: Project, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    given = ("upgrade head", "catalog")
    async with another(backend, request, tmp_path) as other:
        count, (expected, whole) = await killed(history, other.url, *unharmed(*given), store.url, *given)
    assert count > 8
    assert whole == expected
    assert (await status(store.url)).is_sound


async def test_an_upgrade_and_a_downgrade_that_were_killed_are_ended_by_the_other(
    store: Store, history: Project
) -> None:
    await fill(store)
    base, before = await catalog(store), await values(store)
    up, (down,) = unharmed(*UP), unharmed("downgrade 0001_base")
    numbers: Sequence[int] = (6, 14, 18, 22, 26, 30)
    given = [each for number in numbers for each in (f"downgrade 0001_base@{number}", *up, "catalog")]
    count, (contracted, *ended) = await killed(history, store.url, *up, "catalog", *given, down)
    assert (count, ended) == (len(numbers), [contracted] * len(numbers))
    assert (await catalog(store), await values(store)) == (base, before)
    numbers = (9, 14, 18, 24)
    given = [each for number in numbers for each in (f"upgrade 0002_all@{number}", down, "catalog")]
    assert await killed(history, store.url, *given) == (len(numbers), [base] * len(numbers))
    assert await values(store) == before
