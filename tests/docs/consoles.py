"""The console blocks of a Markdown page, as commands and expected output."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.programs import commands

_BLOCK = re.compile(r"^```console\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_ASSIGNMENT = re.compile(r"(?:export )?(?P<name>[A-Za-z_]+)=(?P<value>\S+|'[^']*')")
RUN_SECONDS = 30


@dataclass(frozen=True, kw_only=True)
class Step:
    """One command and what the page shows of its output; … stands for anything, alone on a line for any lines."""

    line: int
    command: str
    shown: str

    def is_met_by(self, output: str) -> bool:
        return re.fullmatch(_pattern(self.shown), output) is not None


def steps(page: str) -> Iterator[Step]:
    for block in _BLOCK.finditer(page):
        first = page.count("\n", 0, block.start("text")) + 1
        lines = block["text"].splitlines()
        starts = [at for at, line in enumerate(lines) if line.startswith("$ ")]
        for at, end in zip(starts, [*starts[1:], len(lines)], strict=True):
            after = next((each for each in range(at + 1, end) if not lines[each].startswith("> ")), end)
            command = "\n".join(line[2:] for line in lines[at:after])
            yield Step(line=first + at, command=command, shown="\n".join(lines[after:end]))


class Session:
    """Runs commands as typed one after the other: variables stay set."""

    def __init__(self, folder: Path | None = None, **environment: str) -> None:
        self._folder = folder
        # The project's own commands come first, as they do in an environment that is activated.
        path = os.pathsep.join((str(commands()), str(Path(sys.executable).parent), os.environ["PATH"]))
        self._environment = {"PATH": path, "LANG": "C.UTF-8"} | environment

    def run(self, command: str) -> str:
        """What the command writes, ended by a newline if it is anything; nothing for one that sets a variable."""
        if assigned := _ASSIGNMENT.fullmatch(command):
            self._environment[assigned["name"]] = assigned["value"].strip("'")
            return ""
        done = subprocess.run(
            ["/bin/sh", "-c", command],
            cwd=self._folder,
            env=self._environment,
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=RUN_SECONDS,
        )
        written = done.stdout.decode().replace("\r", "").rstrip("\n")
        return f"{written}\n" if written else ""


def _pattern(shown: str) -> str:
    lines = shown.strip("\n").splitlines()
    return "".join(r"(?:.*\n)*?" if line == "…" else re.escape(line).replace("…", ".*?") + r"\n" for line in lines)


def section(page: str, title: str) -> str:
    """The part of a page below one heading."""
    return page.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
