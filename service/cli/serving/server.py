"""One server process: uvicorn with its own handling of signals and of the end of the drain."""

import asyncio
import gc
import os
import signal
import socket
import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from types import FrameType

import structlog
import uvicorn

from service.app import Roster, create_app
from service.cli.serving.ending import FAREWELL_SECONDS, watch_terminal
from service.http.auth.setup_code import SetupCode
from service.http.server.limits import Limits
from service.http.server.options import http_options
from service.http.server.watch import Watch
from service.observability import logs, shared_metrics
from service.settings import Settings

_TICKS_A_SECOND = 10

log = structlog.get_logger()

Handler = Callable[[int, FrameType | None], None] | signal.Handlers


class Server(uvicorn.Server):
    """Serves one application on open sockets; `stop` drains, and exits if the drain does not end."""

    def __init__(self, app: Roster, *, started: Callable[[], None], beat: Callable[[], None] | None = None) -> None:
        self._app = app
        self._started = started
        self._beat = beat
        self._handlers: Mapping[signal.Signals, Handler] = {}
        super().__init__(_configuration(app))

    def serve_on(self, sockets: list[socket.socket], handlers: Mapping[signal.Signals, Handler]) -> None:
        """Serve until stopped, with these signal handlers."""
        self._handlers = handlers
        self.run(sockets)

    def stop(self) -> None:
        """Accept no connections, let running requests finish, and return."""
        if self.should_exit:
            return
        self.should_exit = True
        limit = threading.Timer(self._app.settings.drain_seconds + FAREWELL_SECONDS, _give_up)
        limit.daemon = True
        limit.start()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._started()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # Before uvicorn does so by each connection: one that was accepted may not be among them yet.
        limits = Limits.of(self._app.settings)
        Watch.of(self.server_state, limits, asyncio.get_running_loop()).is_stopping = True
        await super().shutdown(sockets)

    async def on_tick(self, counter: int) -> bool:
        if counter % _TICKS_A_SECOND == 0:
            self._app.metrics.sample()
            if self._beat:
                self._beat()
        return await super().on_tick(counter)

    async def _wait_tasks_to_complete(self) -> None:
        try:
            await super()._wait_tasks_to_complete()
        except asyncio.CancelledError:
            # uvicorn closes the database without waiting for the cancelled requests that use it.
            requests = [*self.server_state.tasks]
            for each in requests:
                each.cancel()
            if requests:
                await asyncio.wait(requests, timeout=FAREWELL_SECONDS / 2)
            raise

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        # uvicorn's handlers ignore a second SIGTERM, and raise the signal again after the drain.
        before = {number: signal.signal(number, handler) for number, handler in self._handlers.items()}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _configuration(app: Roster) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        access_log=False,
        log_config=None,
        timeout_graceful_shutdown=app.settings.drain_seconds,
        **http_options(app.settings),
    )


def application(settings: Settings, setup: SetupCode | None) -> Roster:
    """Return the application of one process."""
    app = create_app(settings, setup)
    # Objects created at start are permanent: freezing them keeps garbage collection short.
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    return app


def serve_alone(
    settings: Settings, setup: SetupCode | None, sockets: list[socket.socket], started: Callable[[], None]
) -> None:
    """Serve until SIGTERM or SIGINT; a second signal exits at once with 128 + its number."""
    server = Server(application(settings, setup), started=started)
    hangs_up = watch_terminal()

    def stop(number: int, _frame: FrameType | None) -> None:
        if server.should_exit:
            os._exit(128 + number)
        server.stop()

    def hang_up(_number: int, _frame: FrameType | None) -> None:
        if hangs_up():
            server.stop()
        else:
            log.info("SIGHUP ignored", reason="there is one process; restart the server to load new code")

    server.serve_on(sockets, {signal.SIGTERM: stop, signal.SIGINT: stop, signal.SIGHUP: hang_up})


def work(settings: Settings, setup: SetupCode | None, sockets: list[socket.socket], channel: socket.socket) -> None:
    """Serve as one of several processes until SIGTERM, or until the supervisor closes the channel."""
    ignored = {signal.SIGINT, signal.SIGHUP}
    for number in ignored:
        # The terminal sends these to the supervisor too, which forwards what applies.
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ignored)
    logs.configure(settings.log_level, settings.log_format)
    channel.settimeout(0)
    shared_metrics.join()

    def beat() -> None:
        try:
            channel.send(b".")
        except (BlockingIOError, BrokenPipeError):
            # The supervisor is stopped or gone; the reader below notices the latter.
            return

    def start() -> None:
        asyncio.get_running_loop().add_reader(channel, lose_supervisor)
        beat()

    def lose_supervisor() -> None:
        asyncio.get_running_loop().remove_reader(channel)
        log.error("supervisor is gone", pid=os.getpid(), then="this worker finishes its requests and ends")
        server.stop()

    def stop(_number: int, _frame: FrameType | None) -> None:
        # Both systemd and the supervisor send SIGTERM: a second one has no effect.
        server.stop()

    server = Server(application(settings, setup), started=start, beat=beat)
    server.serve_on(sockets, {signal.SIGTERM: stop})


def _give_up() -> None:
    log.error("the drain did not end", pid=os.getpid(), then="requests that still run are lost with the process")
    os._exit(1)
