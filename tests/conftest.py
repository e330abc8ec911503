"""Fixtures that every test may ask for; what they give is there for SQLite and for PostgreSQL."""

# First: it decides how what is imported below is measured.
from tests import measured

# isort: split
import asyncio
import gc
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog
from sqlalchemy import ColumnElement, Table, literal, make_url, select, true, union_all
from structlog.processors import KeyValueRenderer, add_log_level, format_exc_info

from service.app import Roster, create_app
from service.migrate.entrypoints.aio import upgrade
from service.models import Base
from service.naming import use_roster
from service.settings import Settings
from tests.memory import use_memory
from tests.postgres import empty_postgres_url, fresh_database, postgres_admin_url, private_postgres

# pytest finds in this module what it may hand to tests.
__all__ = ["empty_postgres_url", "postgres_admin_url", "private_postgres"]

# As the command line and the service do before they use a database.
use_roster()


def _made(table: Table) -> ColumnElement[bool]:
    """Whether a test made the row: the built-in roles are part of the schema."""
    return ~table.c.built_in if "built_in" in table.c else true()


# By the tables' names, in an order that their foreign keys allow.
DELETIONS = {table.name: table.delete().where(_made(table)) for table in reversed(Base.metadata.sorted_tables)}

# The names of the tables in which a test left rows.
FILLED = union_all(
    *(
        select(literal(table.name)).where(select(true()).select_from(table).where(_made(table)).exists())
        for table in Base.metadata.sorted_tables
    )
)

NEED_POSTGRESQL = {"postgres_admin_url", "empty_postgres_url", "private_postgres", "battered_postgres"}


def pytest_configure() -> None:
    use_memory()
    # Most tests run the service in this process: structlog's own renderer, for people, takes three times as long.
    structlog.configure(
        processors=[add_log_level, format_exc_info, KeyValueRenderer(key_order=["level", "event"])],
    )


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark a test that needs PostgreSQL as such, so that `-m 'not postgresql'` leaves it out."""
    parameters = getattr(getattr(item, "callspec", None), "params", {})
    if parameters.get("backend") == "postgresql" or NEED_POSTGRESQL.intersection(getattr(item, "fixturenames", ())):
        item.add_marker("postgresql")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that hold slow tests, so that no process ends long after the other."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    # Whole files: a fixture for a module, of which some tests are slow, would be set up twice.
    items.sort(key=lambda item: item.path not in slow)


def pytest_collection_finish() -> None:
    """Collect garbage as the server does: what was imported and collected stays until the end."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    gc.enable()


def pytest_unconfigure() -> None:
    """Collect what is left once; pytest would look through all that stays five times more."""
    gc.collect()
    gc.freeze()


def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    if nextitem is None or nextitem.path != item.path:
        measured.remove_probes()


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def backend(request: pytest.FixtureRequest) -> str:
    """The database's name; a test that asks for it, or for what follows, runs once for each."""
    name: str = request.param
    return name


# Fixtures below that carry a database's name have no parameter: pytest would tear them down at each change of backend,
# which under xdist's loadfile is twice a file, and migrate them again.


@pytest.fixture(scope="session")
async def sqlite_template_url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A SQLite database at head that no test uses, to be copied."""
    url = f"sqlite:///{tmp_path_factory.mktemp('template') / 'roster.db'}"
    await upgrade(url)
    return url


@pytest.fixture(scope="session")
async def postgresql_template_url(postgres_admin_url: str) -> AsyncIterator[str]:
    """A PostgreSQL database at head that no test uses, to be copied."""
    async with fresh_database(postgres_admin_url, "template") as url:
        await upgrade(url)
        yield url


@pytest.fixture(scope="session")
def sqlite_shared_url(sqlite_template_url: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    return copy_of(sqlite_template_url, tmp_path_factory.mktemp("shared"))


@pytest.fixture(scope="session")
async def postgresql_shared_url(postgresql_template_url: str, postgres_admin_url: str) -> AsyncIterator[str]:
    async with fresh_database(postgres_admin_url, "shared", template=make_url(postgresql_template_url).database) as url:
        yield url


@pytest.fixture(scope="session")
def template_url(backend: str, request: pytest.FixtureRequest) -> str:
    """A database at head that no test uses, to be copied."""
    url: str = request.getfixturevalue(f"{backend}_template_url")
    return url


@pytest.fixture(scope="session")
def shared_url(backend: str, request: pytest.FixtureRequest) -> str:
    """A database at head that the whole session shares."""
    url: str = request.getfixturevalue(f"{backend}_shared_url")
    return url


def copy_of(template_url: str, folder: Path) -> str:
    """The URL of a copy of a SQLite database, in this folder."""
    copy = folder / "roster.db"
    with closing(sqlite3.connect(make_url(template_url).database or "")) as template:
        template.execute("VACUUM INTO ?", (str(copy),))
    return f"sqlite:///{copy}"


@pytest.fixture
async def empty_url(backend: str, request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[str]:
    """A database of this test's own, with nothing in it."""
    if backend == "sqlite":
        yield f"sqlite:///{tmp_path / 'roster.db'}"
        return
    async with fresh_database(request.getfixturevalue("postgres_admin_url")) as url:
        yield url


