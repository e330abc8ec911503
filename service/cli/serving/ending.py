"""How a server ends: the time that it takes at most, and whether its terminal was closed."""

import os
from collections.abc import Callable

# The time after the drain for cancelling requests and closing connections.
FAREWELL_SECONDS = 5.0


def watch_terminal() -> Callable[[], bool]:
    """Return a function that returns whether the terminal of the server has been closed."""
    had_terminal = _has_terminal()
    return lambda: had_terminal and not _has_terminal()


def _has_terminal() -> bool:
    try:
        os.close(os.open("/dev/tty", os.O_RDWR))
    except OSError:
        return False
    return True
