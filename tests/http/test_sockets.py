"""HTTP as clients speak it: kept-alive connections, HEAD, pipelining, HTTP/1.0, over real sockets."""

import http.client
import json
import socket
import struct
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from tests import loopback
from tests.cli.servers import serving
from tests.conftest import copy_of
from tests.http.sockets import Heard, Line, ask, request

PATHS = ["/v1/users/1", "/v1/users", "/v1/users/export", "/livez", "/readyz", "/docs", "/openapi.json", "/metrics"]
FAILING = ["/v1/users/999", "/nowhere", "/v1/users?limit=0", "/v1/users/export?format=xml"]
ANN = '{"name": "Ann", "email": "ann@example.org"}'
JSON = "Content-Type: application/json"


@pytest.fixture(scope="module")
async def served(sqlite_template_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[int, Path]]:
    """The port and the log of a server with one user."""
    folder = tmp_path_factory.mktemp("sockets")
    url = copy_of(sqlite_template_url, folder)
    with serving(url, folder / "log") as (base, _):
        loopback.post(f"{base}/v1/users", json=json.loads(ANN)).raise_for_status()
        yield int(base.rpartition(":")[2]), folder / "log"


@pytest.fixture
def port(served: tuple[int, Path]) -> Iterator[int]:
    """The server's port; no test may leave a traceback in its log."""
    port, log = served
    yield port
    assert "Traceback" not in log.read_text()


@pytest.mark.slow
@pytest.mark.parametrize("path", PATHS + FAILING)
def test_head_is_get_without_its_body_on_one_connection(port: int, path: str) -> None:
    with Line(port) as line:
        line.send(request(path))
        got = line.hear()
        for _ in range(3):
            line.send(request(path, method="HEAD"))
            head = line.hear("HEAD")
            assert head.status == got.status
            # The length of a stream is not known without it.
            different = {"date", "x-request-id", "transfer-encoding"} | ({"content-length"} & {path[1:]})
            if path != "/metrics":
                assert {k: v for k, v in head.headers.items() if k not in different} == {
                    k: v for k, v in got.headers.items() if k not in different
                }
            line.send(request("/livez"))
            assert line.hear().body == b'{"status":"alive"}'


@pytest.mark.slow
def test_httpx_and_http_client_go_on_after_head(port: int) -> None:
    base = f"http://127.0.0.1:{port}"
    with loopback.Client(base_url=base, limits=httpx.Limits(max_connections=1)) as client:
        for path in PATHS + FAILING:
            assert client.head(path).content == b""
            assert client.get("/livez").json() == {"status": "alive"}
            known = client.head("/v1/users/1", headers={"if-none-match": '"1"'})
            assert (known.status_code, client.get("/v1/users/1").json()["name"]) == (304, "Ann")
    plain = http.client.HTTPConnection("127.0.0.1", port)
    plain.connect()
    first = plain.sock
    for path in PATHS + FAILING:
        plain.request("HEAD", path)
        assert plain.getresponse().read() == b""
        plain.request("GET", "/livez")
        assert plain.getresponse().read() == b'{"status":"alive"}'
        assert plain.sock is first
    plain.close()


def test_requests_sent_ahead_are_answered_in_their_order(port: int) -> None:
    ahead = [("HEAD", "/v1/users/export"), ("GET", "/v1/users/export"), ("HEAD", "/nowhere"), ("GET", "/v1/users/1")]
    with Line(port) as line:
        line.send(b"".join(request(path, method=method) for method, path in ahead * 5))
        for method, path in ahead * 5:
            heard = line.hear(method)
            assert heard.status == (404 if path == "/nowhere" else 200)
            assert (b'"Ann"' in heard.body) is (method == "GET")


def test_thousands_of_requests_sent_ahead_are_all_answered(port: int) -> None:
    count = 3000
    with Line(port) as line:
        line.send(b"".join(request("/livez", f"X-Request-ID: n{number}") for number in range(count)))
        ids = [line.hear().headers["x-request-id"] for _ in range(count)]
    assert ids == [f"n{number}" for number in range(count)]


def test_bodies_sent_ahead_belong_to_their_requests(port: int) -> None:
    bodies = [f'{{"title": "Tape {number}"}}' for number in range(20)]
    with Line(port) as line:
        line.send(b"".join(request("/v1/records", JSON, method="POST", body=body) for body in bodies))
        heard = [line.hear() for _ in bodies]
    assert [json.loads(each.body)["title"] for each in heard] == [f"Tape {number}" for number in range(20)]


