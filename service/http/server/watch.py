"""Checks the time limits of all connections of a process at intervals."""

import asyncio
from heapq import nsmallest
from operator import attrgetter
from typing import Any, ClassVar, Protocol
from weakref import WeakKeyDictionary

from uvicorn.server import ServerState

from service.errors import Unavailable
from service.http.edge import IS_STOPPING
from service.http.server.limits import Limits

# A transfer of fewer bytes within a time limit counts as stalled.
_LEAST_BYTES = 1_024
# Above the limit, one in so many of the connections is closed at once: finding the idlest reads all of them.
_SHARE_CLOSED_AT_ONCE = 20


class Watched(Protocol):
    """What the watch uses of a connection."""

    since: float
    transport: Any

    @property
    def is_waiting(self) -> bool: ...

    def refuse(self, failure: Exception) -> None: ...

    def check_time(self, now: float) -> None: ...

    def shutdown(self) -> None: ...


class Watch:
    """One timer per server, which costs less than a timer per request."""

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

    def admit(self, connection: Watched) -> None:
        """Watch a new connection; above the limit, close the connections that are idle longest, or refuse it."""
        if self._timer is None:
            self._timer = self._loop.call_later(self._limits.interval_seconds, self._check)
        if len(self._connections) > self._limits.connections and not self._make_room(connection):
            connection.refuse(Unavailable("All connections of this server are in use."))
        if self.is_stopping:
            connection.shutdown()

    def _make_room(self, newest: Watched) -> bool:
        waiting = [each for each in self._connections if each.is_waiting and each is not newest]
        several = max(1, self._limits.connections // _SHARE_CLOSED_AT_ONCE)
        for each in nsmallest(several, waiting, key=attrgetter("since")):
            self._connections.discard(each)
            each.transport.abort()
        return bool(waiting)

    def _check(self) -> None:
        self._timer = None
        now = self._loop.time()
        for each in list(self._connections):
            each.check_time(now)
        if self._connections:
            self._timer = self._loop.call_later(self._limits.interval_seconds, self._check)


class Progress:
    """Whether a transfer makes progress."""

    __slots__ = ("_bytes", "_since")

    def __init__(self) -> None:
        self._since: float | None = None
        self._bytes = 0

    def is_slow(self, now: float, count: int, seconds: float) -> bool:
        """Return whether the count grew by less than 1 KiB within the last `seconds`."""
        if self._since is None:
            self._since, self._bytes = now, count
        if now - self._since < seconds:
            return False
        slow = count - self._bytes < _LEAST_BYTES
        self._since, self._bytes = now, count
        return slow

    def restart(self) -> None:
        """Start a new interval at the next check."""
        self._since = None
