"""The load of a rehearsal, its samples of locks and its baseline, in this process."""

import asyncio
import json
import runpy
import socket
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import uvicorn

from service.migrate.entrypoints import commands
from service.migrate.plan.config import scripts
from service.migrate.proof.rehearse.locks import Longest, watched
from service.migrate.proof.rehearse.messages import Learned, Run, Settings, Watch
from service.migrate.proof.rehearse.phases import deployment, phases, plain_phases
from service.migrate.proof.rehearse.plain import PlainChange
from service.migrate.proof.rehearse.traffic import Traffic
from tests.migrate.proof.shops import Shop, shop

JSON = {"content": {"application/json": {"schema": {"type": "object"}}}}


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Shop]:
    with shop(tmp_path) as made:
        yield made


@asynccontextmanager
async def served(application: Any) -> AsyncIterator[int]:
    """The port of an application in this process."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        server = uvicorn.Server(uvicorn.Config(application, log_config=None, lifespan="off"))
        serving = asyncio.ensure_future(server.serve([listening]))
        yield listening.getsockname()[1]
        server.should_exit = True
        await serving


def settings(**more: Any) -> Settings:
    given: dict[str, Any] = {
        "versions": ("old", "new"),
        "connections": 2,
        "rate": 100.0,
        "writes": 0.5,
        "timeout_seconds": 30.0,
        "seed": 1,
        "headers": {},
        "openapi": "",
        "skip": ("/nothing*",),
        "weights": {"GET /books": 2.0},
        "values": {},
    }
    return Settings(**{**given, **more})


async def until(true: Callable[[], Any]) -> None:
    while not true():
        await asyncio.sleep(0.01)


@pytest.mark.slow
async def test_confirmed_writes_are_counted_and_what_was_lost_of_them_is_found(
    own: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "shop.db"
    commands.upgrade(f"sqlite:///{file}", config=own.ini, report=lambda _sentence: None)
    monkeypatch.setenv("SHOP_DATABASE_URL", f"sqlite:///{file}")
    traffic = Traffic(settings())

    def execute(statement: str) -> None:
        with closing(sqlite3.connect(file, isolation_level=None)) as connection:
            connection.execute(statement)

    async with served(runpy.run_path(str(own.folder / "shop.py"))["application"]) as port:
        assert await traffic.learn("old", port) == Learned(reads=2, writes=3)
        traffic.begin({"old": port})
        sender = traffic.sender
        written = sender.memory.written
        await until(lambda: sender.writes > 20 and sender.requests > 40 and any(w.is_gone for w in written.values()))
        seen = await traffic.end(everything=False)
        assert (seen.failures, seen.refusals, seen.losses) == ({}, {}, ())
        assert seen.read_back > 0
        assert 0 < seen.p50_ms <= seen.p99_ms <= seen.longest_ms
        execute("UPDATE books SET pages = pages + 1000000")
        execute("DELETE FROM books WHERE id = (SELECT max(id) FROM books)")
        deleted = next(path for path, each in written.items() if each.is_gone)
        execute(f"INSERT INTO books (id, title) VALUES ({deleted.removeprefix('/books/')}, 'again')")
        traffic.begin({"old": port})
        ended = await traffic.end(everything=True)
        assert (ended.lost_rows, ended.lost_updates) == (1, 1)
        assert ended.lost_values > 0
        execute("ALTER TABLE books RENAME TO novels")
        traffic.begin({"old": port})
        await until(lambda: sender.failures["old: GET /books 500"] and sender.failures["old: POST /books 500"])
        assert (await traffic.end(everything=False)).failures["old: GET /books 500"]
        # What fails for the version beside it too is kept; without any other version nothing can be sent.
        assert (await traffic.learn("new", port)).reads == 2
        assert (await Traffic(settings()).learn("old", port)).problem.startswith("no GET could be sent: ")
        missing = await Traffic(settings(openapi="/schema")).learn("old", port)
        assert missing.problem == "there is no OpenAPI document at /schema: name its path as `openapi`"


@pytest.mark.slow
async def test_a_stale_etag_is_read_again_and_a_silent_server_is_a_failure() -> None:
    document = {
        "paths": {
            "/notes": {
                "get": {},
                "post": {"requestBody": JSON, "parameters": [{"name": "Idempotency-Key", "in": "header"}]},
            },
            "/notes/{id}": {
                "get": {},
                "patch": {"requestBody": JSON, "parameters": [{"name": "If-Match", "in": "header"}]},
            },
        }
    }
    version = 0

    async def application(scope: Any, _receive: Any, send: Any) -> None:
        nonlocal version
        headers = dict(scope["headers"])
        body: Any
        status, body = 200, {"items": [{"id": 1}]} if scope["path"] == "/notes" else {"id": 1, "rehearsal": "x"}
        if scope["path"] == "/openapi.json":
            body = document
        elif scope["method"] == "POST":
            status = 201 if headers.get(b"idempotency-key") else 400
        elif scope["method"] == "PATCH":
            status = 200 if headers.get(b"if-match") == b"%d" % version else 412
            version += 1
        answer = {"type": "http.response.start", "status": status, "headers": [(b"etag", b"%d" % version)]}
        await send(answer)
        await send({"type": "http.response.body", "body": json.dumps(body).encode()})

    traffic = Traffic(settings(connections=1, rate=0.0, versions=("old",)))
    async with served(application) as port:
        assert (await traffic.learn("old", port)).problem == ""
        traffic.begin({"old": port})
        await until(lambda: traffic.sender.writes > 5)
        version += 1
        await until(lambda: traffic.sender.retries)
        seen = await traffic.end(everything=False)
        assert seen.refusals == {}
    traffic.begin({"old": port})
    await until(lambda: traffic.sender.failures)
    assert set((await traffic.end(everything=False)).failures) <= {
        f"old: {each} ConnectionRefusedError"
        for each in ("GET /notes", "GET /notes/{id}", "POST /notes", "PATCH /notes/{id}", "GET the ETag")
    } | {"old: read back ConnectionRefusedError"}


async def test_the_locks_of_the_migrator_are_sampled(empty_postgres_url: str) -> None:
    watch = Watch(migrators=("shop migrate",), tables=("books",), pause_seconds=0.001)
    migrator = await asyncpg.connect(empty_postgres_url, server_settings={"application_name": "shop migrate"})
    other = await asyncpg.connect(empty_postgres_url)
    await migrator.execute("CREATE TABLE books (id int)")
    await migrator.execute("BEGIN; LOCK TABLE books IN ACCESS EXCLUSIVE MODE")
    stopped, longest = asyncio.Event(), Longest()
    watching = asyncio.ensure_future(watched(empty_postgres_url, watch, stopped, longest, lambda: None))
    waiting = asyncio.ensure_future(other.execute("SELECT FROM books"))
    await until(lambda: longest.held[0] and longest.waited[0])
    await migrator.execute("COMMIT")
    await waiting
    stopped.set()
    found = await watching
    assert (found.waiting, found.holding) == ("books AccessShareLock", "books AccessExclusiveLock")
    assert min(found.waited_ms, found.held_ms, found.samples) > 0
    await migrator.close()
    await other.close()


def test_the_plain_style_changes_what_autogenerate_finds_and_changes_it_back(own: Shop, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'shop.db'}"
    env = own.folder / "migrations/env.py"
    table = 'sa.Table("shelves", METADATA, sa.Column("id", sa.Integer()))'
    env.write_text(env.read_text().replace("METADATA = sa.MetaData()", f"METADATA = sa.MetaData()\n{table}"))
    commands.upgrade(url, config=own.ini, report=lambda _sentence: None)
    change = PlainChange(url, own.ini)

    def tables() -> set[str]:
        with closing(sqlite3.connect(tmp_path / "shop.db")) as connection:
            return {row[0] for row in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}

    assert "books" in tables()
    change.up()
    assert "shelves" in tables()
    assert "books" not in tables()
    change.down()
    assert "books" in tables()
    assert "shelves" not in tables()


def test_a_deployment_with_a_merge_goes_back_in_one_step(own: Shop) -> None:
    own.safe("pass")
    found = deployment(scripts(own.ini), ["0002_change"])
    assert found.base == ("0001_create_books",)
    down = [each.runs for each in phases(found, "sqlite") if each.name == "downgrade"]
    assert down == [(Run(command="downgrade", revision="0001_create_books"),)]
    assert [each.name for each in plain_phases(found)] == ["control", "plain upgrade", "plain downgrade"]
