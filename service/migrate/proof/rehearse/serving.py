"""Serving a version of the project on a free port, until the end of a block."""

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from service.migrate.errors import Unusable
from service.migrate.proof.rehearse.client import Client
from service.migrate.proof.rehearse.versions import Version, last_lines, split
from service.migrate.proof.server import KEEPER, free_port

START_SECONDS = 60.0
STOP_SECONDS = 15.0
POLL_SECONDS = 0.02
_ANSWER_SECONDS = 5.0
# As for PostgreSQL the service dies with this process; a service ends at TERM.
_KEEPER = KEEPER.replace("-s INT", "-s TERM")


@contextmanager
def served(version: Version, command: str, url: str, variables: Mapping[str, str], folder: Path) -> Iterator[int]:
    """The port of a version that answers; `command` may have {port}, {python} and {url}.

    Raises:
        Unusable: it ends, or does not answer in a minute; with the end of its output.
    """
    port = free_port()
    words = split(command, port=str(port), python=version.python, url=url)
    log = folder / f"{version.name}-{port}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["/bin/sh", "-c", _KEEPER, "keeper", *words],
            cwd=version.folder,
            env={**os.environ, **version.environment, **variables},
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            # Ctrl-C is for the rehearsal, which then stops the service itself.
            start_new_session=True,
        )
    try:
        _wait(process, port, version, log)
        yield port
    finally:
        try:
            process.communicate(timeout=STOP_SECONDS)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _wait(process: subprocess.Popen[bytes], port: int, version: Version, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not _answers(port):
        said = f"its output ends:{last_lines(log.read_text(errors='replace'))}"
        if process.poll() is not None:
            raise Unusable(f"{version.described.capitalize()} did not start; {said}")
        if time.monotonic() > deadline:
            raise Unusable(
                f"{version.described.capitalize()} did not answer on port {port} in {START_SECONDS:g} s; {said}"
            )
        time.sleep(POLL_SECONDS)


def _answers(port: int) -> bool:
    async def ask() -> None:
        client = Client(port, _ANSWER_SECONDS)
        try:
            await client.ask("GET", "/", {})
        finally:
            client.close()

    try:
        asyncio.run(ask())
    except OSError:
        return False
    return True
