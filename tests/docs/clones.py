"""A clean clone of the repository with its own environment, in which a page is followed."""

import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.cli.servers import get
from tests.project.files import ROOT

_SCRIPTS = ("alembic", "roster")
_PROGRAMS = ("ruff",)
_COMPILED = ("alembic", "service", "tests")
_MARKER = "-- done:"
_START_SECONDS = 60.0


def clone(folder: Path) -> Path:
    """What a clone of the work tree holds, in this folder; `make install` finds nothing left to do there."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in filter(None, names.split("\0")):
        if (ROOT / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    # Python takes what it compiled here for the copies too: they have the same text and time.
    for compiled in (each for name in _COMPILED for each in (ROOT / name).rglob("__pycache__")):
        shutil.copytree(compiled, folder / compiled.relative_to(ROOT))
    _environment(folder)
    return folder


def _environment(folder: Path) -> None:
    """A .venv that finds the copy first, and then the libraries that these tests run with."""
    venv = folder / ".venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
    programs = venv / "bin"
    packages = next(venv.glob("lib/python*/site-packages"))
    (packages / "copy.pth").write_text(f"{folder}\n{sysconfig.get_path('purelib')}\n")
    ours = Path(sysconfig.get_path("scripts"))
    for name in _SCRIPTS:
        script = (ours / name).read_text().replace(str(ours / "python"), str(programs / "python"))
        (programs / name).write_text(script)
        (programs / name).chmod(0o755)
    for name in _PROGRAMS:
        (programs / name).symlink_to(ours / name)
    for mark in (".locked", ".project"):
        (venv / mark).touch()


class Terminal:
    """One shell for a whole page: variables, functions and the environment that was activated stay."""

    def __init__(self, shell: subprocess.Popen[str]) -> None:
        self._shell = shell

    def run(self, command: str) -> tuple[str, int]:
        """What a command writes to its terminal, and its exit status."""
        assert self._shell.stdin is not None
        assert self._shell.stdout is not None
        self._shell.stdin.write(f"{command}\nprintf '\\n{_MARKER} %s\\n' $?\n")
        self._shell.stdin.flush()
        lines: list[str] = []
        for line in self._shell.stdout:
            if line.startswith(_MARKER):
                written = "".join(lines).rstrip("\n")
                return f"{written}\n" if written else "", int(line.removeprefix(_MARKER))
            lines.append(line)
        raise AssertionError(f"The shell ended at: {command}")


@contextmanager
def terminal(folder: Path, **environment: str) -> Iterator[Terminal]:
    """A new terminal in a folder, with nothing on its PATH but what a machine has."""
    clean = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(folder), "LANG": "C.UTF-8"} | environment
    streams = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    shell = subprocess.Popen(["/bin/sh"], cwd=folder, env=clean, text=True, **streams)  # type: ignore[call-overload]
    try:
        yield Terminal(shell)
    finally:
        shell.stdin.close()
        shell.wait(10)
        shell.stdout.close()


@contextmanager
def left_running(command: str, folder: Path, url: str) -> Iterator[None]:
    """The first terminal, in which a command keeps running."""
    clean = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(folder)}
    log = folder / "first-terminal.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["/bin/sh", "-c", command], cwd=folder, env=clean, stdout=output, stderr=output, start_new_session=True
        )
    try:
        _wait_for(url, process, log)
        yield
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(_START_SECONDS)


def _wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            get(f"{url}/readyz").raise_for_status()
        except httpx.HTTPError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(log.read_text()) from None
            time.sleep(0.1)
        else:
            return
