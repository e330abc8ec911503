"""A response of encoded bytes, as an ASGI application."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    # Litestar takes 0.2 s to import, which commands that serve nothing do without.
    from litestar.types import Receive, Scope, Send

JSON = b"application/json"

# The key of the scope of what sends a whole response by one call, if it can: `Respond`.
RESPOND = "roster.respond"

Headers = Iterable[tuple[bytes, bytes]]
# Sends a response of a status, header fields and a body, and returns whether it could; if not, nothing was sent.
Respond = Callable[[int, list[tuple[bytes, bytes]], bytes], bool]


class Answer:
    """A status, headers and an encoded body; being an ASGI application, it passes Litestar unconverted."""

    __slots__ = ("body", "headers", "status")

    def __init__(
        self, body: bytes = b"", *, status: int = 200, media_type: bytes = JSON, headers: Headers = ()
    ) -> None:
        self.body = body
        self.status = status
        # 204 and 304 have no Content-Length (RFC 9110, 8.6).
        if status in (204, 304):
            self.headers = [*headers]
        else:
            self.headers = [(b"content-type", media_type), (b"content-length", b"%d" % len(body)), *headers]

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:  # noqa: ARG002 - ASGI's signature
        respond: Any = scope.get(RESPOND)
        if respond is not None and respond(self.status, self.headers, self.body):
            return
        await send({"type": "http.response.start", "status": self.status, "headers": self.headers})
        await send({"type": "http.response.body", "body": self.body, "more_body": False})


def header(scope: Any, name: bytes) -> str | None:
    """Return a request header's value, several of the same name joined by commas (RFC 9110, 5.3)."""
    values = [value for key, value in scope["headers"] if key == name]
    return b", ".join(values).decode("latin-1") if values else None


def content_length(scope: Any) -> int:
    """Return the request's Content-Length; 0 if the header is missing."""
    declared = header(scope, b"content-length") or "0"
    # int() takes at most 4,300 digits, and any number of leading zeros is legal.
    return int(declared.lstrip("0") or "0") if declared.isdecimal() else 0
