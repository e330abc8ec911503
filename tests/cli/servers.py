"""A `roster serve` of a test's own, as a process."""

import os
import re
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx

from tests.programs import Running, start

# Without a context httpx reads all certificates of the machine for each call, in 20 ms of processor time.
get = partial(httpx.get, verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), timeout=60)

START_SECONDS = 90.0


@contextmanager
def serving(
    database_url: str,
    log: Path,
    *options: str,
    command: Sequence[Path | str] | None = None,
    **settings: str,
) -> Iterator[tuple[str, Running]]:
    """The base URL and the process of a running server; its output goes to `log`.

    `command` is what runs `roster` in a process that has imported nothing.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    arguments = ["serve", f"--port={port}", *options]
    env = environment(database_url, **settings)
    process: Running
    with log.open("wb") as output:
        if command is None:
            process = start("service", *arguments, env=env, stdout=output, stderr=output)
        else:
            process = subprocess.Popen([*command, *arguments], env=env, stdout=output, stderr=output)
        base = f"http://127.0.0.1:{port}"
        try:
            _wait_until_alive(base, process, log)
            yield base, process
        finally:
            process.terminate()
            process.wait(START_SECONDS)


def environment(database_url: str, **settings: str) -> dict[str, str]:
    """This process's environment with other settings of Roster's."""
    # A program that sees SlipCover's folder would tidy it away when it ends.
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ROSTER_", "SLIPCOVER_"))}
    return kept | {"ROSTER_DATABASE_URL": database_url, "ROSTER_LOG_FORMAT": "json"} | settings


def _wait_until_alive(base: str, process: Running, log: Path) -> None:
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


def announced(log: Path) -> str:
    """The address of the API that a server wrote to its log."""
    address: str = until(lambda: re.search(r"^API: +(\S+)\n", log.read_text(), re.MULTILINE))[1]
    return address


def until(true: Callable[[], Any], seconds: float = START_SECONDS) -> Any:
    """What `true` returns, as soon as that is something."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := true():
            return found
        time.sleep(0.05)
    raise AssertionError("It did not come about.")
