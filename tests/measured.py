"""Sets how SlipCover measures in a worker of pytest-xdist, before the worker imports the service."""

from slipcover import pytest_plugin  # type: ignore[import-untyped]  # it has no types

# Below Python 3.12 each replacement of functions takes 0.1 s, and there are hundreds after the usual 50 runs of a line.
RUNS = 2**31 - 1

if pytest_plugin._slipcover_instance is not None:
    pytest_plugin._slipcover_instance.d_miss_threshold = RUNS
