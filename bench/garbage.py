"""The garbage collection settings of `roster serve`, for the rivals."""

import gc


def settle() -> None:
    """Freeze the existing objects, and collect less often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
