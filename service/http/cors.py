"""Cross-origin requests: what a browser lets pages of other origins do (the Fetch standard, 3.2)."""

from collections.abc import Iterable
from typing import Any

from service.http.answers import Answer, header

_METHODS = b"DELETE, GET, HEAD, PATCH, POST, PUT"
_REQUEST_HEADERS = b"authorization, content-type, idempotency-key, if-match, if-none-match, last-event-id, x-request-id"
_RESPONSE_HEADERS = (
    b"content-disposition, etag, idempotency-replayed, link, location, retry-after, www-authenticate, x-request-id"
)
_PREFLIGHT_SECONDS = b"600"


class Cors:
    """Headers for pages of the allowed origins; without any, no response mentions CORS.

    Litestar's own middleware answers a refused preflight in plain text, and misses errors outside of the application.
    Cookies are never allowed: a page of another origin sends a token.
    """

    def __init__(self, origins: Iterable[str]) -> None:
        self._origins = frozenset(each.encode() for each in origins)

    def headers(self, scope: Any) -> list[tuple[bytes, bytes]]:
        """Return the headers that every response to this request gets."""
        if not self._origins:
            return []
        # Caches must not hand the response for one origin to another one.
        headers = [(b"vary", b"Origin")]
        if (origin := self._allowed(scope)) is not None:
            headers += [(b"access-control-allow-origin", origin), (b"access-control-expose-headers", _RESPONSE_HEADERS)]
        return headers

    def preflight(self, scope: Any) -> Answer | None:
        """Return the response to a browser that asks before a request, or `None` for other requests."""
        if scope["method"] != "OPTIONS" or self._allowed(scope) is None:
            return None
        if header(scope, b"access-control-request-method") is None:
            return None
        return Answer(
            status=204,
            headers=[
                (b"access-control-allow-methods", _METHODS),
                (b"access-control-allow-headers", _REQUEST_HEADERS),
                (b"access-control-max-age", _PREFLIGHT_SECONDS),
            ],
        )

    def _allowed(self, scope: Any) -> bytes | None:
        origins = [value for name, value in scope["headers"] if name == b"origin"]
        return origins[0] if len(origins) == 1 and origins[0] in self._origins else None
