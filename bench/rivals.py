"""The measured servers: the service with its defaults, the floor, and the usual application."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from http.client import HTTPConnection
from pathlib import Path
from types import MappingProxyType
from typing import Self

import msgspec

from tests.postgres import KEEPER

ROOT = Path(__file__).parent.parent
START_SECONDS = 60.0
STOP_SECONDS = 60.0
ANSWER_SECONDS = 600.0
POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Rival:
    """A server under test; `command` without the port and the number of workers."""

    name: str
    about: str
    command: tuple[str, ...]


def _bare(application: str) -> tuple[str, ...]:
    return ("uvicorn", f"bench.{application}:application", "--factory", "--no-access-log", "--no-server-header")


SERVICE = Rival(name="service", about="Roster, everything on", command=("service", "serve"))
FLOOR = Rival(name="floor", about="bare ASGI on the driver: same SQL, same JSON", command=_bare("floor"))
USUAL = Rival(name="usual", about="Litestar, AsyncSession dependency, ORM entities", command=_bare("usual"))
RIVALS = (SERVICE, FLOOR, USUAL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A running rival."""

    rival: Rival
    port: int
    pid: int
    cursor: str = ""

    def connect(self) -> HTTPConnection:
        return HTTPConnection("127.0.0.1", self.port, timeout=ANSWER_SECONDS)

    def walked(self, items: int) -> Self:
        """Return the server with its cursor after so many users, read page by page."""
        cursor, longest = "", 200
        while items:
            page = min(items, longest)
            status, body = self.ask("GET", f"/v1/users?limit={page}{cursor and '&cursor='}{cursor}")
            assert status == 200, f"{self.rival.name} answered {status}: {body[:500]!r}"
            cursor = msgspec.json.decode(body)["next_cursor"]
            items -= page
        return replace(self, cursor=cursor)

    def ask(
        self, method: str, path: str, body: str = "", headers: Mapping[str, str] = MappingProxyType({})
    ) -> tuple[int, bytes]:
        """Send one request and return the status and the body."""
        connection = self.connect()
        try:
            connection.request(method, path, body or None, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()


@contextmanager
def running(rival: Rival, url: str, *, workers: int, folder: Path) -> Iterator[Server]:
    """Start the rival on a free port, with its log in the folder, wait for its workers, and stop it at the end."""
    port = _free_port()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ROSTER_")}
    log = folder / f"{rival.name}-{port}.log"
    command = (sys.executable, "-m", *rival.command)
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["/bin/sh", "-c", KEEPER, "keeper", *command, f"--port={port}", f"--workers={workers}"],
            cwd=ROOT,
            env=environment | {"ROSTER_DATABASE_URL": url, "ROSTER_LOG_FORMAT": "json"},
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            # A new session: Ctrl-C must not reach the server, which the bench stops itself.
            start_new_session=True,
        )
    try:
        _wait(process, log, workers)
        yield Server(rival=rival, port=port, pid=process.pid)
    except Exception as failure:
        # The keeper still runs when the server has died.
        failure.add_note(f"The end of the server's log:\n{log.read_text()[-4000:]}")
        raise
    finally:
        assert process.stdin
        process.stdin.close()
        process.wait(STOP_SECONDS)


def _wait(process: subprocess.Popen[bytes], log: Path, workers: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    # Every worker of both servers logs this line once.
    while log.read_bytes().count(b"Application startup complete") < workers:
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"A server did not start:\n{log.read_text()[-4000:]}")
        time.sleep(POLL_SECONDS)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
