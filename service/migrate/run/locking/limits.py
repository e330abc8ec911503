"""How long a run goes on trying what others are in the way of, and what trying took."""

import time
from dataclasses import dataclass, field

from service.db.backoff import Backoff

_FIRST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitLimits:
    """What a run puts up with, in seconds.

    `lock_wait_seconds` is what a request behind the migrator waits at most. `deadline_seconds` is how long one step, or
    one batch, is tried while others are in the way. `lag_seconds` is how far a replica may be behind meanwhile.
    """

    lock_wait_seconds: float = 0.05
    deadline_seconds: float = 600.0
    lag_seconds: float = 1.0


@dataclass(slots=True, kw_only=True)
class Attempt:
    """What one step or batch is, how often it was tried, how long it waited at most, and what it did."""

    revision: str
    title: str
    deadline_seconds: float
    attempts: int = 0
    longest_wait_ms: float = 0.0
    seconds: float = 0.0
    affected: int = 0
    told: bool = False
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

    def end(self) -> None:
        self.seconds = time.monotonic() - self._at

    def fail(self) -> None:
        """Note that the last try, which has ended, was spent waiting."""
        self.longest_wait_ms = max(self.longest_wait_ms, 1000 * self.seconds)

    @property
    def seconds_left(self) -> float:
        return self._backoff.seconds_left

    def pause_seconds(self) -> float:
        """How long to pause before the next try: longer each time, and never as long as another migrator does."""
        return self._backoff.pause()
