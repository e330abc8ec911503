"""The line between a client and PostgreSQL, which a test may cut at a COMMIT."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from enum import Enum, auto
from typing import Self

from sqlalchemy import make_url

COMMIT = b"COMMIT;\x00"


class Cut(Enum):
    """What becomes of a COMMIT: never seen by the server, never answered, or swallowed with the line left open."""

    BEFORE = auto()
    AFTER = auto()
    SILENT = auto()


async def nothing() -> None:
    """Happens at most cuts."""


class Line:
    """Forwards what is `said` on its `url` to a server's `port`, and takes one of `cuts` for each COMMIT."""

    def __init__(self, server_url: str) -> None:
        self._server = make_url(server_url)
        self._tasks: set[asyncio.Task[None]] = set()
        self.url = ""
        self.port = self._server.port
        self.cuts: list[Cut] = []
        self.at_cut: Callable[[], Awaitable[None]] = nothing
        self.made = 0
        self.said = bytearray()
        self.refuses = False
        self.mute = False

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Self]:
        listener = await asyncio.start_server(self._meet, "127.0.0.1", 0)
        port = listener.sockets[0].getsockname()[1]
        self.url = self._server.set(host="127.0.0.1", port=port).render_as_string(hide_password=False)
        try:
            yield self
        finally:
            listener.close()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _meet(self, from_client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        if self.refuses:
            to_client.transport.abort()
            return
        from_server, to_server = await asyncio.open_connection(self._server.host, self.port)
        self._start(self._ask(from_client, to_server, to_client))
        self._start(self._answer(from_server, to_client, to_server))

    def _start(self, forwarding: Awaitable[None]) -> None:
        task = asyncio.ensure_future(forwarding)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _ask(
        self, source: asyncio.StreamReader, target: asyncio.StreamWriter, back: asyncio.StreamWriter
    ) -> None:
        try:
            while data := await source.read(65536):
                self.said += data
                cut = self.cuts.pop() if self.cuts and COMMIT in data else None
                if cut is not Cut.BEFORE and cut is not Cut.SILENT and not self.mute:
                    target.write(data)
                if cut is not None:
                    self.made += 1
                    await self.at_cut()
                    if cut is not Cut.SILENT:
                        return
        except OSError:
            return
        finally:
            # What was written still arrives; nothing comes back any more.
            target.close()
            back.transport.abort()

    async def _answer(
        self, source: asyncio.StreamReader, target: asyncio.StreamWriter, ahead: asyncio.StreamWriter
    ) -> None:
        try:
            while data := await source.read(65536):
                target.write(data)
        except OSError:
            return
        finally:
            target.close()
            ahead.close()
