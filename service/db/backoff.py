"""Exponential backoff with jitter, for work that is tried again."""

import random
import time
from dataclasses import dataclass, field
from math import inf


@dataclass(slots=True, kw_only=True)
class Backoff:
    """The pauses between attempts, in seconds: the first, then each longer by `factor`, up to `longest`.

    `jitter` is the share by which a pause varies, so that two waiters do not collide again. `deadline_seconds` counts
    from here on.
    """

    first: float
    longest: float
    factor: float = 2.0
    jitter: float = 0.5
    deadline_seconds: float = inf
    _began: float = field(default_factory=time.monotonic, init=False)
    _next: float = field(default=0.0, init=False)

    @property
    def seconds_left(self) -> float:
        """The time to the deadline, negative after it."""
        return self.deadline_seconds - (time.monotonic() - self._began)

    def pause(self) -> float:
        """Return how long to pause before the next attempt."""
        self._next = min(self._next * self.factor or self.first, self.longest)
        return self._next * random.uniform(1 - self.jitter, 1 + self.jitter)
