"""What an operation costs in counts that do not vary: statements, COMMITs, and hops to the driver's thread."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiosqlite
import httpx
import pytest
from sqlalchemy import bindparam, select

from service.app import Roster, create_app
from service.db.reader import Query
from service.db.sqlite.adapter import Driver
from service.db.sqlite.connection import FileConnection
from service.models import User
from service.settings import Settings
from tests.conftest import client_of, copy_of

USER_BY_ID = Query(lambda *row: row, select(User.id, User.name).where(User.id == bindparam("id")))
USER = {"name": "Ann", "email": "ann@example.org"}


@pytest.fixture(scope="module")
async def sqlite(sqlite_template_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Roster]:
    roster = create_app(Settings(database_url=copy_of(sqlite_template_url, tmp_path_factory.mktemp("counts"))))
    yield roster
    await roster.database.close()


@pytest.fixture
async def client(sqlite: Roster) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(sqlite) as client:
        yield client


class Tally:
    """The first words of the statements that SQLite ran, and the hops to the threads of its connections."""

    def __init__(self) -> None:
        self.statements: list[str] = []
        self.hops = 0

    def take(self) -> tuple[str, int]:
        # BEGIN IMMEDIATE is surrounded by two PRAGMAs for its own busy timeout.
        taken = " ".join(each for each in self.statements if each != "PRAGMA"), self.hops
        self.statements.clear()
        self.hops = 0
        return taken


@pytest.fixture
async def tally(sqlite: Roster, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> Tally:
    """What the connections that write do; requests are authenticated by one that reads."""
    tally = Tally()
    execute = aiosqlite.Connection._execute
    submitted = Driver.submit
    watch = FileConnection.watch

    async def hop(driver: Any, *arguments: Any, **more: Any) -> Any:
        tally.hops += _writes(driver._connection)
        return await execute(driver, *arguments, **more)  # type: ignore[no-untyped-call]

    def trace(connection: Any, *arguments: Any) -> None:
        watch(connection, *arguments)
        if _writes(connection):
            connection.set_trace_callback(lambda sql: tally.statements.append(sql.split()[0]))

    def submit(driver: Any, *arguments: Any) -> Any:
        tally.hops += 1
        return submitted(driver, *arguments)

    monkeypatch.setattr(aiosqlite.Connection, "_execute", hop)
    monkeypatch.setattr(Driver, "submit", submit)
    monkeypatch.setattr(FileConnection, "watch", trace)
    await sqlite.database.writing.dispose()
    # Connects.
    await client.post("/v1/records", json={"title": "First"})
    tally.take()
    return tally


def _writes(connection: Any) -> bool:
    return connection is not None and connection._queue is not None


async def test_statements_commits_and_hops_of_a_write(client: httpx.AsyncClient, tally: Tally) -> None:
    user = (await client.post("/v1/users", json=USER)).json()
    assert tally.take() == ("BEGIN INSERT INSERT COMMIT", 2)
    path = f"/v1/users/{user['id']}"
    assert (await client.patch(path, json={"age": 3})).status_code == 200
    assert tally.take() == ("BEGIN SELECT UPDATE INSERT COMMIT", 2)
    assert (await client.patch(path, json={"age": 3})).status_code == 200
    assert tally.take() == ("BEGIN SELECT SELECT COMMIT", 2)
    assert (await client.post("/v1/users", json=USER)).status_code == 409
    # The refusal is answered before the thread has rolled back.
    async with asyncio.timeout(5):
        while "ROLLBACK" not in tally.statements:
            await asyncio.sleep(0.001)
    assert tally.take() == ("BEGIN INSERT ROLLBACK", 2)
    assert (await client.post("/v1/users", json={"name": "No"})).status_code == 422
    assert tally.take() == ("", 0)


async def test_a_keyed_read_is_one_statement_without_a_hop(sqlite: Roster, monkeypatch: pytest.MonkeyPatch) -> None:
    reader = sqlite.database.reader
    await reader.first(USER_BY_ID, id=1)
    statements: list[str] = []
    execute = FileConnection.execute

    def note(connection: FileConnection, sql: str, parameters: Any = (), /) -> Any:
        statements.append(sql.split(maxsplit=1)[0])
        return execute(connection, sql, parameters)

    def hop(*_: Any) -> None:
        raise AssertionError

    monkeypatch.setattr(FileConnection, "execute", note)
    monkeypatch.setattr(aiosqlite.Connection, "_execute", hop)
    monkeypatch.setattr(Driver, "submit", hop)
    await reader.first(USER_BY_ID, id=1)
    assert statements == ["SELECT"]
