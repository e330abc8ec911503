"""A `roster serve` of a test's own, as a process."""

import json
import os
import secrets
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import httpx

from tests.project.files import ROOT

# Without a context httpx reads all certificates of the machine for each call, in 20 ms of processor time.
get = partial(httpx.get, verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), timeout=60)

START_SECONDS = 90.0
# Not all of the service: it would be compiled again at each start, for two seconds of processor time.
RUN_BY_SERVERS = ("service/cli/serving", "service/observability", "service/http/server")


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
    arguments = ["-m", "service", "serve", f"--port={port}", *options]
    # A test that names the Python to use may name one without SlipCover.
    folder = None if executable else os.environ.get("SLIPCOVER_COVERAGE_DIR")
    with _measured(folder) as measuring, log.open("wb") as output:
        command = [executable or sys.executable, *measuring, *arguments]
        process = subprocess.Popen(command, env=environment(database_url, **settings), stderr=output, stdout=output)
        base = f"http://127.0.0.1:{port}"
        try:
            _wait_until_alive(base, process, log)
            yield base, process
        finally:
            process.terminate()
            process.wait(START_SECONDS)


@contextmanager
def _measured(folder: str | None) -> Iterator[list[str]]:
    """The options of Python that add what only a server runs to the coverage of `make test`, if that is measured."""
    if folder is None:
        yield []
        return
    name = secrets.token_hex(8)
    result = Path(folder, f"server-{name}.json")
    source = ",".join(str(ROOT / each) for each in RUN_BY_SERVERS)
    yield ["-m", "slipcover", "--dont-wrap-pytest", "--branch", f"--source={source}", "--json", f"--out={result}"]
    # SlipCover merges what lies there under the names of pytest-xdist's workers; a killed server's file is not whole.
    with suppress(OSError, ValueError):
        json.loads(result.read_bytes())
        result.rename(Path(folder, f"coverage-gw-{name}.json"))


def environment(database_url: str, **settings: str) -> dict[str, str]:
    """This process's environment with other settings of Roster's."""
    # A server that is measured would tidy SlipCover's folder away when it ends.
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ROSTER_", "SLIPCOVER_"))}
    return kept | {"ROSTER_DATABASE_URL": database_url, "ROSTER_LOG_FORMAT": "json"} | settings


def _wait_until_alive(base: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            get(f"{base}/livez").raise_for_status()
        except httpx.TransportError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"The server did not start:\n{log.read_text()}") from None
            time.sleep(0.05)
        else:
            return


def until(true: Callable[[], Any], seconds: float = START_SECONDS) -> Any:
    """What `true` returns, as soon as that is something."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := true():
            return found
        time.sleep(0.05)
    raise AssertionError("It did not come about.")
