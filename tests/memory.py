"""Temporary files in memory: no test waits for a disk."""

import os
import shutil
import tempfile
from pathlib import Path

MEMORY = Path("/dev/shm")  # noqa: S108 - pytest and tempfile make folders of their own in it
MEMORY_BYTES = 2**31


def use_memory() -> None:
    """Put databases and other temporary files into memory where there is room."""
    if "TMPDIR" not in os.environ and MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > MEMORY_BYTES:
        os.environ["TMPDIR"] = str(MEMORY)
        tempfile.tempdir = None
