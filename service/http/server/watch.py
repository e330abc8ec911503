"""Looks at all connections of a process now and then, and closes those that take too long."""

import asyncio
from heapq import nsmallest
from operator import attrgetter
from typing import TYPE_CHECKING, Any, ClassVar
from weakref import WeakKeyDictionary

from uvicorn.server import ServerState

from service.errors import Unavailable
from service.http.edge import IS_STOPPING
from service.http.server.limits import Limits

if TYPE_CHECKING:
    from service.http.server.connection import Connection

# With fewer bytes in the time of a limit, a transfer is not under way but kept open.
_LEAST_BYTES = 1_024
# A flood of new connections is answered by one look at all of them for so many.
_SHARE_CLOSED_AT_ONCE = 20


class Watch:
    """One for each server: cheaper than a timer that each request sets and cancels."""

    _all: ClassVar[WeakKeyDictionary[ServerState, "Watch"]] = WeakKeyDictionary()

    def __init__(self, state: ServerState, limits: Limits, loop: asyncio.AbstractEventLoop) -> None:
        self._connections: Any = state.connections
        self._limits = limits
        self._loop = loop
        self._timer: asyncio.TimerHandle | None = None
        self.is_stopping = False
        self.extensions = {IS_STOPPING: lambda: self.is_stopping}

    @classmethod
    def of(cls, state: ServerState, limits: Limits, loop: asyncio.AbstractEventLoop) -> "Watch":
        """Return the watch of a server."""
        watch = cls._all.get(state)
        if watch is None:
            watch = cls._all[state] = cls(state, limits, loop)
        return watch

    def admit(self, connection: "Connection") -> None:
        """Watch a new connection; when there are too many, the ones that wait longest for their client go."""
        if self._timer is None:
            self._timer = self._loop.call_later(self._limits.interval_seconds, self._look)
        if len(self._connections) > self._limits.connections and not self._make_room(connection):
            connection.refuse(Unavailable("All connections of this server are in use."))

    def _make_room(self, newest: "Connection") -> bool:
        waiting = [each for each in self._connections if each.is_waiting and each is not newest]
        several = max(1, self._limits.connections // _SHARE_CLOSED_AT_ONCE)
        for each in nsmallest(several, waiting, key=attrgetter("since")):
            self._connections.discard(each)
            each.transport.abort()
        return bool(waiting)

    def _look(self) -> None:
        self._timer = None
        now = self._loop.time()
        for each in list(self._connections):
            each.check_time(now)
        if self._connections:
            self._timer = self._loop.call_later(self._limits.interval_seconds, self._look)


class Progress:
    """Whether bytes go on coming or going."""

    __slots__ = ("_bytes", "_since")

    def __init__(self) -> None:
        self._since: float | None = None
        self._bytes = 0

    def is_slow(self, now: float, count: int, seconds: float) -> bool:
        """Tell whether the count grew by less than 1 KiB in the last so many seconds."""
        if self._since is None:
            self._since, self._bytes = now, count
        if now - self._since < seconds:
            return False
        slow = count - self._bytes < _LEAST_BYTES
        self._since, self._bytes = now, count
        return slow

    def restart(self) -> None:
        """Count anew from the next look on."""
        self._since = None
