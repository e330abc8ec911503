"""What the controller of pytest-xdist leaves to its workers; `make test` and `make test-quick` load this plugin."""

import json
import os
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from tests.memory import use_memory
from tests.programs import preload, worker_python


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Leave conftest.py out of the controller: workers would wait while the controller imports Roster."""
    options = early_config.known_args_namespace
    if not _is_worker() and options.numprocesses:
        options.noconftest = True
        use_memory()
        _leave_files_to_workers()


def _leave_files_to_workers() -> None:
    """Report no files of Roster from the controller: each worker reports those that it did not import, too."""
    for finder in sys.meta_path:
        slipcover: Any = getattr(finder, "sci", None)
        if slipcover is not None:
            slipcover.source = None


def pytest_sessionstart(session: pytest.Session) -> None:
    """Import once, for all workers, what the programs that tests start have in common."""
    if not _is_worker() and session.config.option.numprocesses:
        preload()


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish() -> None:
    """Merge the coverage of the programs that tests started into one file."""
    folder = os.environ.get("SLIPCOVER_COVERAGE_DIR")
    if _is_worker() or not folder:
        return
    # SlipCover's plugin takes 30 ms for each file, because it compares the file with all that the workers covered.
    merged: Any = None
    for each in Path(folder).glob("coverage-gw-*.json"):
        covered = json.loads(each.read_text())
        each.unlink()
        merged = covered if merged is None else sys.modules["slipcover"].merge_coverage(merged, covered)
    if merged is not None:
        Path(folder, "coverage-gw-programs.json").write_text(json.dumps(merged))


@pytest.hookimpl(wrapper=True)
def pytest_xdist_auto_num_workers() -> Generator[None, int, int]:
    """One more than pytest-xdist starts: a worker often waits for the programs and servers that it started."""
    return (yield) + 1


def pytest_xdist_setupnodes(specs: list[Any]) -> None:
    """Fork the workers from one process, in which Roster is imported and SlipCover's probes are set once."""
    if sys.platform == "linux":
        python = worker_python()
        for each in specs:
            each.python = str(python)


def _is_worker() -> bool:
    return "PYTEST_XDIST_WORKER" in os.environ
