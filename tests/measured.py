"""Sets how SlipCover measures in a worker of pytest-xdist, and when garbage is collected, before imports."""

import gc
from itertools import count

from slipcover import pytest_plugin  # type: ignore[import-untyped]  # it has no types

_slipcover = pytest_plugin._slipcover_instance
_files = count(1)

# Until the tests are collected: what is imported stays.
gc.disable()

if _slipcover is not None:
    # Below Python 3.12 each replacement of functions takes 0.2 s; left alone, SlipCover makes hundreds.
    _slipcover.d_miss_threshold = 2**31 - 1


def remove_probes() -> None:
    """Remove the probes of lines that have run: after the 1st, 2nd, 4th, 8th … file, as later ones find few."""
    # From Python 3.12 on there are no probes.
    if hasattr(_slipcover, "deinstrument_seen") and next(_files).bit_count() == 1:
        _slipcover.deinstrument_seen()
