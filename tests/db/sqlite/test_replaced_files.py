"""A SQLite file that is deleted, moved or replaced under a running service: no acknowledged write is lost."""

import asyncio
import shutil
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from sqlalchemy import make_url

from service.app import Roster, create_app
from service.db.sqlite import connection
from service.db.sqlite.file import Identity, identity
from service.settings import Settings
from tests import loopback
from tests.cli.servers import serving
from tests.conftest import client_of


@pytest.fixture
def template(sqlite_template_url: str) -> Path:
    return Path(make_url(sqlite_template_url).database or "")


@pytest.fixture
def file(template: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(template, tmp_path / "roster.db"))


@pytest.fixture
async def roster(file: Path) -> AsyncIterator[Roster]:
    roster = create_app(Settings(database_url=f"sqlite:///{file}", unit_deadline_seconds=0.2))
    yield roster
    await roster.database.close()


@pytest.fixture
async def client(roster: Roster) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(roster) as client:
        yield client


async def create(client: httpx.AsyncClient, name: str) -> httpx.Response:
    return await client.post("/v1/users", json={"name": name, "email": f"{name}@example.org"})


async def names(client: httpx.AsyncClient) -> list[str]:
    answer = await client.get("/v1/users")
    assert answer.status_code == 200, answer.text
    return [each["name"] for each in answer.json()["items"]]


def stored(file: Path) -> list[str]:
    """What a process that begins now finds in the file."""
    with closing(sqlite3.connect(file)) as connection:
        return [name for (name,) in connection.execute("SELECT name FROM users ORDER BY id")]


async def assert_unavailable(client: httpx.AsyncClient, told: str = "roster.db") -> None:
    for _ in range(2):
        for answer in (
            await create(client, "lost"),
            await client.patch("/v1/users/1", json={"name": "lost"}),
            await client.get("/v1/users"),
            await client.get("/v1/users/export"),
            await client.get("/readyz"),
            await client.get("/v1/schema"),
        ):
            assert answer.status_code == 503, answer.text
            assert int(answer.headers["retry-after"]) >= 1
            assert "database file" in answer.json()["detail"]
    assert told in answer.json()["detail"]


@pytest.mark.slow
async def test_a_deleted_file_is_noticed_and_its_successor_served(
    client: httpx.AsyncClient, file: Path, template: Path
) -> None:
    await create(client, "before")
    assert await names(client) == ["before"]
    file.unlink()
    await assert_unavailable(client, "`roster db upgrade`")
    assert not file.exists()
    shutil.copy(template, file)
    assert (await client.get("/readyz")).status_code == 200
    assert await names(client) == []
    assert (await create(client, "after")).status_code == 201
    assert await names(client) == ["after"]
    assert stored(file) == ["after"]


async def test_a_file_that_was_moved_away_and_comes_back_has_lost_nothing(
    client: httpx.AsyncClient, file: Path
) -> None:
    for name in ("one", "two"):
        await create(client, name)
    await names(client)
    file.rename(f"{file}.away")
    await assert_unavailable(client)
    Path(f"{file}.away").rename(file)
    assert (await client.get("/readyz")).status_code == 200
    assert (await create(client, "three")).status_code == 201
    assert await names(client) == stored(file) == ["one", "two", "three"]


async def test_a_file_replaced_in_one_step_is_served_at_once(
    client: httpx.AsyncClient, file: Path, template: Path
) -> None:
    await create(client, "before")
    await names(client)
    other = Path(shutil.copy(template, f"{file}.other"))
    with closing(sqlite3.connect(other)) as connection:
        connection.execute("INSERT INTO users (name, email, name_key, email_key) VALUES ('new', 'n@x.org', 'new', 'n')")
        connection.commit()
    other.replace(file)
    assert (await create(client, "after")).status_code == 201
    assert await names(client) == ["new", "after"]
    assert stored(file) == ["new", "after"]
    # Changes in the WAL of the replaced file are kept for that file.
    assert identity(f"{file}-wal-stale") is not None


