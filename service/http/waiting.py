"""Requests that wait for something new; one question to the database at a time serves all of them."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import structlog
from litestar.types import Receive

from service.errors import Unavailable
from service.http.edge import IS_STOPPING

# How late other processes' changes may be seen, and how soon after one look the next may follow.
_LOOK_SECONDS = 0.2
_LEAST_SECONDS = 0.02
# How late a waiting request may notice that the server stops.
_NOTICE_SECONDS = 0.5
_FULL_SECONDS = 5

log = structlog.get_logger()


class Waiting:
    """Wakes waiting requests when what `look` returns has changed; nobody holds a connection while it waits.

    `look` is called while somebody waits only, at most so often that its cost does not depend on how many do.
    """

    def __init__(self, look: Callable[[], Awaitable[object]], *, most: int) -> None:
        self._look = look
        self._most = most
        self._hint = asyncio.Event()
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.count = 0
        # Grows with each change that was seen.
        self.generation = 0

    def hint(self) -> None:
        """Look soon: this process has just stored something."""
        self._hint.set()

    @contextmanager
    def place(self) -> Iterator[None]:
        """Take one of the places of those who wait.

        Raises:
            Unavailable: all are taken.
        """
        if self.count >= self._most:
            message = f"{self._most} requests wait for events here already (ROSTER_FEED_CLIENTS)."
            raise Unavailable(message, retry_after_seconds=_FULL_SECONDS)
        self.count += 1
        if self._task is None:
            self._task = asyncio.create_task(self._keep_looking())
        try:
            yield
        finally:
            self.count -= 1
            if not self.count and self._task is not None:
                self._task.cancel()
                self._task = None

    async def wait(self, generation: int, seconds: float) -> None:
        """Return when there is a change after that generation, or after so many seconds."""
        if self.generation == generation:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), seconds)

    async def _keep_looking(self) -> None:
        # What came between a request's own look and this one would be missed: the first counts as a change.
        seen: object = None
        while True:
            self._hint.clear()
            try:
                found = await self._look()
            except Unavailable as failure:
                log.warning("feed cannot be looked at", reason=str(failure))
            else:
                if found != seen:
                    seen = found
                    self.generation += 1
                    self._changed.set()
                    self._changed = asyncio.Event()
            await asyncio.sleep(_LEAST_SECONDS)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._hint.wait(), _LOOK_SECONDS - _LEAST_SECONDS)


class Client:
    """The client of a waiting request: whether it has left, and whether the server is about to."""

    def __init__(self, scope: Any, receive: Receive) -> None:
        is_stopping = (scope.get("extensions") or {}).get(IS_STOPPING)
        self._is_stopping: Callable[[], bool] = is_stopping or _never
        self._gone = asyncio.ensure_future(_disconnect(receive))

    @property
    def is_waiting(self) -> bool:
        return not (self._gone.done() or self._is_stopping())

    def close(self) -> None:
        self._gone.cancel()

    async def wait(self, waiting: Waiting, generation: int, seconds: float) -> bool:
        """Wait as `Waiting.wait`, and return whether there is a change while the client is still waiting."""
        deadline = asyncio.get_running_loop().time() + seconds
        while self.is_waiting and waiting.generation == generation:
            left = deadline - asyncio.get_running_loop().time()
            if left <= 0:
                break
            await waiting.wait(generation, min(left, _NOTICE_SECONDS))
        return self.is_waiting and waiting.generation != generation


async def _disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _never() -> bool:
    return False
