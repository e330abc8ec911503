"""Progress of a rehearsal, with the time left."""

from time import monotonic

from service.terminal.progress import Progress

# A version that starts, and answers the first requests.
_OVERHEAD_SECONDS = 2.0


class Clock:
    """Shows fills and phases; the time left is what the phases are meant to take, and later what they took.

    `fills` are the databases to fill, `phases` the phases on all of them, which take `seconds` at least.
    """

    def __init__(self, show: Progress, *, fills: int, phases: int, seconds: float) -> None:
        self._show = show
        self._fills_left = fills
        self._phases, self._done = phases, 0
        self._phase_seconds = seconds + _OVERHEAD_SECONDS
        self._fill_seconds = 0.0
        self._began = monotonic()

    def fill(self) -> None:
        """A fill begins."""
        self._began = monotonic()

    def filling(self, table: str, rows: int, share: float) -> None:
        """A table has so many rows, and the fill is done to this share."""
        spent = monotonic() - self._began
        self._fill_seconds = spent / max(share, 0.01)
        left = self._left() - spent
        self._show(f"fill {table}", rows, None, f"{rows:,} rows, about {max(left, 0):,.0f} s left")

    def filled(self) -> None:
        """A fill has ended, and phases follow."""
        self._fill_seconds = monotonic() - self._began
        self._fills_left -= 1
        self._began = monotonic()

    def phase(self, name: str) -> None:
        """A phase begins."""
        self._show("rehearse", self._done, self._phases, f"{name}, about {self._left():,.0f} s left")
        self._done += 1

    def ended(self, seconds: float) -> None:
        """A phase has ended; what follows is expected to take as long as it on the average."""
        weight = 1 / min(self._done, 5)
        self._phase_seconds += (seconds - self._phase_seconds) * weight

    def _left(self) -> float:
        return self._fills_left * self._fill_seconds + (self._phases - self._done) * self._phase_seconds
