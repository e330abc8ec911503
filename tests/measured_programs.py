"""Which lines run in the programs that tests start, for `make test`; `tests/preloaded.py` uses it."""

import atexit
import importlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from importlib.util import find_spec
from multiprocessing import util
from pathlib import Path
from typing import Any

# The code that no test runs in its own process.
MEASURED = (
    "service/cli",
    "service/events",
    "service/http/server",
    "service/migrate/proof/rehearse",
    "service/observability",
)


@contextmanager
def measuring() -> Iterator[Any]:
    """Count the lines of MEASURED, if coverage is measured at all; gives SlipCover's object."""
    if "SLIPCOVER_COVERAGE_DIR" not in os.environ:
        yield None
        return
    slipcover: Any = importlib.import_module("slipcover")

    source = [str(Path(__file__).parents[1] / each) for each in MEASURED]
    excluded = os.environ["SLIPCOVER_EXCLUDE_LINES"].split("\n")
    measured = slipcover.Slipcover(branch=True, source=source, exclude_lines=excluded)
    with slipcover.ImportManager(measured, slipcover.FileMatcher(sources=source)):
        yield measured


def write_at_end(measured: Any, file: Path) -> None:
    """Write what ran in this process when it ends, and beside that file what ran in each that it forks."""
    atexit.register(_write, measured, file)
    # A fork ends without `atexit`.
    util.register_after_fork(measured, partial(_write_beside, file))


def _write(measured: Any, file: Path) -> None:
    unfinished = file.with_name(f"unfinished-{file.name}")
    unfinished.write_text(json.dumps(measured.get_coverage()))
    unfinished.rename(file)


def _write_beside(file: Path, measured: Any) -> None:
    own = file.with_name(f"{file.stem}-{os.getpid()}.json")
    util.Finalize(None, _write, (measured, own), exitpriority=0)


def measured_spec(name: str) -> Any:
    """The spec of a module in which SlipCover counts lines, else `None`; it counts none of what runpy runs."""
    spec = find_spec(name)
    return spec if spec is not None and hasattr(spec.loader, "sci") else None
