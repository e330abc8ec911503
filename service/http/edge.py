"""The outermost layer: Host, request id, HEAD, OPTIONS, metrics and a log line for every request."""

import asyncio
import random
import re
from collections.abc import Callable, Mapping
from functools import partial
from time import perf_counter
from typing import Any

from litestar.types import ASGIApp, Receive, Send

from service.errors import NotFound, Unavailable, Unsettled
from service.http.answers import RESPOND, Answer, Headers, Respond
from service.http.cors import Cors
from service.http.failed_requests import describe
from service.http.hosts import Hosts

# Keys of `scope["extensions"]` that the server sets: an error of the request that is answered here, whether the end of
# the drain cancelled the request, and whether the client has closed its sending half.
REFUSAL = "roster.refusal"
IS_STOPPING = "roster.is_stopping"
IS_HALF_CLOSED = "roster.is_half_closed"

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,100}")
# What `service.http.auth` reads, found here because all header fields are gone through once.
_CREDENTIALS = frozenset({b"authorization", b"cookie"})
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
# Methods whose responses `_Sender.send` edits.
_EDITED = frozenset({"HEAD", "OPTIONS"})
_QUIET = frozenset({"/livez", "/readyz", "/metrics"})

# Of responses that do not set them: no cache keeps what is for one caller, and a browser neither takes a response for
# a script nor shows it inside of another page.
_DEFAULTS = (
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"x-content-type-options", b"nosniff"),
)
_OWN = frozenset(name for name, _ in _DEFAULTS)

# Called for every request: method, route template, status (0 if the client disconnected) and seconds.
Observe = Callable[[str, str, int, float], None]
# Called for every request that is logged: request id, method, path, status, seconds and the user's id.
Note = Callable[[str, str, str, int, float, int | None], None]


class Edge:
    """Wraps the application; errors and unmatched routes pass through it too."""

    def __init__(
        self,
        app: ASGIApp,
        observe: Observe,
        note: Note,
        allow: Mapping[str, bytes],
        hosts: Hosts | None = None,
        cors: Cors | None = None,
    ) -> None:
        self._app = app
        self._observe = observe
        self._note = note
        self._allow = allow
        self._hosts = hosts or Hosts()
        self._cors = cors or Cors(())
        immediate: Callable[[Any], Answer | None] | None = getattr(app, "immediate", None)
        # Asked by the server before it calls the application; `None` where every request waits for the network.
        self.answer_now = None if immediate is None else partial(self._answer_now, immediate)

    async def __call__(self, given: Any, receive: Receive, send: Send) -> None:
        if given["type"] != "http":
            await self._app(given, receive, send)
            return
        started = perf_counter()
        # A copy: Litestar writes to the scope, and the server reads its own to know whether a body follows.
        scope: Any = {**given}
        hosts, request_id = _read_headers(scope)
        scope["request_id"] = request_id.decode()
        method = scope["method"]
        headers = [(b"x-request-id", request_id), *self._cors.headers(scope)]
        sender = _Sender(scope, send, headers, self._allow)
        if method == "HEAD":
            scope["method"] = "GET"
            # HEAD of an export: the body is not produced.
            scope["bodiless"] = True
        if RESPOND in scope:
            scope[RESPOND] = sender.respond
        try:
            self._check(scope, hosts)
            app = self._app if method != "OPTIONS" and scope["path"] != "*" else self._answerer(scope)
            await app(scope, receive, sender.send)
        except Exception as failure:
            if sender.status:
                raise
            await describe(failure, scope["request_id"])(scope, receive, sender.send)
        except asyncio.CancelledError:
            if sender.status or not _is_stopping(scope):
                raise
            await describe(_cut_off(method), scope["request_id"])(scope, receive, sender.send)
        finally:
            # A reference from the scope to what refers to the scope: garbage for the collector, which pauses requests.
            scope.pop(RESPOND, None)
            self._record(scope, method, sender.status, perf_counter() - started)

    def _answer_now(self, immediate: Callable[[Any], Answer | None], given: Any, respond: Respond) -> bool:
        """Answer a GET request without a body if nothing has to be waited for, and return whether it was answered.

        The response is that of a call of the application, which the server makes otherwise; nothing was sent then.
        """
        started = perf_counter()
        scope: Any = {**given}
        hosts, request_id = _read_headers(scope)
        scope["request_id"] = request_id.decode()
        try:
            self._check(scope, hosts)
            answer = immediate(scope)
        except NotFound as failure:
            answer = describe(failure, scope["request_id"])
        except Exception:  # noqa: BLE001 - the call of the application meets it again, and answers it
            return False
        if answer is None:
            return False
        headers = _with_defaults(answer.headers, [(b"x-request-id", request_id), *self._cors.headers(scope)])
        if not respond(answer.status, headers, answer.body):
            return False
        self._record(scope, "GET", answer.status, perf_counter() - started)
        return True

    def _record(self, scope: Any, method: str, status: int, seconds: float) -> None:
        route = scope.get("path_template", "")
        self._observe(method, route, status, seconds)
        if route not in _QUIET:
            actor = scope.get("actor")
            user_id = actor.user_id if actor else None
            self._note(scope["request_id"], method, scope["path"], status, seconds, user_id)

    def _check(self, scope: Any, hosts: list[bytes]) -> None:
        """Return if the request is acceptable; raise the error otherwise."""
        if extensions := scope.get("extensions"):
            refusal = extensions.get(REFUSAL)
            if refusal is not None:
                raise refusal
        self._hosts.check(hosts, scope)
        path = scope["path"]
        # Surplus slashes, which Litestar would ignore.
        if "//" in path or (path.endswith("/") and path != "/"):
            raise NotFound("There is nothing at this address; check the slashes.")

    def _answerer(self, scope: Any) -> ASGIApp:
        if preflight := self._cors.preflight(scope):
            return preflight
        return self._answer_server_options if scope["path"] == "*" else self._app

    async def _answer_server_options(self, scope: Any, receive: Receive, send: Send) -> None:
        """Answer `OPTIONS *` with the methods of the whole service (RFC 9110, 9.3.7)."""
        if scope["method"] != "OPTIONS":
            raise NotFound("There is nothing at this address.")
        methods = {each for allow in self._allow.values() for each in allow.split(b", ")}
        answer = Answer(status=204, headers=[(b"allow", b", ".join(sorted(methods)))])
        await answer(scope, receive, send)


