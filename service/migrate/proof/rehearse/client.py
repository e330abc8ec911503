"""An HTTP client for a load: one kept-alive connection on loopback with one request at a time."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from time import monotonic
from typing import cast

import httptools

# Servers close idle connections, some while a request is on its way.
_IDLE_SECONDS = 1.0


@dataclass(slots=True)
class Answer:
    """A response; the names of `headers` are in lower case."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


class Client:
    """Sends requests to a port of this machine; a connection that the server closed is opened again."""

    def __init__(self, port: int, timeout_seconds: float) -> None:
        self._port = port
        self._timeout_seconds = timeout_seconds
        self._connection: _Connection | None = None
        self._used_at = 0.0

    async def ask(self, method: str, target: str, headers: Mapping[str, str], body: bytes | None = None) -> Answer:
        """Send one request and return the response.

        Raises:
            TimeoutError: no complete response came in time.
            OSError: the connection was refused or closed.
        """
        try:
            async with asyncio.timeout(self._timeout_seconds):
                connection = await self._open()
                answer = await connection.ask(_request(method, target, headers, body))
        except BaseException:
            self.close()
            raise
        self._used_at = monotonic()
        if answer.headers.get("connection", "").lower() == "close":
            self.close()
        return answer

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    async def _open(self) -> "_Connection":
        if self._connection is not None and monotonic() - self._used_at > _IDLE_SECONDS:
            self.close()
        if self._connection is None or self._connection.is_closed:
            loop = asyncio.get_running_loop()
            _, self._connection = await loop.create_connection(_Connection, "127.0.0.1", self._port)
        return self._connection


class _Connection(asyncio.Protocol):
    def __init__(self) -> None:
        self._waiting: asyncio.Future[Answer] | None = None

    @property
    def is_closed(self) -> bool:
        return self._transport.is_closing()

    def close(self) -> None:
        self._transport.abort()

    async def ask(self, request: bytes) -> Answer:
        self._answer, self._parts = Answer(), list[bytes]()
        self._parser = httptools.HttpResponseParser(self)
        self._waiting = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._waiting

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as failure:
            self._fail(ConnectionError(f"not HTTP: {failure}"))
            self.close()

    def connection_lost(self, _failure: Exception | None) -> None:
        self._fail(ConnectionResetError("closed by the server"))

    def on_header(self, name: bytes, value: bytes) -> None:
        self._answer.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        self._parts.append(body)

    def on_message_complete(self) -> None:
        self._answer.status = self._parser.get_status_code()
        self._answer.body = b"".join(self._parts)
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(self._answer)

    def _fail(self, failure: Exception) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(failure)


def _request(method: str, target: str, headers: Mapping[str, str], body: bytes | None) -> bytes:
    lines = [f"{method} {target} HTTP/1.1", "host: 127.0.0.1", *(f"{name}: {value}" for name, value in headers.items())]
    if body is not None:
        lines.append(f"content-length: {len(body)}")
    elif method != "GET":
        lines.append("content-length: 0")
    return "\r\n".join([*lines, "\r\n"]).encode() + (body or b"")