async def test_a_file_replaced_by_one_without_a_schema_is_told(client: httpx.AsyncClient, file: Path) -> None:
    await create(client, "before")
    await names(client)
    (file.parent / "empty").touch()
    (file.parent / "empty").replace(file)
    answers = [await create(client, "lost"), await client.get("/v1/users"), await client.get("/readyz")]
    assert {answer.status_code for answer in answers} == {503}
    assert all("`roster db upgrade`" in answer.json()["detail"] for answer in answers)


@pytest.mark.parametrize("parts", [["-wal"], ["-wal", "-shm"]])
async def test_writes_survive_a_write_ahead_log_that_is_deleted(
    client: httpx.AsyncClient, file: Path, parts: list[str]
) -> None:
    for name in ("one", "two"):
        await create(client, name)
    await names(client)
    for part in parts:
        Path(f"{file}{part}").unlink()
    answers = {name: (await create(client, name)).status_code for name in ("three", "four")}
    assert set(answers.values()) == {201}
    assert await names(client) == ["one", "two", "three", "four"]
    shutil.copy(file, f"{file}.copy")
    assert set(stored(file)) == {"one", "two", "three", "four"}


@pytest.mark.parametrize(
    "harm", [lambda file: file.unlink(), lambda file: file.rename(f"{file}.away")], ids=["deleted", "moved"]
)
async def test_a_file_that_goes_during_the_commit_is_not_acknowledged(
    client: httpx.AsyncClient, file: Path, monkeypatch: pytest.MonkeyPatch, harm: Callable[[Path], object]
) -> None:
    await create(client, "before")
    # A read: the service asks whether there is an administrator, and caches the answer.
    await names(client)
    looks = 0

    def look(path: str | Path) -> Identity | None:
        # BEGIN looks at the file and its log; the look before COMMIT is the third, and still finds the file.
        nonlocal looks
        looks += 1
        found = identity(path)
        if looks == 3:
            harm(file)
        return found

    monkeypatch.setattr(connection, "identity", look)
    answer = await create(client, "lost")
    assert looks > 3
    assert (answer.status_code, answer.json()["type"]) == (503, "urn:roster:problem:unsettled")


async def test_every_write_acknowledged_while_the_file_is_swapped_is_in_one_of_the_files(
    client: httpx.AsyncClient, file: Path, template: Path
) -> None:
    acknowledged: list[str] = []
    over = False

    async def write(writer: int) -> None:
        number = 0
        while not over:
            number += 1
            answer = await create(client, f"w{writer}n{number}")
            assert answer.status_code in (201, 503), answer.text
            if answer.status_code == 201:
                acknowledged.append(f"w{writer}n{number}")

    writers = [asyncio.create_task(write(writer)) for writer in range(4)]
    found: set[str] = set()
    for swap in range(3):
        await asyncio.sleep(0.15)
        former = file.rename(f"{file}.{swap}")
        await asyncio.sleep(0.05)
        if identity(f"{file}-wal") is not None:
            shutil.copy(f"{file}-wal", f"{former}-wal")
        found |= set(stored(former))
        shutil.copy(template, f"{file}.new")
        Path(f"{file}.new").replace(file)
    await asyncio.sleep(0.15)
    over = True
    await asyncio.gather(*writers)
    found |= set(stored(file))
    assert len(acknowledged) > 10
    assert set(acknowledged) <= found


@pytest.mark.slow
def test_what_a_server_acknowledged_is_there_after_its_file_was_deleted_and_it_was_restarted(
    file: Path, template: Path, tmp_path: Path
) -> None:
    url = f"sqlite:///{file}"

    def post(base: str, name: str) -> int:
        return loopback.post(f"{base}/v1/users", json={"name": name, "email": f"{name}@example.org"}).status_code

    with serving(url, tmp_path / "log") as (base, _):
        assert post(base, "before") == 201
        file.unlink()
        assert [post(base, f"gone{number}") for number in range(20)] == [503] * 20
        assert loopback.get(f"{base}/readyz").status_code == 503
        shutil.copy(template, file)
        acknowledged = [f"n{number}" for number in range(20) if post(base, f"n{number}") == 201]
        assert len(acknowledged) == 20
    with serving(url, tmp_path / "log") as (base, _):
        items = loopback.get(f"{base}/v1/users").json()["items"]
        assert [each["name"] for each in items] == acknowledged
    assert "Traceback" not in (tmp_path / "log").read_text()
