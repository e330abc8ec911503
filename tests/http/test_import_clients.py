"""Imports over real sockets: clients that leave, early answers, temporary files, full disks."""

import asyncio
import http.client
import json
import resource
import socket
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from service.app import Roster, create_app
from service.errors import Misconfigured
from service.http.transfer import seen_keys
from service.http.transfer.batching import BATCH_LINES
from service.settings import Settings
from tests import loopback
from tests.cli.servers import environment, serving
from tests.conftest import client_of
from tests.files import listed, people, report, send
from tests.programs import run

PATIENCE_SECONDS = 20.0


class Server(NamedTuple):
    base: str
    pid: int
    log: Path
    spool: Path

    @property
    def port(self) -> int:
        return int(self.base.rpartition(":")[2])

    def abandoned(self) -> list[dict[str, Any]]:
        """What was logged of imports whose client left."""
        lines = [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]
        return [line for line in lines if line["event"] == "import abandoned"]


@pytest.fixture(scope="module")
def server(shared_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("imports")
    spool = folder / "spool"
    spool.mkdir()
    with serving(shared_url, folder / "log", ROSTER_SPOOL_DIRECTORY=str(spool)) as (base, process):
        yield Server(base, process.pid, folder / "log", spool)


@contextmanager
def upload(server: Server, query: str, length: int) -> Iterator[socket.socket]:
    """A connection with an unfinished import; the end of the block closes it as a killed client does."""
    with socket.create_connection(("127.0.0.1", server.port)) as line:
        head = f"POST /v1/users/import?{query} HTTP/1.1\nHost: 127.0.0.1\nContent-Type: text/csv\n"
        line.sendall(f"{head}Content-Length: {length}\n\n".replace("\n", "\r\n").encode())
        yield line


def eventually(what: Callable[[], Any]) -> Any:
    """What this is once it is true."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (found := what()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return found


def left_of(server: Server, before: int) -> dict[str, Any]:
    """The one line that was logged since there were so many."""
    eventually(lambda: len(server.abandoned()) > before)
    (line,) = server.abandoned()[before:]
    return line


@pytest.mark.slow
async def test_a_client_that_leaves_in_mid_body_is_logged_with_what_is_stored(server: Server, roster: Roster) -> None:
    before, file = len(server.abandoned()), people(20_000)
    with upload(server, "", len(file)) as line:
        line.sendall(file[: len(file) // 2])
        while not (await client_count(roster)):
            await asyncio.sleep(0.01)
    told = await asyncio.to_thread(left_of, server, before)
    assert (told["level"], told["noun"]) == ("warning", "users")
    assert told["stored"] == await client_count(roster)
    assert told["stored"] % min(BATCH_LINES.values()) == 0
    assert 0 < told["received_bytes"] <= len(file) // 2


@pytest.mark.slow
@pytest.mark.parametrize("query", ["atomic=true", "atomic=true&mode=upsert", "dry_run=true"])
async def test_a_client_that_leaves_when_all_is_sent_stops_the_work(server: Server, roster: Roster, query: str) -> None:
    before, file = len(server.abandoned()), people(30_000)
    with upload(server, query, len(file)) as line:
        line.sendall(file)
    told = await asyncio.to_thread(left_of, server, before)
    assert told["stored"] == await client_count(roster) == 0


async def client_count(roster: Roster) -> int:
    async with roster.database.reading.connect() as connection:
        return int((await connection.exec_driver_sql("SELECT count(*) FROM users")).scalar_one())


@pytest.mark.parametrize("library", ["http.client", "httpx"])
async def test_an_answer_before_the_body_ends_leaves_the_connection_whole(
    server: Server, roster: Roster, library: str
) -> None:
    body, headers = b"name,email\n" + b",\n" * 2_000_000, {"Content-Type": "text/csv"}
    path = "/v1/users/import?max_errors=1"
    answers = await asyncio.to_thread(_pair, library, server, path, body, headers)
    assert [status for status, _ in answers] == [200, 200]
    assert answers[0][1]["stopped_at_line"] == 2
    assert answers[1][1] == {"items": [], "next_cursor": None}


def _pair(library: str, server: Server, path: str, body: bytes, headers: dict[str, str]) -> list[tuple[int, Any]]:
    """The answers to an import and to the next request on the same connection."""
    if library == "httpx":
        with loopback.Client(base_url=server.base, limits=httpx.Limits(max_connections=1)) as client:
            found = [client.post(path, content=body, headers=headers), client.get("/v1/users")]
            return [(each.status_code, each.json()) for each in found]
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    answers = []
    for method, target, content in (("POST", path, body), ("GET", "/v1/users", None)):
        connection.request(method, target, content, headers if content else {})
        answer = connection.getresponse()
        answers.append((answer.status, json.loads(answer.read())))
    connection.close()
    return answers


async def test_a_spooled_body_has_no_name_and_is_for_its_owner_alone(server: Server, roster: Roster) -> None:
    file = people(5000)
    with upload(server, "atomic=true", len(file)) as line:
        line.sendall(file[:100_000])
        mode, size = await asyncio.to_thread(eventually, lambda: _spooled(server))
        assert (mode, [*server.spool.iterdir()]) == (0o600, [])
        assert 0 < size <= 100_000
        line.sendall(file[100_000:])
        assert line.recv(1000).startswith(b"HTTP/1.1 200")
    await asyncio.to_thread(eventually, lambda: _spooled(server) is None)


def _spooled(server: Server) -> tuple[int, int] | None:
    """The mode and the size of the file that the server holds open in its spool directory."""
    for each in Path(f"/proc/{server.pid}/fd").iterdir():
        try:
            target = str(each.readlink())
        except FileNotFoundError:
            continue
        if target.startswith(f"{server.spool}/") and (found := each.stat()).st_size:
            return stat.S_IMODE(found.st_mode), found.st_size
    return None


@contextmanager
def files_end_at(size: int) -> Iterator[None]:
    """No file of this process may grow past so many bytes, as on a disk that is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_a_full_disk_refuses_an_atomic_import(client: httpx.AsyncClient) -> None:
    with files_end_at(100_000):
        answer = await send(client, "users", people(10_000), atomic="true")
    assert (answer.status_code, answer.json()["type"]) == (507, "urn:roster:problem:insufficient-storage")
    assert answer.json()["detail"] == "The disk of the spool directory is full. Nothing was stored."
    assert await listed(client, "users") == []
    assert (await send(client, "users", people(3), atomic="true")).json() == report(created=3, atomic=True)


async def test_a_full_disk_that_keeps_no_more_keys_is_told(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seen_keys, "_CACHE_KIB", 64)
    with files_end_at(100_000):
        answer = await send(client, "users", people(10_000), dry_run="true")
    assert (answer.status_code, answer.json()["title"]) == (507, "Insufficient Storage")


@pytest.mark.parametrize("query", [{"atomic": "true"}, {"dry_run": "true"}, {}])
async def test_a_folder_that_is_gone_is_told_as_a_failure_of_now(
    shared_url: str, tmp_path: Path, query: dict[str, str]
) -> None:
    folder = tmp_path / "spool"
    folder.mkdir()
    roster = create_app(Settings(database_url=shared_url, spool_directory=str(folder)))
    folder.rmdir()
    async with client_of(roster) as client:
        answer = await send(client, "users", people(1), **query)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert answer.json()["detail"].startswith("The spool directory cannot be used now: [Errno 2]")
        assert await listed(client, "users") == []
    await roster.database.close()


@pytest.mark.slow
def test_a_folder_that_cannot_be_used_is_refused_before_anything_is_served(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    for folder, reason in ((tmp_path / "none", "No such file or directory"), (file, "Not a directory")):
        with pytest.raises(Misconfigured) as refused:
            create_app(Settings(spool_directory=str(folder)))
        sentence = (
            f"ROSTER_SPOOL_DIRECTORY is '{folder}': {reason}. It must be an existing folder that can be written to."
        )
        assert str(refused.value) == sentence
    env = environment(f"sqlite:///{tmp_path / 'roster.db'}", ROSTER_SPOOL_DIRECTORY=str(file))
    told = run("service", "serve", env=env)
    assert (told.returncode, told.stdout, told.stderr) == (2, "", f"Error: {sentence}\n")
