"""The supervisor of several workers: starts, watches, replaces and stops them (decision 27)."""

import asyncio
import signal
import socket
from collections.abc import Callable
from pathlib import Path

import structlog

from service.cli.serving.ending import FAREWELL_SECONDS, watch_terminal
from service.cli.serving.worker import Worker
from service.db.backoff import Backoff
from service.errors import CannotStart
from service.http.auth.setup_code import SetupCode
from service.observability import shared_metrics
from service.settings import Settings

# Counted in ticks of the supervisor: a suspended machine or process group does not count as a hung worker.
_TICK_SECONDS = 1.0
_SILENT_TICKS = 60
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.1, 30.0
# A worker that ran for less increases the backoff.
_STABLE_SECONDS = 10.0

log = structlog.get_logger()


def supervise(
    settings: Settings,
    setup: SetupCode | None,
    sockets: list[socket.socket],
    count: int,
    started: Callable[[], None],
) -> int:
    """Serve from `count` processes until SIGTERM or SIGINT, and return the exit status.

    A second signal kills the workers. SIGHUP replaces them one by one, each when its successor serves. `started` is
    called once, when the first workers serve.

    Raises:
        CannotStart: no worker is left, and the last one ended before it served.
    """
    with shared_metrics.folder() as folder:
        return asyncio.run(_Supervisor(settings, setup, sockets, count, folder).run(started))


class _Supervisor:
    def __init__(
        self,
        settings: Settings,
        setup: SetupCode | None,
        sockets: list[socket.socket],
        count: int,
        folder: Path,
    ) -> None:
        self._settings = settings
        self._setup = setup
        self._sockets = sockets
        self._folder = folder
        self._slots: list[Worker] = []
        self._count = count
        self._all: set[Worker] = set()
        self._restart: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()
        self._status = 0
        self._failure: CannotStart | None = None

    async def run(self, started: Callable[[], None]) -> int:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop, number)
        closed = watch_terminal()
        loop.add_signal_handler(signal.SIGHUP, lambda: self._stop(signal.SIGHUP) if closed() else self._restart_all())
        self._slots = [self._start() for _ in range(self._count)]
        tasks = [asyncio.create_task(self._keep(slot)) for slot in range(self._count)]
        tasks += [asyncio.create_task(self._announce(started)), asyncio.create_task(self._watch())]
        await self._stopping.wait()
        for task in [*tasks, *([self._restart] if self._restart else [])]:
            task.cancel()
        await self._drain()
        if self._failure:
            raise self._failure
        return self._status

    def _start(self) -> Worker:
        worker = Worker(self._settings, self._setup, self._sockets)
        self._all.add(worker)
        log.info("worker started", pid=worker.pid)
        return worker

    async def _announce(self, started: Callable[[], None]) -> None:
        for worker in tuple(self._slots):
            await worker.settled.wait()
        if any(each.serves for each in self._slots):
            started()

    async def _keep(self, slot: int) -> None:
        """Replace the worker of this slot whenever it ends."""
        backoff = _backoff()
        while True:
            worker = self._slots[slot]
            await worker.settled.wait()
            served = worker.serves
            await self._end(worker)
            if self._slots[slot] is not worker:
                continue
            if not served and all(each.ended.is_set() for each in self._all):
                self._fail(worker)
                return
            if worker.seconds >= _STABLE_SECONDS:
                backoff = _backoff()
            pause = backoff.pause()
            log.error("worker ended", pid=worker.pid, how=worker.ending, served=served, replaced_in_seconds=pause)
            await asyncio.sleep(pause)
            if self._slots[slot] is worker:
                self._slots[slot] = self._start()

    async def _end(self, worker: Worker) -> None:
        await worker.ended.wait()
        self._forget(worker)

    def _forget(self, worker: Worker) -> None:
        if worker in self._all:
            self._all.discard(worker)
            shared_metrics.forget(self._folder, worker.pid)

    def _fail(self, worker: Worker) -> None:
        message = f"No worker could start: process {worker.pid} ended before it served ({worker.ending}); see above."
        self._failure = CannotStart(message)
        self._stopping.set()

    def _restart_all(self) -> None:
        if self._restart and not self._restart.done():
            log.info("SIGHUP ignored", reason="the workers are being replaced already")
            return
        log.info("SIGHUP: replacing the workers one by one")
        self._restart = asyncio.create_task(self._replace_each())

    async def _replace_each(self) -> None:
        for slot in range(self._count):
            worker = self._start()
            await worker.settled.wait()
            if not worker.serves:
                await self._end(worker)
                log.error("restart given up", pid=worker.pid, how=worker.ending, then="the old workers go on")
                return
            old, self._slots[slot] = self._slots[slot], worker
            old.stop()
            await self._end(old)
        log.info("the workers were replaced")

    async def _watch(self) -> None:
        """Kill workers that have sent no tick for too long."""
        while True:
            await asyncio.sleep(_TICK_SECONDS)
            for worker in self._all:
                worker.ticks += 1
                if worker.ticks >= _SILENT_TICKS and not worker.stopping:
                    log.error("worker is silent", pid=worker.pid, seconds=worker.ticks * _TICK_SECONDS, then="killed")
                    worker.kill()

    def _stop(self, number: signal.Signals) -> None:
        if not self._stopping.is_set():
            log.info("stopping", signal=number.name, drain_seconds=self._settings.drain_seconds)
            self._stopping.set()
            return
        self._status = 128 + number
        for worker in self._all:
            worker.kill()

    async def _drain(self) -> None:
        for each in self._sockets:
            # The port is free when the workers have closed their copies too.
            each.close()
        for worker in self._all:
            worker.stop()
        try:
            # FAREWELL_SECONDS twice: a worker exits by itself after one.
            async with asyncio.timeout(self._settings.drain_seconds + 2 * FAREWELL_SECONDS):
                for worker in tuple(self._all):
                    await self._end(worker)
        except TimeoutError:
            self._status = self._status or 1
        if self._all:
            log.error("workers did not end", pids=[each.pid for each in self._all], then="killed")
        for worker in self._all:
            worker.kill()


def _backoff() -> Backoff:
    return Backoff(first=_FIRST_PAUSE_SECONDS, longest=_LONGEST_PAUSE_SECONDS, jitter=0)
