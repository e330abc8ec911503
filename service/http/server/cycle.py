"""One request and its response."""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from service.http.problems import problem


class Cycle(RequestResponseCycle):
    """Uvicorn's cycle, with errors in a request body, and without chunks for HTTP/1.0."""

    failure: Exception | None = None
    _until_close = False

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

    async def run_asgi(self, app: Any) -> None:
        """Call the application; answer 500 if it does not respond."""
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
                    send,  # type: ignore[arg-type]
                )
        else:
            if not self.response_complete and not self.disconnected:
                self.logger.error("ASGI callable returned without completing response.")
                self._break_off()
        finally:
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


def _nothing() -> None:
    """Replaces uvicorn's callback after the request."""
