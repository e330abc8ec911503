"""A worker process, on the side of the supervisor."""

import asyncio
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from signal import Signals

from service.http.auth.setup_code import SetupCode
from service.settings import Settings

_spawn = get_context("spawn")
_CHUNK = 4096


class Worker:
    """A started process; `settled` is set when it serves or has ended, `ended` when it has ended.

    The supervisor increments `ticks`; a message from the worker resets it.
    """

    def __init__(self, settings: Settings, setup: SetupCode | None, sockets: list[socket.socket]) -> None:
        self.serves = False
        self.stopping = False
        self.settled = asyncio.Event()
        self.ended = asyncio.Event()
        self.ticks = 0
        self._channel, theirs = socket.socketpair()
        self._channel.settimeout(0)
        self._process = _spawn.Process(target=_work, args=(settings, setup, sockets, theirs), name="roster-worker")
        with _blocked(signal.SIGINT, signal.SIGHUP):
            self._process.start()
        theirs.close()
        self.pid = self._process.pid or 0
        self._loop = asyncio.get_running_loop()
        self.started_at = self._loop.time()
        self._loop.add_reader(self._channel, self._hear)
        self._loop.add_reader(self._process.sentinel, self._end)

    @property
    def seconds(self) -> float:
        """The time since the process was started."""
        return self._loop.time() - self.started_at

    @property
    def ending(self) -> str:
        """How the process ended, in words."""
        status = self._process.exitcode or 0
        return f"killed by {Signals(-status).name}" if status < 0 else f"exit status {status}"

    def stop(self) -> None:
        """Send SIGTERM: the worker finishes its requests and exits."""
        self.stopping = True
        if not self.ended.is_set():
            self._process.terminate()

    def kill(self) -> None:
        if not self.ended.is_set():
            self._process.kill()

    def _hear(self) -> None:
        try:
            heard = self._channel.recv(_CHUNK)
        except OSError:
            heard = b""
        if not heard:
            self._loop.remove_reader(self._channel)
            return
        self.ticks = 0
        self.serves = not self.stopping
        self.settled.set()

    def _end(self) -> None:
        self._loop.remove_reader(self._process.sentinel)
        self._loop.remove_reader(self._channel)
        self._channel.close()
        # The process has closed the sentinel, so this waits for the kernel alone.
        self._process.join()
        self.serves = False
        self.settled.set()
        self.ended.set()


@contextmanager
def _blocked(*signals: Signals) -> Iterator[None]:
    """Block signals: a process started here inherits the mask, and is not ended before it can ignore them."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _work(settings: Settings, setup: SetupCode | None, sockets: list[socket.socket], channel: socket.socket) -> None:
    # Imported in the new process alone: the supervisor needs no application.
    from service.cli.serving.server import work

    work(settings, setup, sockets, channel)
