"""Garbage collection as the service sets it, for its rivals."""

import gc


def settle() -> None:
    """Set what there is now aside, and collect new garbage seldom: `roster serve` does the same."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
