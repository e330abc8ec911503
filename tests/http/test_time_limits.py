"""Clients that are slow, silent or many, and the end of a server."""

import json
import resource
import signal
import time
from collections.abc import AsyncIterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from service.errors import Unavailable, Unsettled
from service.http.edge import _cut_off
from tests import loopback
from tests.cli.servers import announced, environment, serving
from tests.conftest import copy_of
from tests.http.sockets import Line, ask, request
from tests.programs import start

pytestmark = pytest.mark.slow

LIMITS = {
    "ROSTER_HEAD_SECONDS": "0.4",
    "ROSTER_BODY_SECONDS": "0.4",
    "ROSTER_SEND_SECONDS": "0.4",
    "ROSTER_KEEP_ALIVE_SECONDS": "0.8",
    "ROSTER_CONNECTION_LIMIT": "8",
}
RECORD = request("/v1/records", "Content-Type: application/json", method="POST", body='{"title": "a"}')
SLOW = {
    "nothing at all": b"",
    "empty lines": b"\r\n\r\n",
    "half a request line": b"GET /li",
    "half a head": b"GET /livez HTTP/1.1\r\nHost: localh",
    "half a body": RECORD[:-5],
    "half a chunk": b"POST /v1/records HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    b"Transfer-Encoding: chunked\r\n\r\ne\r\n{",
    "half a file": b"POST /v1/users/import HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/csv\r\n"
    b"Content-Length: 100\r\n\r\nname,email\n",
}


@pytest.fixture(scope="module")
def url(sqlite_template_url: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    return copy_of(sqlite_template_url, tmp_path_factory.mktemp("limits"))


@pytest.fixture(scope="module")
async def served(url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[int, Path]]:
    log = tmp_path_factory.mktemp("log") / "log"
    with serving(url, log, **LIMITS) as (base, _):
        lines = "".join(f"title {number} {'a' * 150}\n" for number in range(30_000))
        headers = {"content-type": "text/csv"}
        loopback.post(
            f"{base}/v1/records/import", content="title\n" + lines, headers=headers, timeout=60
        ).raise_for_status()
        yield int(base.rpartition(":")[2]), log
    assert "Traceback" not in log.read_text()


@pytest.mark.parametrize("name", SLOW)
def test_half_a_request_is_answered_408_in_the_end(served: tuple[int, Path], name: str) -> None:
    heard = ask(served[0], SLOW[name])
    assert heard.problem["type"] == "urn:roster:problem:request-timeout"
    assert heard.headers["connection"] == "close"


def test_a_trickle_of_a_body_is_no_progress(served: tuple[int, Path]) -> None:
    with Line(served[0]) as line:
        line.send(RECORD.replace(b"Content-Length: 14", b"Content-Length: 999"))
        line.socket.settimeout(0.1)
        for _ in range(100):
            line.send(b" ")
            try:
                heard = line.hear()
            except TimeoutError:
                continue
            assert heard.status == 408
            return
    raise AssertionError("It went on for ever.")


@pytest.mark.parametrize("target", ["/livez", "/v1/records/999999"])
def test_an_idle_connection_is_closed_without_a_word(served: tuple[int, Path], target: str) -> None:
    with Line(served[0]) as line:
        line.send(request(target))
        assert line.hear().status in (200, 404)
        started = time.monotonic()
        assert line.hear_end() == b""
        assert 0.5 < time.monotonic() - started < 15


def test_a_body_that_keeps_coming_is_not_cut_off(served: tuple[int, Path]) -> None:
    with Line(served[0]) as line:
        line.send(RECORD.replace(b"Content-Length: 14", b"Content-Length: 20494")[:-14])
        for _ in range(10):
            line.send(b" " * 2048)
            time.sleep(0.1)
        line.send(b'{"title": "a"}')
        assert line.hear().status == 201


def test_a_client_that_does_not_read_its_answer_is_cut_off(served: tuple[int, Path]) -> None:
    with Line(served[0]) as line:
        line.send(request("/v1/records/export"))
        _wait_until_logged(served[1], "/v1/records/export")
        whole = b""
        try:
            while part := line.socket.recv(65_536):
                whole += part
        except ConnectionError:
            pass
        assert not whole.endswith(b"0\r\n\r\n")


@pytest.mark.parametrize(
    "sent", [b"", b"GET /livez HTTP/1.1\r\nHost", request("/livez")], ids=["silent", "half", "idle"]
)
def test_connections_that_wait_make_room_for_others(served: tuple[int, Path], sent: bytes) -> None:
    with ExitStack() as stack:
        for _ in range(30):
            stack.enter_context(Line(served[0])).send(sent)
        assert ask(served[0], request("/v1/users", "Connection: close")).status == 200


def test_when_all_connections_are_at_work_a_new_one_is_told(url: str, tmp_path: Path) -> None:
    with serving(url, tmp_path / "log", ROSTER_CONNECTION_LIMIT="8") as (base, _), ExitStack() as stack:
        port = int(base.rpartition(":")[2])
        lines = [stack.enter_context(Line(port)) for _ in range(8)]
        for line in lines:
            line.send(RECORD[:-1])
        time.sleep(0.3)
        heard = ask(port, b"")
        assert heard.problem["detail"] == "All connections of this server are in use."
        assert (heard.status, heard.headers["retry-after"]) == (503, "1")
        for line in lines:
            line.send(RECORD[-1:])
            assert line.hear().status == 201
        assert ask(port, request("/livez")).status == 200


LIMITED = """
import resource, runpy
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
runpy.run_module("service", run_name="__main__", alter_sys=True)
"""


def test_few_descriptors_are_enough(url: str, tmp_path: Path) -> None:
    own = resource.getrlimit(resource.RLIMIT_NOFILE)
    with (tmp_path / "log").open("wb") as log:
        process = start("-c", LIMITED, "serve", "--port=0", env=environment(url), stdout=log, stderr=log)
    try:
        port = urlsplit(announced(tmp_path / "log")).port
        assert port
        with ExitStack() as stack:
            for _ in range(150):
                stack.enter_context(Line(port)).send(b"GET /v1/users HTTP/1.1\r\nHost")
            statuses = [ask(port, request("/v1/users", "Connection: close")).status for _ in range(10)]
    finally:
        process.terminate()
        process.wait(20)
    assert statuses == [200] * 10
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == own


def test_the_end_of_the_drain_is_told_by_a_problem_document(served: object, url: str, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with serving(url, log, ROSTER_DRAIN_SECONDS="1") as (base, process), ExitStack() as stack:
        port = int(base.rpartition(":")[2])
        running, half, idle, file, old = (stack.enter_context(Line(port)) for _ in range(5))
        running.send(RECORD[:-5])
        half.send(b"GET /livez HTTP/1.1\r\n")
        file.send(request("/v1/records/export"))
        old.send(request("/v1/records/export", version="1.0"))
        idle.send(request("/livez"))
        assert idle.hear().status == 200
        process.send_signal(signal.SIGTERM)
        assert idle.hear_end() == b""
        # What was sent before the server stopped is still finished.
        half.send(b"Host: localhost\r\n\r\n")
        finished = half.hear()
        assert (finished.status, finished.headers["connection"]) == (200, "close")
        cut_off = running.hear()
        assert cut_off.problem["type"] == "urn:roster:problem:unsettled"
        assert (cut_off.status, cut_off.headers["retry-after"]) == (503, "1")
        # No part of a file is taken for the whole.
        assert not file.hear_end().endswith(b"0\r\n\r\n")
        with pytest.raises(ConnectionResetError):
            old.hear_end()
        assert process.wait(20) == 0
    told = log.read_text()
    assert "Traceback" not in told
    logged = [json.loads(line) for line in told.splitlines() if line.startswith("{")]
    assert sorted(each["status"] for each in logged if each["event"] == "request") == [200, 200, 503]


def test_a_read_that_is_cut_off_can_be_tried_again() -> None:
    failure = _cut_off("GET")
    assert type(failure) is Unavailable
    assert type(_cut_off("DELETE")) is Unsettled


def _wait_until_logged(log: Path, path: str) -> None:
    deadline = time.monotonic() + 20
    while f'"path":"{path}"' not in log.read_text():
        assert time.monotonic() < deadline, "The request did not end."
        time.sleep(0.05)
