"""One request and its answer on a connection."""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from service.http.problems import problem


class Cycle(RequestResponseCycle):
    """Uvicorn's, which also fails a request whose body goes wrong, and frames answers to HTTP/1.0."""

    failure: Exception | None = None
    _until_close = False

    def fail(self, failure: Exception) -> None:
        """Raise this where the application waits for the rest of the body."""
        self.failure = failure
        self.keep_alive = False
        self.message_event.set()

    async def receive(self) -> Any:
        """Return the next part of the body.

        Raises:
            Exception: what was wrong with the body, while it can still be answered.
        """
        message = {"type": "http.disconnect"} if self.failure else await super().receive()
        if self.failure is None or self.disconnected:
            return message
        if self.response_started:
            return {"type": "http.disconnect"}
        raise self.failure

    async def run_asgi(self, app: Any) -> None:
        """Call the application; what it leaves unanswered is answered here."""
        plain = self.scope["http_version"] != "1.0" and not self.waiting_for_100_continue
        send = self.send if plain else self._send_framed
        try:
            await app(self.scope, self.receive, send)
        except asyncio.CancelledError:
            # The drain has ended; without its end an answer is not taken for whole.
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
        """Send to HTTP/1.0, which knows no chunks, or before a body that waits for 100 Continue."""
        # After a client has left uvicorn takes the start of an answer without a note of it.
        if message["type"] == "http.response.start":
            # Nobody can say whether the client will send that body now (RFC 9110, 10.1.1).
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
            # The end of the connection would be taken for the end of the answer.
            self.transport.reset()  # type: ignore[attr-defined]
        else:
            self.transport.close()


def _nothing() -> None:
    """Stand for uvicorn's callback once the request is over."""
