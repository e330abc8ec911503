"""Yields to the event loop during long computations."""

import asyncio
from time import monotonic

SLICE_SECONDS = 0.001


class TimeSlice:
    """Lets other tasks run each time this one has computed for `SLICE_SECONDS`.

    Check `over`, which is cheap, often; await `end` when it is true.
    """

    def __init__(self) -> None:
        self._begun = monotonic()

    @property
    def over(self) -> bool:
        return monotonic() - self._begun >= SLICE_SECONDS

    async def end(self) -> None:
        """Let every task that is ready run once."""
        await asyncio.sleep(0)
        self._begun = monotonic()
