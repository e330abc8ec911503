"""Programs that tests start: `python -m` of a module, by a process that has imported Roster and Alembic already.

An import of the service takes a second of processor time, which most tests of a program would spend on nothing else.
The program is a process of its own all the same, with its own arguments, environment, streams and exit status, and can
be killed. Tests of the start itself use `subprocess`.
"""

import atexit
import json
import os
import secrets
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO, TypeAlias

from tests.preloaded import IMPORTED, ROOT, Job

Stream = IO[bytes] | int
Running: TypeAlias = "Program | subprocess.Popen[bytes]"

# Not ROSTER_: programs refuse such a variable unless it is a setting.
_SHARED = "PRELOADED_FOR_TESTS"


@dataclass(kw_only=True)
class Program:
    """A running program, with the methods of `subprocess.Popen` that the tests use."""

    pid: int
    returncode: int | None = None
    _connection: socket.socket

    def poll(self) -> int | None:
        """The exit status, or minus the signal that ended it; `None` while it runs."""
        return self._ended(0)

    def wait(self, timeout: float | None = None) -> int:
        """As `poll`, once it has ended; raises TimeoutExpired if it does not in so many seconds."""
        status = self._ended(timeout)
        if status is None:
            raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0)
        return status

    def _ended(self, seconds: float | None) -> int | None:
        if self.returncode is None and select.select([self._connection], [], [], seconds)[0]:
            self.returncode = os.waitstatus_to_exitcode(int.from_bytes(self._connection.recv(4), "big"))
            self._connection.close()
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def start(
    module: str,
    *arguments: str,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdin: Stream | None = None,
    stdout: Stream,
    stderr: Stream,
    forking: bool = False,
) -> Running:
    """Start `python -m module`, or `python -c` with code as an argument; without `stdin` its input is empty.

    With `forking`, each `python -m` that the program starts is such a program too.
    """
    stdin = subprocess.DEVNULL if stdin is None else stdin
    if sys.platform != "linux":
        command = [sys.executable, *(["-c"] if module == "-c" else ["-m", module]), *arguments]
        return subprocess.Popen(command, env=env, cwd=cwd, stdin=stdin, stdout=stdout, stderr=stderr)
    measured = os.environ.get("SLIPCOVER_COVERAGE_DIR")
    # SlipCover merges what lies there under the names of pytest-xdist's workers.
    coverage = measured and str(Path(measured, f"coverage-gw-{secrets.token_hex(8)}.json"))
    folder = str(cwd or Path.cwd())
    job: Job = {
        "module": module,
        "arguments": list(arguments),
        "environment": dict(os.environ if env is None else env),
        "folder": folder,
        "path": folder,
        "coverage": coverage,
        "python": str(commands() / "python") if forking else None,
    }
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(str(_preloaded() / "socket"))
    with Path(os.devnull).open("r+b") as nothing:
        streams = [nothing if each == subprocess.DEVNULL else each for each in (stdin, stdout, stderr)]
        numbers = [each if isinstance(each, int) else each.fileno() for each in streams]
        socket.send_fds(connection, [b"\0"], numbers)
    connection.sendall(json.dumps(job).encode() + b"\n")
    return Program(pid=int.from_bytes(connection.recv(4), "big"), _connection=connection)


def run(
    module: str,
    *arguments: str,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    input: str | None = None,  # noqa: A002 - as in subprocess.run
    timeout: float = 120,
    forking: bool = False,
) -> subprocess.CompletedProcess[str]:
    """Run `python -m module` to its end, and return its status and what it wrote."""
    with tempfile.TemporaryFile() as stdin, tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
        stdin.write((input or "").encode())
        stdin.seek(0)
        streams = {"stdin": stdin, "stdout": stdout, "stderr": stderr}
        program = start(module, *arguments, env=env, cwd=cwd, forking=forking, **streams)
        try:
            status = program.wait(timeout)
        finally:
            program.kill()
        written = [_text(each) for each in (stdout, stderr)]
        return subprocess.CompletedProcess([module, *arguments], status, *written)


def started(module: str, *arguments: str, cwd: Path | None = None) -> tuple[Running, IO[str]]:
    """Start `python -m module`; returns the program, and what it writes to either stream, as it does."""
    reading, writing = os.pipe()
    try:
        program = start(module, *arguments, cwd=cwd, stdout=writing, stderr=writing)
    finally:
        os.close(writing)
    return program, os.fdopen(reading)


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode()


