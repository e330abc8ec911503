import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TypeVar

import asyncpg
import pytest
from click.testing import CliRunner, Result
from sqlalchemy import Connection

from service.cli import main
from service.db.engine import Purpose, create_engine
from service.migrate.entrypoints import commands
from service.migrate.entrypoints.project import url_of
from service.migrate.errors import Refused
from service.migrate.operations.step import Step
from service.migrate.plan.config import scripts
from service.migrate.plan.plan import plan
from service.migrate.proof.forecast.actions import Stretch
from service.migrate.proof.forecast.forecast import Forecast, Forecaster
from service.migrate.proof.trace.modes import BLOCKED, Blocks, mode_of, strongest
from service.migrate.proof.verify.values import Snapshot, taken
from service.migrate.run.locking.blockers import LONG_SECONDS
from tests.migrate.project import Project, copied
from tests.migrate.proof.prevented import BAD, ON_POSTGRESQL, PLAIN, PLAIN_ON_SQLITE
from tests.postgres import fresh_database

T = TypeVar("T")

BASE = """
ops.create_table("shelves", sa.Column("id", sa.Integer(), nullable=False),
                 sa.PrimaryKeyConstraint("id", name="pk_shelves"))
ops.create_table(
    "books", sa.Column("id", sa.Integer(), nullable=False), sa.Column("title", sa.String(50)),
    sa.Column("pages", sa.Text()), sa.Column("shelf_id", sa.Integer()), sa.Column("price", sa.Integer()),
    sa.PrimaryKeyConstraint("id", name="pk_books"))
"""
# The rows of the database: two titles are equal, one is NULL, one book has no shelf, one price is negative.
ROWS = (
    "INSERT INTO shelves (id) VALUES (1)",
    "INSERT INTO books (id, title, pages, shelf_id, price) VALUES (1, 'Emma', '9', 1, 5), (2, 'Emma', 'many', 7, -1)",
    "INSERT INTO books (id, title, pages, shelf_id, price) VALUES (3, NULL, '3', 1, 2)",
)
TABLES = "SELECT oid, relname FROM pg_class WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace"
LOCKS = "SELECT relation, mode FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'relation'"
GOOD = """
ops.rename_column("books", sa.Column("price", sa.Integer()), sa.Column("cost", sa.Integer()))
ops.set_not_null("books", "title", fill="'unknown'")
ops.create_index("ix_books_shelf_id", "books", ["shelf_id"])
ops.add_check("books", "ck_books_id", "id > 0")
ops.create_table("loans", sa.Column("id", sa.Integer(), nullable=False), sa.Column("shelf_id", sa.Integer()),
                 sa.PrimaryKeyConstraint("id", name="pk_loans"),
                 sa.ForeignKeyConstraint(["shelf_id"], ["shelves.id"], name="fk_loans_shelf_id_shelves"))
"""


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    with copied(tmp_path_factory.mktemp("plan")) as project:
        yield project


@pytest.fixture
async def url(backend: str, request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[str]:
    if backend == "sqlite":
        yield f"sqlite:///{tmp_path}/plan.db"
        return
    async with fresh_database(request.getfixturevalue("postgres_admin_url"), "plan") as url:
        yield url


@pytest.fixture
def filled(own: Project, url: str) -> str:
    """A database at the first revision of a history of its own, with rows."""
    own.clear()
    own.add_safe("0001_base", after=None, up=BASE)
    commands.upgrade(url)
    execute(url, ROWS)
    return url


def execute(url: str, statements: Iterable[str]) -> None:
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)) as file:
            for each in statements:
                file.execute(each)
        return

    async def run() -> None:
        connection = await asyncpg.connect(url)
        for each in statements:
            await connection.execute(each)
        await connection.close()

    asyncio.run(run())


def forecast(url: str, *stretches: Stretch, downgrade: str | None = None) -> Forecast:
    return Forecaster(config=None, measured_seconds=0).run(url_of(url), stretches=stretches, downgrade=downgrade)


