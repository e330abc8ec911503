"""Limits on the size and the duration of requests, and on connections."""

import resource
from dataclasses import dataclass
from typing import Self

from service.settings import Settings

# Descriptors of listeners, logs, the event loop, and short-lived files.
_OTHER_DESCRIPTORS = 24
# Two pools; a connection to SQLite holds two files, one to PostgreSQL one socket.
_DESCRIPTORS_PER_POOLED = 2
_LEAST_CONNECTIONS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The limits of one connection, and the number of connections a process holds."""

    head_bytes: int
    head_seconds: float
    body_seconds: float
    send_seconds: float
    keep_alive_seconds: float
    connections: int

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return the limits of the settings, with no more connections than RLIMIT_NOFILE allows."""
        descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        left = descriptors - _OTHER_DESCRIPTORS - _DESCRIPTORS_PER_POOLED * settings.pool_size
        if descriptors == resource.RLIM_INFINITY:
            left = settings.connection_limit
        return cls(
            head_bytes=settings.head_limit_bytes,
            head_seconds=settings.head_seconds,
            body_seconds=settings.body_seconds,
            send_seconds=settings.send_seconds,
            keep_alive_seconds=settings.keep_alive_seconds,
            connections=max(_LEAST_CONNECTIONS, min(settings.connection_limit, left)),
        )

    @property
    def interval_seconds(self) -> float:
        """The interval of checks: a quarter of the shortest limit, at most a second."""
        shortest = min(self.head_seconds, self.body_seconds, self.send_seconds, max(self.keep_alive_seconds, 0.1))
        return min(1.0, shortest / 4)