# Python without its site-packages, which starts in a hundredth of a second.
_SCRIPT = """#!{python} -IS
import json, os, signal, socket, sys

module, path, python = {module!r}, {path!r}, None
if not module:
    path = os.getcwd()
    if sys.argv[1:2] == ["-m"]:
        module, python = sys.argv[2], sys.argv[0]
    elif sys.argv[1:3] == ["-u", "-c"]:
        module = "-c"
    else:
        os.execv({other!r}, [{other!r}, *sys.argv[1:]])
    del sys.argv[1:3]
connection = socket.socket(socket.AF_UNIX)
connection.connect({address!r})
socket.send_fds(connection, [bytes(1)], [0, 1, 2])
measured = os.environ.get("SLIPCOVER_COVERAGE_DIR")
# pytest-xdist's workers write their own.
counts = measured and module != "-c"
coverage = f"{{measured}}/coverage-gw-{{os.urandom(8).hex()}}.json" if counts else None
job = dict(module=module, path=path, arguments=sys.argv[1:], coverage=coverage, python=python)
connection.sendall(json.dumps(job | dict(environment=dict(os.environ), folder=os.getcwd())).encode() + b"\\n")
pid = int.from_bytes(connection.recv(4), "big")
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, lambda number, _: os.kill(pid, number))
status = os.waitstatus_to_exitcode(int.from_bytes(connection.recv(4), "big"))
sys.exit(status if status >= 0 else 128 - status)
"""


@cache
def commands() -> Path:
    """A folder for PATH, in which `roster`, `alembic` and `python -m` are such programs.

    So is each `python -m` that a `python -m` starts.
    """
    installed = Path(sys.executable).parent
    if sys.platform != "linux":
        return installed
    # Not beside the socket: another worker may run a command there while this one writes it.
    folder = Path(tempfile.mkdtemp(prefix="commands-"))
    atexit.register(shutil.rmtree, folder)
    _write_commands(folder, _preloaded(), installed)
    _write_command(folder / "python", "", _preloaded(), installed)
    return folder


@contextmanager
def commands_of(clone: Path, *modules: str) -> Iterator[None]:
    """Make `roster`, `alembic` and `python -m` of a clone's .venv such programs.

    They fork from a process of the clone that has imported these modules.
    """
    if sys.platform != "linux":
        yield
        return
    programs = clone / ".venv/bin"
    with _preloading(programs / "python", clone, *(modules or IMPORTED)) as folder:
        _write_commands(programs, folder, programs)
        # Not written into: it is a link to the interpreter, or the link that the other names lead to.
        python = (programs / "python").rename(programs / "interpreter")
        _write_command(programs / "python", "", folder, programs, python)
        yield


def _write_commands(folder: Path, preloaded: Path, installed: Path) -> None:
    for name, module in (("roster", "service"), ("alembic", "alembic")):
        _write_command(folder / name, module, preloaded, installed)


def _write_command(
    command: Path, module: str, preloaded: Path, installed: Path, other: str | Path = sys.executable
) -> None:
    """Write a command that runs the module; without one it runs that of `-m`, or code as pytest-xdist starts workers.

    All else it leaves to the other interpreter.
    """
    address = str(preloaded / "socket")
    command.write_text(
        _SCRIPT.format(python=sys.executable, other=str(other), address=address, module=module, path=str(installed))
    )
    command.chmod(0o755)


def preload() -> None:
    """Start the process that forks, for this process and those that it starts from now on."""
    if sys.platform == "linux":
        os.environ[_SHARED] = f"{ROOT}{os.pathsep}{_preloaded()}"


def worker_python() -> Path:
    """What starts as Python, and is a worker of pytest-xdist that has imported Roster, measured if coverage is."""
    if "SLIPCOVER_ENABLED" not in os.environ:
        return commands() / "python"
    stack = ExitStack()
    atexit.register(stack.close)
    # SlipCover measures in workers alone.
    modules = ("tests.measured", *IMPORTED, "httpx", "pytest")
    folder = stack.enter_context(_preloading(Path(sys.executable), ROOT, *modules, PYTEST_XDIST_WORKER="shared"))
    _write_command(folder / "python", "", folder, Path(sys.executable).parent)
    return folder / "python"


@cache
def _preloaded() -> Path:
    """The folder with the socket of the process that forks; it ends with this one, or with what called `preload`."""
    # Tests that run in a clone of the project need its code.
    root, _, folder = os.environ.get(_SHARED, "").partition(os.pathsep)
    if root == str(ROOT):
        return Path(folder)
    stack = ExitStack()
    atexit.register(stack.close)
    return stack.enter_context(_preloading(Path(sys.executable), ROOT, *IMPORTED))


@contextmanager
def _preloading(python: Path, root: Path, *modules: str, **environment: str) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="programs-"))
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "socket"))
        listener.listen(64)
        process = subprocess.Popen(
            [python, "-m", "tests.preloaded", str(listener.fileno()), *modules],
            stdin=subprocess.PIPE,
            pass_fds=[listener.fileno()],
            cwd=root,
            env=os.environ | environment,
        )
    try:
        yield folder
    finally:
        process.communicate()
        shutil.rmtree(folder)
