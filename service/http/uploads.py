"""Streams a request body, and detects a client that disconnects."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from litestar import Request

from service.errors import Malformed
from service.http.answers import content_length
from service.http.edge import IS_HALF_CLOSED
from service.http.problems import TooLarge


class ClientGone(Malformed):
    """The client closed the connection before the response."""


class Upload:
    """Reads one body; after its end it watches for a disconnect until the context is left.

    `broken` is true if the body is incomplete or the client has disconnected.
    """

    def __init__(self, request: Request[Any, Any, Any], limit: int) -> None:
        self.received = 0
        self.broken = False
        self._request = request
        self._limit = limit
        self._ended = False
        self._gone = False
        self._watch: asyncio.Task[None] | None = None
        extensions: Any = request.scope.get("extensions") or {}
        self._is_half_closed: Callable[[], bool] = extensions.get(IS_HALF_CLOSED, lambda: False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, failure: BaseException | None, at: TracebackType | None
    ) -> None:
        if self._watch is not None:
            self._watch.cancel()
            with suppress(asyncio.CancelledError):
                await self._watch

    def check(self) -> None:
        """Return if the client is connected, as far as is known.

        Raises:
            ClientGone: the client has closed the connection or its sending half, which look alike to the server.
        """
        if self._gone or self._is_half_closed():
            self.broken = True
            raise ClientGone("The client closed the connection before it was answered, so the import was stopped.")

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the chunks of the body.

        Raises:
            TooLarge: the body has more bytes than the limit.
            ClientGone: the body is incomplete.
        """
        size = content_length(self._request.scope)
        while max(size, self.received) <= self._limit:
            chunk = await self._receive()
            if self.received > self._limit:
                break
            if chunk:
                yield chunk
            if self._ended:
                return
        raise TooLarge(f"The body is longer than {self._limit} bytes.")

    async def skip(self) -> None:
        """Read to the end of the body or to the limit: many clients read no response before they have sent all."""
        while not self._ended and self.received <= self._limit:
            await self._receive()

    async def _receive(self) -> bytes:
        try:
            message: Any = await self._request.receive()
        except Exception:
            # The server found the rest of the body malformed.
            self.broken = True
            raise
        if message["type"] == "http.disconnect":
            self.broken = True
            raise ClientGone("The request ended before its body did.")
        chunk: bytes = message.get("body", b"")
        self.received += len(chunk)
        if not message.get("more_body", False):
            self._ended = True
            # After the last chunk the next message is the disconnect.
            self._watch = asyncio.create_task(self._wait_for_disconnect())
        return chunk

    async def _wait_for_disconnect(self) -> None:
        while (await self._request.receive())["type"] != "http.disconnect":
            pass
        self._gone = True
