"""Wait limits of a run, and the attempts of one step or batch with their backoff."""

import time
from dataclasses import dataclass, field

from service.db.backoff import Backoff

_FIRST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitLimits:
    """Limits in seconds.

    `lock_wait_seconds` is the lock_timeout of a blocking lock, and the longest wait of a request behind it.
    `deadline_seconds` is how long one step or batch is retried. `lag_seconds` is the accepted lag of a replica.
    """

    lock_wait_seconds: float = 0.05
    deadline_seconds: float = 600.0
    lag_seconds: float = 1.0


@dataclass(slots=True, kw_only=True)
class Attempt:
    """The attempts of one step or batch: their number, the longest wait, the seconds and the affected rows."""

    revision: str
    title: str
    deadline_seconds: float
    attempts: int = 0
    longest_wait_ms: float = 0.0
    seconds: float = 0.0
    affected: int = 0
    reported: bool = False
    _backoff: Backoff = field(init=False)
    _at: float = 0.0

    def __post_init__(self) -> None:
        self._backoff = Backoff(
            first=_FIRST_PAUSE_SECONDS, longest=_LONGEST_PAUSE_SECONDS, deadline_seconds=self.deadline_seconds
        )

    def begin(self) -> None:
        self.attempts += 1
        self.affected = 0
        self._at = time.monotonic()

    def withdraw(self) -> None:
        """Do not count an attempt that ended before its first statement."""
        self.attempts -= 1

    def end(self) -> None:
        self.seconds = time.monotonic() - self._at

    def fail(self) -> None:
        """Count the seconds of the last attempt as waiting."""
        self.longest_wait_ms = max(self.longest_wait_ms, 1000 * self.seconds)

    @property
    def seconds_left(self) -> float:
        return self._backoff.seconds_left

    def pause_seconds(self) -> float:
        """The pause before the next attempt: exponential backoff with jitter."""
        return self._backoff.pause()