@pytest.fixture
async def fresh_url(
    backend: str, template_url: str, request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[str]:
    """A database of this test's own, at head, for tests that must not share one."""
    if backend == "sqlite":
        yield copy_of(template_url, tmp_path)
        return
    admin_url = request.getfixturevalue("postgres_admin_url")
    async with fresh_database(admin_url, template=make_url(template_url).database) as url:
        yield url


@pytest.fixture
async def fresh_postgres_url(postgresql_template_url: str, postgres_admin_url: str) -> AsyncIterator[str]:
    """As `fresh_url`, on PostgreSQL alone."""
    async with fresh_database(postgres_admin_url, template=make_url(postgresql_template_url).database) as url:
        yield url


@pytest.fixture(scope="session")
async def sqlite_roster(sqlite_shared_url: str) -> AsyncIterator[Roster]:
    async with serving_in_process(sqlite_shared_url) as roster:
        yield roster


@pytest.fixture(scope="session")
async def postgresql_roster(postgresql_shared_url: str) -> AsyncIterator[Roster]:
    async with serving_in_process(postgresql_shared_url) as roster:
        yield roster


@asynccontextmanager
async def serving_in_process(url: str) -> AsyncIterator[Roster]:
    # The cheapest hash there is: a test waits for many.
    roster = create_app(Settings(database_url=url, argon2_memory_kib=8, argon2_iterations=1))
    yield roster
    # Litestar's own lifespan must end in the task that began it, and fixtures have no task of their own.
    await roster.database.close()


@pytest.fixture(scope="session")
def shared_roster(backend: str, request: pytest.FixtureRequest) -> Roster:
    """The service on the shared database."""
    roster: Roster = request.getfixturevalue(f"{backend}_roster")
    return roster


@pytest.fixture(scope="session")
async def loop() -> asyncio.AbstractEventLoop:
    """The loop of all asynchronous tests."""
    return asyncio.get_running_loop()


@pytest.fixture
def roster(shared_roster: Roster, loop: asyncio.AbstractEventLoop) -> Iterator[Roster]:
    """The service on the shared database, which is emptied afterwards: its commits are real ones."""
    yield shared_roster
    # Not an asynchronous fixture: starting the loop's runner twice costs 0.3 ms, for each of thousands of tests.
    loop.run_until_complete(_empty(shared_roster))


async def _empty(roster: Roster) -> None:
    async with roster.database.writing.begin() as connection:
        # Most tables are empty: one question for all of them takes less time than a DELETE on each.
        filled = set(await connection.scalars(FILLED))
        for name, deletion in DELETIONS.items():
            if name in filled:
                await connection.execute(deletion)
    # Behind the service's back there is no administrator any more.
    roster.authentication.forget()


@pytest.fixture
def client(roster: Roster) -> httpx.AsyncClient:
    """A caller of the service, in this very loop, which holds no connection that it would have to close."""
    return client_of(roster)


def client_of(roster: Roster, root_path: str = "") -> httpx.AsyncClient:
    # httpx has types of its own for scopes and messages.
    app: Any = roster
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False, root_path=root_path)
    return httpx.AsyncClient(transport=transport, base_url="http://roster.localhost", trust_env=False)


Make = Callable[..., Awaitable[dict[str, Any]]]


@pytest.fixture
def make(client: httpx.AsyncClient) -> Make:
    """Creates the shortest valid thing of a noun, with these fields, and returns it."""
    count = 0

    async def make(noun: str, **fields: object) -> dict[str, Any]:
        nonlocal count
        count += 1
        shortest: dict[str, dict[str, object]] = {
            "users": {"name": f"User {count}", "email": f"user{count}@example.org"},
            "records": {"title": f"Record {count}"},
            "departments": {"name": f"Department {count}"},
            "employees": {"name": f"Employee {count}"},
        }
        answer = await client.post(f"/v1/{noun}", json=shortest[noun] | fields)
        assert answer.status_code == 201, answer.text
        created: dict[str, Any] = answer.json()
        return created

    return make
