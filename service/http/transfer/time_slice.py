"""Yields the event loop during long work, by time."""

import asyncio
from time import monotonic

TURN_SECONDS = 0.001


class Turns:
    """Lets other tasks run once this one has worked for `TURN_SECONDS`.

    Ask `over` often, for it is cheap, and await `end` when it is true.
    """

    def __init__(self) -> None:
        self._begun = monotonic()

    @property
    def over(self) -> bool:
        return monotonic() - self._begun >= TURN_SECONDS

    async def end(self) -> None:
        """Let every task that is ready run once."""
        await asyncio.sleep(0)
        self._begun = monotonic()
