"""A child process that takes commands as lines of JSON and answers with lines of JSON."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, Self, TypeVar, cast

import msgspec

T = TypeVar("T")

_STOP_SECONDS = 20.0


class Ended(Exception):
    """A child process ended without an answer; the text is the end of its standard error."""


class Child:
    """A Python module that runs until its standard input is closed; as a context manager it ends with the block."""

    def __init__(self, module: str, *arguments: str, environment: Mapping[str, str] | None = None, cwd: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            cwd=cwd,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            # Ctrl-C is for the parent, which then ends its children in order.
            start_new_session=True,
        )
        self._input = cast("IO[bytes]", self._process.stdin)
        self._output = cast("IO[bytes]", self._process.stdout)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        # A migrator in the middle of a command does not look at its input.
        if kind is None:
            self.close()
        else:
            self.kill()

    def tell(self, command: Any) -> None:
        """Send a command."""
        with suppress(BrokenPipeError):
            self._input.write(msgspec.json.encode(command) + b"\n")
            self._input.flush()

    def answer(self, kind: type[T]) -> T:
        """Wait for the next line, which is a document of this kind; raises Ended if the child has ended."""
        line = self._output.readline()
        if not line:
            _, errors = self._process.communicate()
            raise Ended(errors.decode(errors="replace").strip())
        return msgspec.json.decode(line, type=kind)

    def ask(self, command: Any, kind: type[T]) -> T:
        """Send a command and wait for its answer; raises Ended."""
        self.tell(command)
        return self.answer(kind)

    def kill(self) -> None:
        """End the process at once."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.communicate()

    def close(self) -> None:
        """Close the standard input and wait for the end; a child that does not end is killed."""
        if self._process.poll() is None:
            try:
                self._process.communicate(timeout=_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.kill()
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe is not None:
                with suppress(BrokenPipeError):
                    pipe.close()


async def commands(kind: Any) -> AsyncIterator[Any]:
    """In the child: yield the commands until the standard input is closed."""
    while line := await asyncio.to_thread(sys.stdin.buffer.readline):
        yield msgspec.json.decode(line, type=kind)


def answer(document: Any) -> None:
    """In the child: send an answer."""
    sys.stdout.buffer.write(msgspec.json.encode(document) + b"\n")
    sys.stdout.buffer.flush()
