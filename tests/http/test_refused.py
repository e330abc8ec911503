"""What the server below refuses is a problem document with an id, counted, and logged once without a traceback."""

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests import loopback
from tests.cli.servers import serving
from tests.conftest import copy_of
from tests.http.sockets import Line, ask, request

pytestmark = pytest.mark.slow

POST = b"POST /v1/records HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
GET = b"GET /v1/users HTTP/1.1\r\nHost: localhost\r\n"
MALFORMED = {
    "no request": b"GARBAGE\r\n\r\n",
    "a method that is none": b"BREW /v1/users HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "a target that is none": b"GET users HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "bytes in the target": b"GET /v1/\xff HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "another scheme": b"GET ftp://localhost/ HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a user in the target": b"GET http://me@localhost/livez HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "another host in the target": b"GET http://other.example/livez HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "another port in the target": b"GET http://localhost:1/livez HTTP/1.1\r\nHost: localhost:2\r\n\r\n",
    "no host": b"GET /livez HTTP/1.1\r\nConnection: close\r\n\r\n",
    "two hosts": b"GET /livez HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    "a host that is none": b"GET /livez HTTP/1.1\r\nHost: a b\r\nConnection: close\r\n\r\n",
    "a space before the colon": GET + b"A : b\r\n\r\n",
    "a folded header": GET + b"A: b\r\n c\r\n\r\n",
    "a NUL": GET + b"A: b\x00\r\n\r\n",
    "a name that is none": GET + b"A(: b\r\n\r\n",
    "bare line feeds": b"GET /livez HTTP/1.1\nHost: localhost\n\n",
    "length and chunks": POST + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks and length": POST + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
    "two lengths": POST + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
    "two lengths in one": POST + b"Content-Length: 3, 3\r\n\r\nabc",
    "a length that is none": POST + b"Content-Length: +3\r\n\r\nabc",
    "a length too long": POST + b"Content-Length: 99999999999999999999\r\n\r\nabc",
    "chunks inside a coding": POST + b"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
    "another coding": POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "chunks in HTTP/1.0": b"POST /v1/records HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a chunk size that is none": POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nab\r\n0\r\n\r\n",
    "a chunk longer than its size": POST + b'Transfer-Encoding: chunked\r\n\r\n1\r\n{"}\r\n0\r\n\r\n',
    "a chunk too long": POST + b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
}
OTHERS = {
    "HTTP/2.0": (505, b"GET / HTTP/2.0\r\nHost: localhost\r\n\r\n"),
    "HTTP/3.0": (505, b"GET / HTTP/3.0\r\nHost: localhost\r\n\r\n"),
    "HTTP/2's preface": (505, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    "a coding before chunks": (501, POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
    "CONNECT": (501, b"CONNECT localhost:1 HTTP/1.1\r\nHost: localhost:1\r\n\r\n"),
    "a long header": (431, GET + b"A: " + b"a" * 70_000 + b"\r\n\r\n"),
    "many headers": (431, GET + b"A: b\r\n" * 20_000 + b"\r\n"),
    "a long name": (431, GET + b"a" * 70_000 + b": b\r\n\r\n"),
    "a long target": (431, b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    "no end of headers": (431, GET + b"A: " + b"a" * 90_000),
    "long trailers": (431, POST + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n0\r\nA: " + b"a" * 90_000),
    "a long chunk extension": (431, POST + b"Transfer-Encoding: chunked\r\n\r\n1;a=" + b"a" * 90_000),
    "a foreign host": (421, b"GET / HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n"),
}
CASES = {name: (400, data) for name, data in MALFORMED.items()} | OTHERS


@pytest.fixture(scope="module")
async def server(
    sqlite_template_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[int, Path, int]]:
    """Port, log and process id."""
    folder = tmp_path_factory.mktemp("refused")
    url = copy_of(sqlite_template_url, folder)
    with serving(url, folder / "log") as (base, process):
        yield int(base.rpartition(":")[2]), folder / "log", process.pid


@pytest.fixture
def served(server: tuple[int, Path, int]) -> tuple[int, Path]:
    return server[:2]


@pytest.mark.parametrize("name", CASES)
def test_a_refusal_is_a_problem_document_and_ends_the_connection(served: tuple[int, Path], name: str) -> None:
    (port, log), (status, data) = served, CASES[name]
    counted = count(port, status)
    heard = ask(port, data)
    assert heard.status == status
    assert heard.problem["detail"].endswith((".", "localhost."))
    assert heard.headers["connection"] == "close"
    assert count(port, status) == counted + 1
    told = log.read_text()
    lines = [json.loads(line) for line in told.splitlines() if heard.headers["x-request-id"] in line]
    assert [(line["event"], line["status"]) for line in lines] == [("request", status)]
    assert "Traceback" not in told


def count(port: int, status: int) -> float:
    """How many requests the service counted that were answered so."""
    figures = loopback.get(f"http://127.0.0.1:{port}/metrics").text.splitlines()
    return sum(
        float(line.split()[-1])
        for line in figures
        if line.startswith("roster_request_seconds_count") and f'status="{status}"' in line
    )


@pytest.mark.parametrize("name", ["no request", "two lengths", "a space before the colon"])
def test_what_came_before_a_bad_request_is_answered_first(served: tuple[int, Path], name: str) -> None:
    with Line(served[0]) as line:
        line.send(request("/v1/users/export") + request("/v1/users") + MALFORMED[name] + request("/livez"))
        assert [line.hear().status for _ in range(3)] == [200, 200, 400]
        assert line.hear_end() == b""


def test_the_callers_id_is_kept_and_head_has_no_body(served: tuple[int, Path]) -> None:
    heard = ask(served[0], request("/livez", "X-Request-ID: mine", "A: b", "B : c"))
    assert (heard.status, heard.headers["x-request-id"]) == (400, "mine")
    head = ask(served[0], request("/livez", "A : b", method="HEAD"), "HEAD")
    assert (head.status, head.body) == (400, b"")


def test_a_head_just_within_the_limit_is_read(served: tuple[int, Path]) -> None:
    assert ask(served[0], request("/livez", "A: " + "a" * 65_000)).status == 200
    with Line(served[0]) as line:
        line.send((request("/livez", "A: " + "a" * 60_000)) * 3)
        assert [line.hear().status for _ in range(3)] == [200, 200, 200]


def test_same_host_in_target_and_header_is_served(served: tuple[int, Path]) -> None:
    for target, host in (("http://localhost/livez", "localhost:80"), ("HTTP://LocalHost:81", "localhost:81")):
        data = f"GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()
        assert ask(served[0], data).status == (200 if "livez" in target else 404)


def test_a_client_that_never_stops_sending_headers_costs_no_memory(server: tuple[int, Path, int]) -> None:
    port, _, process = server
    before = peak_kib(process)
    with Line(port) as line:
        line.send(GET)
        for _ in range(800):
            line.send(b"A: " + b"a" * 65_530 + b"\r\n")
        assert line.hear().status == 431
    assert peak_kib(process) - before < 8_192


def test_a_client_that_sends_thousands_of_requests_ahead_costs_no_memory(server: tuple[int, Path, int]) -> None:
    port, _, process = server
    before = peak_kib(process)
    with Line(port) as line:
        line.socket.settimeout(0.5)
        with pytest.raises(TimeoutError):
            # The server stops reading, since the client does not read the answers.
            line.send(request("/v1/users") * 1_000_000)
    assert peak_kib(process) - before < 16_384


def peak_kib(process: int) -> int:
    """The most memory that the process has had."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{process}/status").read_text())
    assert found is not None
    return int(found[1])
