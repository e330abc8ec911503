"""How much and how slowly a client may send and receive."""

import resource
from dataclasses import dataclass
from typing import Self

from service.settings import Settings

# Listeners, logs, the loop's own, and what is opened for a moment.
_OTHER_DESCRIPTORS = 24
# A connection to SQLite holds the file and its log, one to PostgreSQL a socket; there are two pools.
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
        """Return the limits that the settings ask for, as far as this process's descriptors reach."""
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
        """How often connections are looked at: often enough that no limit is overstepped by more than a quarter."""
        shortest = min(self.head_seconds, self.body_seconds, self.send_seconds, max(self.keep_alive_seconds, 0.1))
        return min(1.0, shortest / 4)
