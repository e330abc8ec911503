"""A `roster serve` of a test's own, as a process."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import coverage
import httpx

START_SECONDS = 90.0


@contextmanager
def serving(
    database_url: str,
    log: Path,
    *options: str,
    executable: Path | str | None = None,
    **settings: str,
) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """The base URL and the process of a running server; its output goes to `log`."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    # What only a server runs counts for the coverage of the tests, unless the test names the Python to use.
    measured = executable is None and coverage.Coverage.current() is not None
    command = [executable or sys.executable, *(("-m", "coverage", "run") if measured else ()), "-m", "service", "serve"]
    command += [f"--port={port}", *options]
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=environment(database_url, **settings), stderr=output, stdout=output)
    base = f"http://127.0.0.1:{port}"
    try:
        _wait_until_alive(base, process, log)
        yield base, process
    finally:
        process.terminate()
        process.wait(START_SECONDS)


def environment(database_url: str, **settings: str) -> dict[str, str]:
    """This process's environment with other settings of Roster's."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ROSTER_")}
    return kept | {"ROSTER_DATABASE_URL": database_url, "ROSTER_LOG_FORMAT": "json"} | settings


def _wait_until_alive(base: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            httpx.get(f"{base}/livez").raise_for_status()
        except httpx.TransportError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"The server did not start:\n{log.read_text()}") from None
            time.sleep(0.05)
        else:
            return