@pytest.mark.slow
def test_what_rows_prevent_is_said_before(own: Project, filled: str, backend: str) -> None:
    bad = BAD | (ON_POSTGRESQL if backend == "postgresql" else {})
    for name, (up, phase, what) in bad.items():
        revision = f"0002_{name}"
        own.add_safe(revision, after="0001_base", up=up)
        found = forecast(filled)
        assert found.fails
        assert [(each.phase, what in each.what) for each in found.obstacles][:1] == [(phase, True)], name
        with pytest.raises(Refused):
            run_until_refused(filled)
        commands.downgrade(filled, "0001_base")
        own.remove(revision)


@pytest.mark.slow
def test_the_statements_of_a_plain_revision_are_planned(
    own: Project, filled: str, backend: str, request: pytest.FixtureRequest
) -> None:
    server = request.getfixturevalue("postgres_admin_url") if backend == "postgresql" else None
    changes = PLAIN if backend == "postgresql" else PLAIN_ON_SQLITE
    own.add("0002_plain", after="0001_base", up="\n".join(changes), down="op.drop_table('books')")
    found = Forecaster(config=None, measured_seconds=0, server=server).run(url_of(filled))
    assert [each.what for each in found.obstacles if not each.is_certain] == []
    said = [each.what for each in found.obstacles]
    assert [what for what in changes.values() if not any(what in each for each in said)] == []
    assert all(each.seconds is not None and each.statements for each in found.planned)
    if backend == "sqlite":
        assert len(found.planned) == 6
        return
    assert found.planned[0].locks == ("ACCESS EXCLUSIVE on books",)
    assert found.planned[4].locks == ("ACCESS EXCLUSIVE on books (held)", "SHARE ROW EXCLUSIVE on shelves")
    assert found.planned[4].blocks == "reads and writes wait until the transaction ends"


def run_until_refused(url: str) -> None:
    commands.upgrade(url)
    commands.backfill(url)


def test_the_forecast_reads_only(own: Project, filled: str, backend: str) -> None:
    own.add_safe("0002_good", after="0001_base", up=GOOD)
    before = everything(filled)
    found = forecast(filled)
    assert everything(filled) == before
    assert (found.obstacles, found.fails) == ((), False)
    rows = {each.title: (each.rows, each.is_exact) for each in found.planned if each.rows is not None}
    # On SQLite a rename fills the new column in one statement.
    filled_later = {"BACKFILL books.cost": (3, True)} if backend == "postgresql" else {}
    assert rows == {"BACKFILL books.title": (1, True)} | filled_later
    sizes = {each.name: (each.rows, each.is_exact) for each in found.tables}
    # A foreign key of a new table locks the other one on PostgreSQL.
    assert sizes == {"books": (3, True)} | ({"shelves": (1, True)} if backend == "postgresql" else {})
    assert all(each.seconds is not None for each in found.planned)
    assert {each.phase for each in found.planned} == {"upgrade", "backfill", "contract"}
    assert {each.phase for each in forecast(filled, Stretch.CONTRACT).planned} == {"contract"}


@pytest.mark.slow
def test_what_is_done_is_not_planned(own: Project, filled: str) -> None:
    own.add_safe("0002_good", after="0001_base", up=GOOD)
    commands.upgrade(filled)
    assert {each.phase for each in forecast(filled).planned} == {"backfill", "contract"}
    commands.backfill(filled)
    assert {each.phase for each in forecast(filled).planned} == {"contract"}
    commands.contract(filled)
    assert forecast(filled).planned == ()
    undone = forecast(filled, downgrade="0001").planned
    assert {each.revision for each in undone} == {"0002_good"}
    assert any("ix_books_shelf_id" in each.title for each in undone)


def everything(url: str) -> Snapshot:
    """The rows and the catalog of a database."""
    return asyncio.run(reading(url, taken))


async def reading(url: str, function: Callable[[Connection], T]) -> T:
    engine = create_engine(url, Purpose.MIGRATE)
    async with engine.connect() as connection:
        found = await connection.run_sync(function)
    await engine.dispose()
    return found


@pytest.mark.slow
def test_the_locks_are_those_that_postgresql_takes(own: Project, postgres_admin_url: str) -> None:
    asyncio.run(compare_locks(own, postgres_admin_url))


