"""Fixtures that every test may ask for; what they give is there for SQLite and for PostgreSQL."""

import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import make_url

from service.app import Roster, create_app
from service.migrate import naming
from service.migrate.entrypoints.aio import upgrade
from service.models import Base
from service.naming import ROSTER
from service.settings import Settings
from tests.postgres import empty_postgres_url, fresh_database, postgres_admin_url, private_postgres

# pytest finds in this module what it may hand to tests.
__all__ = ["empty_postgres_url", "postgres_admin_url", "private_postgres"]

# As the command line and the service do before they use a database.
naming.use(ROSTER)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What is not watched comes last: a thread that begins in such a test is not watched afterwards either."""
    items.sort(key=lambda item: item.get_closest_marker("no_cover") is not None)


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def backend(request: pytest.FixtureRequest) -> str:
    """The database's name; a test that asks for it, or for what follows, runs once for each."""
    name: str = request.param
    return name


@pytest.fixture(scope="session")
async def shared_url(
    backend: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[str]:
    """A database at head that the whole session shares."""
    if backend == "sqlite":
        url = f"sqlite:///{tmp_path_factory.mktemp('shared') / 'roster.db'}"
        await upgrade(url)
        yield url
        return
    async with fresh_database(request.getfixturevalue("postgres_admin_url"), "shared") as url:
        await upgrade(url)
        yield url


@pytest.fixture
async def empty_url(backend: str, request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[str]:
    """A database of this test's own, with nothing in it."""
    if backend == "sqlite":
        yield f"sqlite:///{tmp_path / 'roster.db'}"
        return
    async with fresh_database(request.getfixturevalue("postgres_admin_url")) as url:
        yield url


@pytest.fixture(scope="session")
async def template_url(
    backend: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[str]:
    """A database at head that nobody uses, to be copied."""
    if backend == "sqlite":
        url = f"sqlite:///{tmp_path_factory.mktemp('template') / 'roster.db'}"
        await upgrade(url)
        yield url
        return
    async with fresh_database(request.getfixturevalue("postgres_admin_url"), "template") as url:
        await upgrade(url)
        yield url


@pytest.fixture
async def fresh_url(
    backend: str, template_url: str, request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[str]:
    """A database of this test's own, at head, for tests that must not share one."""
    if backend == "sqlite":
        copy = tmp_path / "roster.db"
        with closing(sqlite3.connect(make_url(template_url).database or "")) as template:
            template.execute("VACUUM INTO ?", (str(copy),))
        yield f"sqlite:///{copy}"
        return
    admin_url = request.getfixturevalue("postgres_admin_url")
    async with fresh_database(admin_url, template=make_url(template_url).database) as url:
        yield url


@pytest.fixture(scope="session")
async def shared_roster(shared_url: str) -> AsyncIterator[Roster]:
    """The service on the shared database."""
    roster = create_app(Settings(database_url=shared_url))
    yield roster
    # Litestar's own lifespan must end in the task that began it, and fixtures have no task of their own.
    await roster.database.close()


@pytest.fixture
async def roster(shared_roster: Roster) -> AsyncIterator[Roster]:
    """The service on the shared database, which is emptied afterwards: its commits are real ones."""
    yield shared_roster
    async with shared_roster.database.writing.begin() as connection:
        for table in reversed(Base.metadata.sorted_tables):
            await connection.execute(table.delete())


@pytest.fixture
async def client(roster: Roster) -> AsyncIterator[httpx.AsyncClient]:
    """A caller of the service, in this very loop."""
    async with client_of(roster) as client:
        yield client


def client_of(roster: Roster) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app=roster, raise_app_exceptions=False)  # type: ignore[arg-type]
    return httpx.AsyncClient(transport=transport, base_url="http://roster.localhost")


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