class _Sender:
    """Adds the headers of every response and Allow, and drops the body for HEAD."""

    __slots__ = ("_allow", "_headers", "_method", "_respond", "_scope", "_send", "status")

    def __init__(self, scope: Any, send: Send, headers: list[tuple[bytes, bytes]], allow: Mapping[str, bytes]) -> None:
        self._scope = scope
        self._method = scope["method"]
        self._send = send
        self._respond = scope.get(RESPOND)
        self._headers = headers
        self._allow = allow
        self.status = 0

    def respond(self, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> bool:
        """Send a whole response by one call of the server, if it can; `send` sends it otherwise."""
        respond: Respond = self._respond
        if self.status or self._method in _EDITED or not respond(status, _with_defaults(headers, self._headers), body):
            return False
        self.status = status
        return True

    async def send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = _with_defaults(message["headers"], self._headers)
            if self._method == "OPTIONS" and (allow := self._allow.get(self._scope.get("path_template", ""))):
                headers = [each for each in headers if each[0].lower() != b"allow"] + [(b"allow", allow)]
            message["headers"] = headers
        elif self._method == "HEAD":
            message = {"type": "http.response.body", "body": b"", "more_body": message.get("more_body", False)}
        await self._send(message)


def _with_defaults(given: Headers, more: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    present = [name for name, _ in given]
    if _OWN.isdisjoint(present):
        return [*given, *more, *_DEFAULTS]
    return [*given, *more, *(each for each in _DEFAULTS if each[0] not in present)]


def _cut_off(method: str) -> Unavailable:
    if method in _SAFE:
        return Unavailable("The server stopped before the request was finished.")
    # A COMMIT that has begun completes.
    return Unsettled("The server stopped before the request was finished; whether it was stored is not known.")


def _is_stopping(scope: Any) -> bool:
    is_stopping = scope.get("extensions", {}).get(IS_STOPPING)
    return is_stopping is not None and is_stopping()


def _read_headers(scope: Any) -> tuple[list[bytes], bytes]:
    """Return the values of Host and the request id; credentials and content codings, if any, go into the scope."""
    hosts: list[bytes] = []
    request_id = None
    for name, value in scope["headers"]:
        if name == b"host":
            hosts.append(value)
        elif name == b"x-request-id":
            if request_id is None and _REQUEST_ID.fullmatch(value):
                request_id = value
        elif name in _CREDENTIALS:
            scope.setdefault(name.decode(), []).append(value)
        elif name == b"content-encoding":
            scope.setdefault("content_codings", []).append(value)
    # The id only identifies the request: os.urandom would cost a system call each.
    return hosts, request_id or b"%032x" % random.getrandbits(128)
