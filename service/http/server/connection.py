"""One client connection: pipelined requests, time limits, and closing."""

import asyncio
import socket
import struct
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from service.http.edge import IS_HALF_CLOSED, REFUSAL
from service.http.problems import TooSlow
from service.http.server import head
from service.http.server.cycle import Cycle
from service.http.server.limits import Limits
from service.http.server.watch import Progress, Watch

# Lingering close (RFC 9112, 9.6): input is read and discarded for so long after the last response, since closing a
# socket with unread input resets the connection, and the client loses the response.
_LINGER_SECONDS = 5.0
# When the server stops, a new connection has so long for its first request, as with Go's net/http.
_FIRST_REQUEST_SECONDS = 5.0
# What an idle client had sent by then is read and answered.
_LAST_REQUEST_SECONDS = 0.05
# The most unread bytes of a body that are discarded to keep the connection.
_MOST_SKIPPED_BYTES = 1_048_576
_MOST_SHOWN = 200
_RESET = struct.pack("ii", 1, 0)


class Connection(HttpToolsProtocol):
    """Uvicorn's connection with time limits; refused requests go to the application, which answers and logs them.

    Requests write through the connection, not the transport, so that the connection decides how it closes.
    """

    cycle: Any
    scope: Any

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        limits: Limits,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.limits = limits
        self.watch = Watch.of(server_state, limits, self.loop)
        # The time since which the server waits for the client.
        self.since = self.loop.time()
        self.url = b""
        self.headers = []
        self.in_head = False
        self.body_bytes = 0
        # Pipelined input, unparsed until the requests before it are answered.
        self.unparsed = b""
        # Whether input is ignored.
        self.deaf = False
        self._running: Cycle | None = None
        self._skipped_until = 0
        self._lingering = False
        self._half_closed = False
        self.extensions = {**self.watch.extensions, IS_HALF_CLOSED: lambda: self._half_closed}
        self._receiving = Progress()
        self._sending = Progress()

    @property
    def is_waiting(self) -> bool:
        """Whether no request is being answered."""
        return self._running is None or self._running.response_complete or self._lingering

    # Called by the transport.

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self.write = transport.write
        self.watch.admit(self)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.deaf = True
        self.unparsed = b""
        self.pipeline.clear()
        self._disconnect_running()

    def eof_received(self) -> bool | None:  # type: ignore[override]
        # A client that has sent everything may close its sending half and still read.
        self._half_closed = not (self.is_waiting or self.deaf or self.cycle.more_body)
        return self._half_closed

    def resume_writing(self) -> None:
        super().resume_writing()
        self._sending.restart()

    # Called by the requests, which take the connection for the transport.

    def is_closing(self) -> bool:
        return self._lingering or self.transport.is_closing()

    def close(self) -> None:
        if self.deaf or self.unparsed or self.pipeline or (self.cycle is not None and self.cycle.more_body):
            self.linger()
        else:
            self.transport.close()

    def reset(self) -> None:
        """Close with RST, so that the client sees an error instead of a normal end."""
        self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.transport.abort()

    def linger(self) -> None:
        """Send what is buffered, close the sending half, and discard input until the client closes."""
        if self._lingering or self.transport.is_closing():
            return
        self.deaf = self._lingering = True
        self.since = self.loop.time()
        self.unparsed = b""
        self.pipeline.clear()
        self._disconnect_running()
        if self._half_closed:
            self.transport.close()
        else:
            self.transport.write_eof()
            self.flow.resume_reading()

    def on_response_complete(self) -> None:
        self.server_state.total_requests += 1
        if self.is_closing():
            return
        self.since = self.loop.time()
        self._skipped_until = self.body_bytes + _MOST_SKIPPED_BYTES
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        if self.unparsed and not self.pipeline:
            data, self.unparsed = self.unparsed, b""
            self.parse(data)
        if not self.unparsed and not self.pipeline:
            if self.flow.read_paused:
                self.flow.resume_reading()
            if self._half_closed and self.is_waiting:
                self.transport.close()

    def _disconnect_running(self) -> None:
        # Uvicorn notifies the newest request alone, which may not be the one that is running.
        if self._running is not None:
            self._running.disconnected = not self._running.response_complete
            self._running.message_event.set()

    # Called by the parser.

    def parse(self, data: bytes) -> None:
        """Parse the data into requests."""
        raise NotImplementedError

    def add_request(self, scope: Any, *, keep_alive: bool, expect_100_continue: bool = False) -> None:
        """Serve a request now, or after the requests before it."""
        queued = self.cycle is not None and not self.cycle.response_complete
        self._receiving.restart()
        self.cycle = Cycle(
            scope=scope,
            transport=self,  # type: ignore[arg-type]
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=False,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=expect_100_continue,
            keep_alive=keep_alive and not self.watch.is_stopping,
            on_response=self.on_response_complete,
        )
        if queued:
            self.flow.pause_reading()
            self.pipeline.appendleft((self.cycle, self.app))
        else:
            self._start_asgi_task(self.cycle, self.app)

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        # As uvicorn's own, whose option `reset_contextvars` is not used here.
        self._running = cycle
        task = self.loop.create_task(cycle.run_asgi(app))
        task.add_done_callback(self.tasks.discard)
        self.tasks.add(task)

    def write_whole(self, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> bool:
        """Write the response to a request that needs no cycle; return False for a head that uvicorn has to write."""
        written = head.written(status, [*self.server_state.default_headers, *headers])
        if written is None or written[1] != len(body):
            return False
        self.transport.write(written[0] + body)
        self.server_state.total_requests += 1
        self.since = self.loop.time()
        return True

    def skip_body(self) -> None:
        """Discard the body of an answered request; too long a body closes the connection."""
        if self.body_bytes > self._skipped_until:
            self.linger()

    def refuse(self, failure: Exception) -> None:
        """Answer an error after the requests before it, and close the connection."""
        if self.is_closing() or self.deaf:
            return
        self.deaf = True
        if self.in_head or self.cycle is None or not self.cycle.more_body:
            self.add_request(self._scope_of_refused(failure), keep_alive=False)
        elif self.cycle.response_started:
            self.linger()
        else:
            self.cycle.fail(failure)

    def _scope_of_refused(self, failure: Exception) -> dict[str, Any]:
        known = bool(self.url)
        return {
            "type": "http",
            "asgi": {"version": self.asgi_version, "spec_version": "2.3"},
            "http_version": "1.1",
            "method": self.parser.get_method().decode("ascii") if known else "-",
            "path": self.url[:_MOST_SHOWN].partition(b"?")[0].decode("ascii", "backslashreplace") if known else "-",
            "raw_path": b"",
            "query_string": b"",
            "root_path": "",
            "headers": self.headers,
            "server": self.server,
            "client": self.client,
            "scheme": self.scheme,
            "state": self.app_state.copy(),
            "extensions": {REFUSAL: failure},
        }

    # Called by the server and the watch.

    def shutdown(self) -> None:
        """Finish the requests that are on their way, and close."""
        self.watch.is_stopping = True
        if not self.is_waiting:
            self.cycle.keep_alive = False
        elif not self._lingering:
            seconds = _LAST_REQUEST_SECONDS
            if self.cycle is None:
                seconds = max(seconds, self.since + _FIRST_REQUEST_SECONDS - self.loop.time())
            self.loop.call_later(seconds, self._close_if_idle)

    def _close_if_idle(self) -> None:
        if self.is_waiting and not self.in_head and not self.is_closing():
            self.close()

    def check_time(self, now: float) -> None:
        """Close the connection if the client exceeds a time limit."""
        unsent = self.transport.get_write_buffer_size()
        if unsent and (self.flow.write_paused or self.is_closing()):
            self.since = now
            if self._sending.is_slow(now, -unsent, self.limits.send_seconds):
                self.transport.abort()
        elif self._lingering:
            if now - self.since > _LINGER_SECONDS:
                self.transport.abort()
        elif not self.is_waiting:
            self._check_body(now)
        elif not self.deaf:
            self._check_silence(now - self.since)

    def _check_body(self, now: float) -> None:
        seconds = self.limits.body_seconds
        cycle = self.cycle
        if not cycle.more_body or cycle.waiting_for_100_continue or self.flow.read_paused:
            self._receiving.restart()
        elif self._receiving.is_slow(now, self.body_bytes, seconds):
            self.refuse(TooSlow(f"Less than 1 KiB of the body arrived in {seconds:g} seconds."))

    def _check_silence(self, waited: float) -> None:
        if self.in_head or self.cycle is None:
            if waited > self.limits.head_seconds:
                self.refuse(TooSlow(f"The request did not arrive within {self.limits.head_seconds:g} seconds."))
        elif waited > (self.limits.body_seconds if self.cycle.more_body else self.limits.keep_alive_seconds):
            self.transport.close()
