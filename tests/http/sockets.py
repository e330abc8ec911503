"""Talking to a server over a socket, byte by byte."""

import json
import socket
from dataclasses import dataclass
from typing import Any, Self

WAIT_SECONDS = 20.0


@dataclass
class Heard:
    """One answer as it came over the wire."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def problem(self) -> dict[str, Any]:
        """The problem document, which must be one, without its request id, which must be the header's."""
        assert self.headers["content-type"] == "application/problem+json", self
        assert int(self.headers["content-length"]) == len(self.body)
        document: dict[str, Any] = json.loads(self.body)
        assert document.pop("request_id") == self.headers["x-request-id"]
        assert document["status"] == self.status
        return document


class Line:
    """A connection to a server."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=WAIT_SECONDS)
        self._rest = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def hear(self, method: str = "GET") -> Heard:
        """The next answer, as long as its head says."""
        while b"\r\n\r\n" not in self._rest:
            assert self._more(), f"closed after {self._rest!r}"
        head, _, self._rest = self._rest.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        status = int(first.split()[1])
        has_body = method != "HEAD" and status not in (204, 304)
        return Heard(status, headers, self._body(headers) if has_body else b"")

    def hear_end(self) -> bytes:
        """What still comes until the server closes."""
        while self._more():
            pass
        rest, self._rest = self._rest, b""
        return rest

    def _body(self, headers: dict[str, str]) -> bytes:
        if "transfer-encoding" in headers:
            return self._chunks()
        if "content-length" in headers:
            return self._take(int(headers["content-length"]))
        return self.hear_end()

    def _chunks(self) -> bytes:
        whole = b""
        while True:
            while b"\r\n" not in self._rest:
                assert self._more()
            size, _, self._rest = self._rest.partition(b"\r\n")
            whole += self._take(int(size, 16))
            assert self._take(2) == b"\r\n"
            if not int(size, 16):
                return whole

    def _take(self, count: int) -> bytes:
        while len(self._rest) < count:
            assert self._more(), f"closed after {self._rest!r}"
        taken, self._rest = self._rest[:count], self._rest[count:]
        return taken

    def _more(self) -> bool:
        part = self.socket.recv(65_536)
        self._rest += part
        return bool(part)


def request(target: str = "/livez", *headers: str, method: str = "GET", version: str = "1.1", body: str = "") -> bytes:
    """A request with a good Host, and the length of its body if it has one."""
    length = [f"Content-Length: {len(body)}"] if body else []
    lines = [f"{method} {target} HTTP/{version}", "Host: localhost", *headers, *length, "", body]
    return "\r\n".join(lines).encode("latin-1")


def ask(port: int, data: bytes, method: str = "GET") -> Heard:
    """The answer to a connection's only bytes; nothing may come after it but the end of the connection."""
    with Line(port) as line:
        line.send(data)
        heard = line.hear(method)
        if heard.headers.get("connection") == "close":
            assert line.hear_end() == b""
        return heard
