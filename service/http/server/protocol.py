"""Parses the bytes of a connection into requests."""

from typing import Any

import httptools

from service.errors import RosterError
from service.http.problems import HeadTooLarge, NotImplementedHere
from service.http.server import targets
from service.http.server.connection import Connection
from service.http.server.cycle import Answered

# Data is parsed in pieces, so that few pipelined requests are parsed before the first is served.
_PIECE_BYTES = 16_384
_FRAMING = frozenset({b"content-length", b"expect", b"transfer-encoding"})


class Protocol(Connection):
    """Uvicorn's parser with a limit on the head, and stricter than llhttp."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._head_bytes = 0
        self._piece_bytes = 0
        # Bytes since the last body data: chunk extensions and trailers.
        self._bodiless_bytes = 0
        self._codings: list[bytes] | None = None
        # Whether the request announces a body, or waits to send one.
        self._is_framed = False
        # Whether a complete request waits for the end of the piece, where it may be answered at once.
        self._held = False
        self._answer_now: Any = getattr(self.app, "answer_now", None)

    def data_received(self, data: bytes) -> None:
        if self.deaf:
            return
        if self.unparsed or self.pipeline:
            self.unparsed += data
            self.flow.pause_reading()
        elif len(data) <= _PIECE_BYTES:
            self._parse(data)
        else:
            self.parse(data)

    def parse(self, data: bytes) -> None:
        for start in range(0, len(data), _PIECE_BYTES):
            if self.deaf:
                return
            if self.pipeline:
                self.unparsed = data[start:]
                self.flow.pause_reading()
                return
            self._parse(data[start : start + _PIECE_BYTES])

    def _parse(self, piece: bytes) -> None:
        self._piece_bytes = len(piece)
        body_bytes = self.body_bytes
        try:
            self.parser.feed_data(piece)
        except httptools.HttpParserUpgrade as upgrade:
            self._serve_held()
            self._parse_without_upgrade(piece[upgrade.args[0] :])
        except httptools.HttpParserError as error:
            self._serve_held()
            self.refuse(targets.found_by_parser(error, in_body=not self.in_head))
        else:
            if self._held:
                self._answer_held()
            elif self.in_head or (self.cycle is not None and self.cycle.more_body):
                self._count(self.body_bytes == body_bytes)

    def _count(self, bodiless: bool) -> None:  # noqa: FBT001 - what the piece was
        if self.in_head:
            self._head_bytes += self._piece_bytes
            # The piece may begin with the end of the request before.
            if self._head_bytes > self.limits.head_bytes + _PIECE_BYTES:
                self.refuse(self._head_too_large())
            return
        self._bodiless_bytes = self._bodiless_bytes + self._piece_bytes if bodiless else 0
        if self._bodiless_bytes > self.limits.head_bytes:
            self.refuse(self._head_too_large())

    def _parse_without_upgrade(self, rest: bytes) -> None:
        """Parse the head again without Upgrade: httptools skips the body of an upgrade request."""
        lines = [b"%b %b HTTP/%b" % (self.parser.get_method(), self.url, self.parser.get_http_version().encode())]
        lines += [b"%b: %b" % each for each in self.headers if each[0] not in (b"upgrade", b"http2-settings")]
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self.parse(b"\r\n".join([*lines, b"", b""]) + rest)

    # Called by the parser.

    def on_message_begin(self) -> None:
        if self._held:
            self._serve_held()
        self.url = b""
        self.expect_100_continue = False
        self.headers = []
        self.scope = {
            "type": "http",
            "asgi": {"version": self.asgi_version, "spec_version": "2.3"},
            "http_version": "1.1",
            "server": self.server,
            "client": self.client,
            "scheme": self.scheme,
            "root_path": self.root_path,
            "headers": self.headers,
            "state": self.app_state.copy(),
            "extensions": self.extensions,
        }
        self.in_head = True
        self._head_bytes = 0
        self._bodiless_bytes = 0
        self._codings = None
        self._is_framed = False
        self.since = self.loop.time()

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self.in_head:
            # Trailers are ignored: they must not be merged into the headers (RFC 9110, 6.5.1).
            return
        name = name.lower()
        # llhttp strips trailing spaces of a value, but not tabs.
        value = value.rstrip(b" \t")
        if name in _FRAMING:
            self._is_framed = True
            if name == b"transfer-encoding":
                self._codings = [*(self._codings or ()), value]
            elif name == b"expect" and value.lower() == b"100-continue":
                self.expect_100_continue = True
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        parser = self.parser
        method = parser.get_method().decode("ascii")
        version = parser.get_http_version()
        is_small = self._head_bytes + self._piece_bytes <= self.limits.head_bytes
        if not is_small or version != "1.1" or self._codings is not None or method == "CONNECT":
            self._check_head(method, version)
        if parser.should_upgrade():
            return
        self.in_head = False
        scope = self.scope
        scope["method"] = method
        if version != "1.1":
            scope["http_version"] = version
        scope["path"], scope["raw_path"], scope["query_string"] = targets.read_target(self.url, self.headers)
        keeps_alive = version != "1.0" and parser.should_keep_alive()
        may_be_held = self._answer_now is not None and method == "GET" and keeps_alive and not self._is_framed
        self._held = may_be_held and self._may_answer_now()
        if not self._held:
            self.add_request(
                scope, keep_alive=keeps_alive, expect_100_continue=self.expect_100_continue and version != "1.0"
            )

    def _may_answer_now(self) -> bool:
        is_free = self.cycle is None or self.cycle.response_complete
        return is_free and not (
            self.pipeline or self.watch.is_stopping or self.flow.write_paused or self.transport.is_closing()
        )

    def _answer_held(self) -> None:
        """Answer the request that is held in this call, without a task, or else serve it."""
        if self._answer_now(self.scope, self.write_whole):
            self._held = False
            self.cycle = Answered
        else:
            self._serve_held()

    def _serve_held(self) -> None:
        if self._held:
            self._held = False
            self.add_request(self.scope, keep_alive=True)
            self.cycle.more_body = False
            self.cycle.message_event.set()

    def _check_head(self, method: str, version: str) -> None:
        # The sum is an upper bound; the exact length is computed only above the limit.
        most = self.limits.head_bytes
        if self._head_bytes + self._piece_bytes > most and self._size_of_head() > most:
            raise self._head_too_large()
        if version not in ("1.1", "1.0"):
            raise targets.unsupported_version()
        if method == "CONNECT":
            raise NotImplementedHere("CONNECT is for proxies.")
        if self._codings is not None:
            targets.check_transfer_coding(self._codings, version)

    def _size_of_head(self) -> int:
        return len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)

    def _head_too_large(self) -> RosterError:
        return HeadTooLarge(f"The request line and the header fields are longer than {self.limits.head_bytes} bytes.")

    def on_body(self, body: bytes) -> None:
        self.body_bytes += len(body)
        if self.cycle.response_complete:
            self.skip_body()
        else:
            super().on_body(body)

    def on_message_complete(self) -> None:
        if not self._held and not self.parser.should_upgrade():
            self.cycle.more_body = False
            self.cycle.message_event.set()