@pytest.mark.parametrize("path", ["/v1/users/export", "/v1/users/export?format=csv", "/v1/users/1", "/nowhere"])
def test_http_1_0_gets_no_chunks_and_the_end(port: int, path: str) -> None:
    new, old = ask(port, request(path, "Connection: close")), ask(port, request(path, version="1.0"))
    assert "transfer-encoding" not in old.headers
    assert old.headers["connection"] == "close"
    assert old.status == new.status
    if new.status == 200:
        assert old.body == new.body
    head = ask(port, request(path, version="1.0", method="HEAD"), "HEAD")
    assert (head.status, head.body) == (old.status, b"")


def test_http_1_0_needs_no_host_but_an_allowed_one(port: int) -> None:
    assert ask(port, b"GET /v1/users/1 HTTP/1.0\r\n\r\n").status == 200
    assert ask(port, b"GET /v1/users/1 HTTP/1.0\r\nHost: evil.example\r\n\r\n").status == 421
    assert ask(port, b"GET http://evil.example/v1/users/1 HTTP/1.0\r\n\r\n").status == 421


def test_a_client_may_close_its_half_first(port: int) -> None:
    with Line(port) as line:
        line.send(request("/v1/users/export") + request("/v1/users/1"))
        line.socket.shutdown(socket.SHUT_WR)
        assert [line.hear().status, line.hear().status] == [200, 200]
        assert line.hear_end() == b""


@pytest.mark.parametrize("upgrade", ["h2c", "websocket", "TLS/1.0"])
def test_an_upgrade_is_ignored_and_the_body_read(port: int, upgrade: str) -> None:
    record = request(
        "/v1/records", JSON, f"Upgrade: {upgrade}", "Connection: Upgrade", method="POST", body='{"title": "a"}'
    )
    with Line(port) as line:
        line.send(record + request("/livez"))
        assert [line.hear().status, line.hear().status] == [201, 200]
        line.send(record[:-4])
        line.send(record[-4:] + request("/livez"))
        assert [line.hear().status, line.hear().status] == [201, 200]


def test_asks_for_a_body_only_when_it_will_be_read(port: int) -> None:
    with Line(port) as line:
        line.send(request("/v1/records", JSON, "Expect: 100-continue", "Content-Length: 14", method="POST"))
        assert line.hear("HEAD").status == 100
        line.send(b'{"title": "a"}')
        assert line.hear().status == 201
    refused = ask(port, request("/nowhere", "Expect: 100-continue", "Content-Length: 14", method="POST"))
    assert (refused.status, refused.headers["connection"]) == (404, "close")


def test_does_not_ask_for_a_body_that_is_too_long(port: int) -> None:
    for version in ("1.1", "1.0"):
        head = request(
            "/v1/records", JSON, "Expect: 100-continue", "Content-Length: 5000000", method="POST", version=version
        )
        heard = ask(port, head)
        assert (heard.status, heard.headers["connection"]) == (413, "close")


@pytest.mark.parametrize(("path", "kind"), [("/v1/records", "application/json"), ("/v1/records/import", "text/csv")])
def test_a_length_may_begin_with_zeros(port: int, path: str, kind: str) -> None:
    body = "title\nTape\n" if "import" in path else '{"title": "a"}'
    head = request(path, f"Content-Type: {kind}\t", f"Content-Length: {len(body):05000}", method="POST")
    assert ask(port, head + body.encode()).status in (200, 201)


@pytest.mark.parametrize("expecting", [(), ("Expect: 100-continue", "Content-Length: 9")])
def test_a_client_that_leaves_before_an_unchunked_answer_is_no_error(port: int, expecting: tuple[str, ...]) -> None:
    version = "1.1" if expecting else "1.0"
    for path in PATHS[:3] + FAILING:
        with Line(port) as line:
            line.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            line.send(request(path, *expecting, version=version))
    assert ask(port, request("/livez")).status == 200


def test_a_tab_after_a_value_is_no_part_of_it(port: int) -> None:
    assert ask(port, request("/v1/users/1", "Host: localhost\t").replace(b"Host: localhost\r\n", b"")).status == 200
    assert ask(port, request("/v1/users/1", 'If-Match: "1"\t')).status == 200


def test_a_body_that_nobody_reads_does_not_become_the_next_request(port: int) -> None:
    with Line(port) as line:
        line.send(request("/nowhere", "Content-Length: 100000", method="POST"))
        assert line.hear().status == 404
        line.send(b"x" * 100_000 + request("/livez"))
        assert line.hear().status == 200


def test_a_large_refused_body_does_not_hide_the_answer(port: int) -> None:
    with Line(port) as line:
        line.send(request("/v1/records", JSON, "Connection: close", "Content-Length: 5000000", method="POST"))
        line.send(b" " * 5_000_000)
        heard = line.hear()
        assert (heard.status, line.hear_end()) == (413, b"")


