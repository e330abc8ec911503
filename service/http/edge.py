"""The outermost ring: request id, HEAD, OPTIONS, figures and a log line for every request, whatever becomes of it."""

import random
import re
from collections.abc import Callable, Mapping
from time import perf_counter
from typing import Any

from litestar.types import ASGIApp, Receive, Scope, Send

from service.errors import NotFound
from service.http.problems import describe

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,100}")
_QUIET = frozenset({"/livez", "/readyz", "/metrics"})

# Told of every request: method, route template, status (0 when the caller went away) and seconds.
Observe = Callable[[str, str, int, float], None]
# Told of all but the quiet ones, to be logged: request id, method, path, status and seconds.
Note = Callable[[str, str, str, int, float], None]


class Edge:
    """Wraps the application; errors and unmatched routes pass through here as everything else does."""

    def __init__(self, app: ASGIApp, observe: Observe, note: Note, allow: Mapping[str, bytes]) -> None:
        self._app = app
        self._observe = observe
        self._note = note
        self._allow = allow

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = perf_counter()
        request_id = _request_id(scope)
        scope["request_id"] = request_id.decode()
        method = scope["method"]
        if method == "HEAD":
            scope["method"] = "GET"
            # An endless answer need not be made for its headers.
            scope["bodiless"] = True
        status = 0

        async def send_marked(message: Any) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = [*message["headers"], (b"x-request-id", request_id)]
                if method == "OPTIONS" and (allow := self._allow.get(scope.get("path_template", ""))):
                    headers = [each for each in headers if each[0].lower() != b"allow"] + [(b"allow", allow)]
                message["headers"] = headers
            elif method == "HEAD":
                message = {"type": "http.response.body", "body": b"", "more_body": message.get("more_body", False)}
            await send(message)

        try:
            _check_spelling(scope["path"])
            await self._app(scope, receive, send_marked)
        except Exception as failure:
            if status:
                raise
            await describe(failure, scope["request_id"])(scope, receive, send_marked)
        finally:
            seconds = perf_counter() - started
            route = scope.get("path_template", "")
            self._observe(method, route, status, seconds)
            if route not in _QUIET:
                self._note(scope["request_id"], method, scope["path"], status, seconds)


def _check_spelling(path: str) -> None:
    """Return if the path is the one spelling of its address; Litestar overlooks slashes too many."""
    if "//" in path or (path.endswith("/") and path != "/"):
        raise NotFound("There is nothing at this address; mind the slashes.")


def _request_id(scope: Scope) -> bytes:
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _REQUEST_ID.fullmatch(value):
            return value
    # It tells requests apart and keeps no secret: urandom would be a system call for each.
    return b"%032x" % random.getrandbits(128)
