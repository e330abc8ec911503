"""One request and its response."""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from service.http.answers import RESPOND
from service.http.problems import problem
from service.http.server import head


class Cycle(RequestResponseCycle):
    """Uvicorn's cycle, with errors in a request body, and without chunks for HTTP/1.0."""

    failure: Exception | None = None
    _until_close = False
    # Of a response that has begun, until the first part of its body.
    _head = b""

    def fail(self, failure: Exception) -> None:
        """Raise the failure in the application's next receive()."""
        self.failure = failure
        self.keep_alive = False
        self.message_event.set()

    async def receive(self) -> Any:
        """Return the next part of the body.

        Raises:
            Exception: the failure of the body, while no response has begun.
        """
        message = {"type": "http.disconnect"} if self.failure else await super().receive()
        if self.failure is None or self.disconnected:
            return message
        if self.response_started:
            return {"type": "http.disconnect"}
        raise self.failure

    def respond(self, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> bool:
        """Write a whole response by one system call; return False for what `send` has to do, or to wait for."""
        is_usual = self.keep_alive and not (self.response_started or self.waiting_for_100_continue)
        if not is_usual or self.scope["method"] == "HEAD" or self.flow.write_paused or self.disconnected:
            return False
        written = head.written(status, [*self.default_headers, *headers])
        if written is None or written[1] != len(body):
            return False
        self.transport.write(written[0] + body)
        self.response_started = True
        self.waiting_for_100_continue = self.chunked_encoding = False
        self._complete()
        return True

    async def send(self, message: Any) -> None:
        """Send a message; a usual response is written as a whole, by one system call instead of two."""
        if self._head:
            await self._send_first(message)
        elif self.response_started or not self.keep_alive or not self._prepare(message):
            await super().send(message)

    def _prepare(self, message: Any) -> bool:
        """Keep the head until the body, which is ready where its length is known; else return False."""
        if message["type"] != "http.response.start":
            return False
        written = head.written(message["status"], [*self.default_headers, *message["headers"]])
        if written is None:
            return False
        self._head, self.expected_content_length = written
        self.response_started = True
        self.waiting_for_100_continue = self.chunked_encoding = False
        return True

    async def _send_first(self, message: Any) -> None:
        text, self._head = self._head, b""
        body = message.get("body", b"")
        is_whole = len(body) == self.expected_content_length and not message.get("more_body", False)
        # What is left to uvicorn: HEAD, bodies in parts or of a wrong length, and waiting for a slow client.
        if not is_whole or self.scope["method"] == "HEAD" or self.flow.write_paused or self.disconnected:
            if not self.disconnected:
                self.transport.write(text)
            await super().send(message)
            return
        self.transport.write(text + body)
        self.expected_content_length = 0
        self._complete()

    def _complete(self) -> None:
        self.response_complete = True
        self.message_event.set()
        if not self.keep_alive:
            self.transport.close()
        self.on_response()

    async def run_asgi(self, app: Any) -> None:
        """Call the application; answer 500 if it does not respond."""
        # With a key of ours, which the type of a scope does not have.
        scope: Any = self.scope
        scope[RESPOND] = self.respond
        plain = self.scope["http_version"] != "1.0" and not self.waiting_for_100_continue
        send = self.send if plain else self._send_framed
        try:
            await app(self.scope, self.receive, send)
        except asyncio.CancelledError:
            # The drain has ended: without its last chunk the client sees an incomplete response.
            self._break_off()
        except BaseException as failure:
            self.logger.exception("request failed", exc_info=failure)
            if self.response_started:
                self._break_off()
            else:
                await problem(500, "internal", "The service made a mistake; it has been written down.")(
                    self.scope,  # type: ignore[arg-type]
                    self.receive,
                    send,
                )
        else:
            if not self.response_complete and not self.disconnected:
                self.logger.error("ASGI callable returned without completing response.")
                self._break_off()
        finally:
            # The scope must not refer to the cycle that owns it: the garbage collector would have to find both.
            del scope[RESPOND]
            self.on_response = _nothing

    async def _send_framed(self, message: Any) -> None:
        """Send a message, with framing for HTTP/1.0 and for a client that waits for 100 Continue."""
        # After a disconnect uvicorn ignores the start of a response.
        if message["type"] == "http.response.start":
            # The client may or may not send the body now (RFC 9110, 10.1.1).
            self.keep_alive = self.keep_alive and not self.waiting_for_100_continue
            lengths = [value for name, value in message["headers"] if name.lower() == b"content-length"]
            if self.scope["http_version"] == "1.0" and not lengths:
                self._until_close = True
                self.chunked_encoding = False
        elif self._until_close:
            self.expected_content_length = len(message.get("body", b""))
        await self.send(message)

    def _break_off(self) -> None:
        if self._until_close:
            # HTTP/1.0 takes the end of the connection for the end of the response.
            self.transport.reset()  # type: ignore[attr-defined]
        else:
            self.transport.close()


class Answered:
    """The place of a cycle whose request was answered as a whole, by the application's `answer_now`."""

    response_complete = True
    more_body = False
    keep_alive = True
    message_event = asyncio.Event()


def _nothing() -> None:
    """Replaces uvicorn's callback after the request."""