def test_trailers_are_not_headers(port: int) -> None:
    chunked = request("/v1/records", JSON, "Transfer-Encoding: chunked", method="POST")
    with Line(port) as line:
        line.send(chunked + b'e\r\n{"title": "a"}\r\n0\r\nIdempotency-Key: no good\r\nX-Request-ID: t\r\n\r\n')
        heard = line.hear()
    assert heard.status == 201
    assert heard.headers["x-request-id"] != "t"


CODED = ["gzip", "GZIP", "br", "deflate, gzip", "identity, gzip", "x" * 300, "\xe9"]


@pytest.mark.parametrize("coding", CODED)
@pytest.mark.parametrize(
    ("method", "path", "kind"),
    [
        ("POST", "/v1/users", "application/json"),
        ("PATCH", "/v1/users/1", "application/merge-patch+json"),
        ("PUT", "/v1/departments/1/employees/1", "application/json"),
        ("POST", "/v1/users/import", "text/csv"),
        ("DELETE", "/v1/users/1", "application/json"),
        ("GET", "/v1/users", "application/json"),
    ],
)
def test_a_coded_body_is_refused_by_the_name_of_its_coding(
    port: int, method: str, path: str, kind: str, coding: str
) -> None:
    headers = ("Connection: close", f"Content-Type: {kind}", f"Content-Encoding: {coding}")
    heard = ask(port, request(path, *headers, method=method, body="\x1f\x8b"))
    assert heard.problem["type"] == "urn:roster:problem:unsupported-media-type"
    named = [each.strip() for each in coding.split(",") if each.strip() != "identity"]
    assert ", ".join(named)[:90].encode("ascii", "backslashreplace").decode() in heard.problem["detail"]
    assert heard.headers["accept-encoding"] == "identity"


@pytest.mark.parametrize("coding", ["identity", "Identity", "", " , ", "identity, identity"])
def test_no_coding_by_any_spelling_is_taken(port: int, coding: str) -> None:
    heard = ask(port, request("/v1/records", JSON, f"Content-Encoding: {coding}", method="POST", body='{"title": "a"}'))
    assert heard.status == 201


def test_a_coding_of_no_body_does_not_matter(port: int) -> None:
    assert ask(port, request("/v1/users/1", "Content-Encoding: gzip")).status == 200
    assert ask(port, request("/v1/users/1", "Content-Encoding: gzip", "Content-Length: 0")).status == 200


def test_bytes_that_are_no_text_in_a_query_are_refused(port: int) -> None:
    heard: Heard = ask(port, request("/v1/users?q=%ff"))
    assert heard.status in (400, 422)


def test_the_service_as_a_whole_has_options(port: int) -> None:
    heard = ask(port, request("*", method="OPTIONS"))
    assert (heard.status, heard.headers["allow"]) == (204, "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT")
    assert ask(port, request("*")).status == 404


def statuses(port: int, data: bytes) -> list[int]:
    """The statuses of all responses to what a client sends before it closes its sending half."""
    with Line(port) as line:
        line.send(data)
        line.socket.shutdown(socket.SHUT_WR)
        return [int(part[:3]) for part in line.hear_end().split(b"HTTP/1.1 ")[1:]]


def test_requests_that_are_answered_at_once_keep_their_place_among_others(port: int) -> None:
    get = request("/v1/users/1")
    post = request("/v1/users", JSON, method="POST", body=ANN)
    assert statuses(port, get) == [200]
    assert statuses(port, post + get + post + get) == [409, 200, 409, 200]
    assert statuses(port, get + post + get) == [200, 409, 200]
    assert statuses(port, request("/v1/users/1", "Connection: close") + get) == [200]
    assert statuses(port, request("/v1/users/1", body="x") + get) == [200, 200]
    assert statuses(port, request("/v1/users/1", "Upgrade: h2c", "Connection: Upgrade") + get) == [200, 200]
    assert statuses(port, get * 1000) == [200] * 1000


def test_a_request_in_parts_is_answered_once_it_is_complete(port: int) -> None:
    get = request("/v1/users/1")
    with Line(port) as line:
        for at in range(len(get)):
            line.send(get[at : at + 1])
        assert line.hear().status == 200
        line.send(get + get[:20])
        assert line.hear().status == 200
        line.send(get[20:])
        assert line.hear().status == 200
        line.send(get + b"nonsense\r\n\r\n")
        assert [line.hear().status for _ in range(2)] == [200, 400]
        assert line.hear_end() == b""