async def compare_locks(own: Project, admin: str) -> None:
    own.clear()
    own.add_safe("0001_base", after=None, up=BASE)
    async with fresh_database(admin, "plan") as url:
        await asyncio.to_thread(commands.upgrade, url)
        own.add_safe("0002_good", after="0001_base", up=GOOD)
        forecasted = (await asyncio.to_thread(forecast, url)).planned
        made = plan(scripts().get_revision("0002_good"), "postgresql")
        assert made is not None
        for step in (
            each for phase in (made.expand, made.settle) for each in phase if each.scripted and not each.alone
        ):
            locks = await reading(url, partial(locks_of, step))
            found = [each for each in forecasted if each.title == step.title]
            expected = {table: each.mode for each in found if each.mode for table in each.tables}
            assert locks == expected, step.title


def locks_of(step: Step, connection: Connection) -> dict[str, str]:
    """The locks of a step's transaction on tables that were there before, without those that nothing waits for."""
    before = {row[0]: row[1] for row in connection.exec_driver_sql(TABLES)}
    for statement in (*(step.generate(connection) if step.generate else ()), *step.statements):
        connection.exec_driver_sql(statement)
    found: dict[str, list[str]] = {}
    for oid, mode in connection.exec_driver_sql(LOCKS):
        if oid in before:
            found.setdefault(before[oid], []).append(mode_of(mode))
    connection.commit()
    strong = {name: strongest(modes) for name, modes in found.items()}
    return {name: mode for name, mode in strong.items() if BLOCKED[mode] is not Blocks.NOTHING}


@pytest.mark.slow
def test_a_long_transaction_is_in_the_way(own: Project, postgres_admin_url: str) -> None:
    asyncio.run(read_for_long(own, postgres_admin_url))


async def read_for_long(own: Project, admin: str) -> None:
    own.clear()
    own.add_safe("0001_base", after=None, up=BASE)
    async with fresh_database(admin, "plan") as url:
        await asyncio.to_thread(commands.upgrade, url)
        own.add_safe("0002_good", after="0001_base", up=GOOD)
        reader = await asyncpg.connect(url)
        async with reader.transaction():
            await reader.execute("SELECT count(*) FROM books")
            while await reader.fetchval("SELECT extract(epoch FROM clock_timestamp() - now())") <= LONG_SECONDS:
                await asyncio.sleep(0.1)
            # What a blocker is named by is its last statement.
            await reader.execute("SELECT count(*) FROM books")
            blockers = (await asyncio.to_thread(forecast, url)).blockers
        await reader.close()
    # The server may be at work on the table itself: it analyzes it.
    assert any("SELECT count(*) FROM books" in each for each in blockers)


def planned(*arguments: str, status: int) -> Result:
    result = CliRunner().invoke(main, ["db", "plan", *arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exc_info
    assert result.exit_code == status, result.output
    return result


@pytest.mark.slow
def test_the_command_shows_the_plan(own: Project, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/plan.db"
    own.clear()
    own.add_safe("0001_base", after=None, up=BASE)
    assert planned("--database", url, status=2).stderr == f"Error: The file {tmp_path}/plan.db does not exist.\n"
    commands.upgrade(url)
    execute(url, ROWS)
    own.add_safe("0002_good", after="0001_base", up=GOOD)
    text = planned("--database", url, "--sql", status=0).stdout
    assert text.startswith(f"{url} at 0001_base: ")
    assert "nothing in the way.\n\nupgrade 0002_good, about " in text
    assert "BACKFILL books.title; 1 row\n             UPDATE books SET title = 'unknown' WHERE title IS NULL" in text
    assert "\n\nbooks: 3 rows" in text
    document = json.loads(planned("--database", url, "--json", status=0).stdout)
    assert (document["fails"], document["current"], document["obstacles"]) == (False, ["0001_base"], [])
    own.remove("0002_good")
    own.add_safe("0002_bad", after="0001_base", up=BAD["null"][0])
    bad = planned("--database", url, status=1).stdout
    assert "\nWOULD FAIL  0002_bad, upgrade: books.title is NULL in some rows (1): 3." in bad
    assert "--phase is for pending phases" in planned("--phase", "upgrade", "--downgrade", "0001", status=2).stderr
    assert "Can't locate" in planned("--database", url, "--downgrade", "0009", status=2).stderr
