"""A page of edits and commands, followed literally in a clean copy of the repository.

A `diff` block is given to `git apply`. A `python` block below "`FILE`, a new file:" is written to that file; below
"`FILE`, set:" each line replaces the one that assigns the same name. A `console` block is run and must print what it
shows. An `sh` block starts a server. NNNN is the number and DATE the date of the revision that the page drafts.
"""

import re
import socket
import subprocess
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from tests.docs.clones import clone, left_running, terminal
from tests.docs.consoles import steps
from tests.programs import commands_of

_BLOCK = re.compile(r"^```(?P<kind>[a-z]+)\n(?P<text>.*?)^```\n", re.MULTILINE | re.DOTALL)
_PLACE = re.compile(r".*`(?P<file>[^`]+)`, (?P<how>a new file|set):")
# The page changes the service's own modules, which each command imports again.
_LIBRARIES = (
    "alembic.command",
    "asyncpg",
    "httpx",
    "litestar.openapi",
    "pytest",
    "rich.console",
    "sqlalchemy.ext.asyncio",
    "uvicorn",
)
_LOCAL = "http://127.0.0.1:8000"


def follow(page: str, folder: Path, revision: str) -> Path:
    """Return a copy of the repository in which everything on the page was done; `revision` is what the page drafts."""
    copy = _Copy(clone(folder), revision)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    # Somebody may have followed the page in this very work tree: the edits are there, the tests must be green.
    edited = any(copy.folder.glob(f"alembic/versions/*_{revision}.py"))
    with commands_of(copy.folder, *_LIBRARIES), terminal(copy.folder) as shell, ExitStack() as running:
        for block in _BLOCK.finditer(page):
            if edited and (block["kind"] in {"diff", "python"} or "make migration" in block["text"]):
                continue
            if block["kind"] == "diff":
                copy.apply(block["text"])
            elif block["kind"] == "python":
                copy.write(page[: block.start()].rstrip().rpartition("\n")[2], block["text"])
            elif block["kind"] == "sh":
                command = f"{block['text'].strip()} PORT={port}"
                running.enter_context(left_running(command, copy.folder, url))
            else:
                for step in steps(block[0].replace(_LOCAL, url)):
                    output, status = shell.run(step.command)
                    assert (step.is_met_by(output), status) == (True, 0), f"$ {step.command}\n{output}"
    return copy.folder


@dataclass(frozen=True)
class _Copy:
    folder: Path
    revision: str

    def apply(self, patch: str) -> None:
        command = ["git", "apply", "--unidiff-zero", "-"]
        text = self._named(patch)
        done = subprocess.run(command, cwd=self.folder, input=text, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{done.stderr}\n{text}"

    def write(self, above: str, text: str) -> None:
        place = _PLACE.fullmatch(above)
        assert place, f"This does not name a file for the block below it: {above}"
        file = self.folder / place["file"]
        if place["how"] == "a new file":
            assert not file.exists(), file
            file.parent.mkdir(exist_ok=True)
            file.write_text(text)
            return
        for line in self._named(text).splitlines():
            name = line.partition(" = ")[0]
            changed, count = re.subn(rf"^{name} = .*$", line, file.read_text(), flags=re.MULTILINE)
            assert count == 1, f"{file}: {name}"
            file.write_text(changed)

    def _named(self, text: str) -> str:
        """Put the number and the date of the drafted revision where the page leaves them open."""
        if not re.search(r"NNNN|/DATE_", text):
            return text
        (draft,) = self.folder.glob(f"alembic/versions/*_{self.revision}.py")
        (number,) = re.findall(r'^revision = "(\d{4})_', draft.read_text(), re.MULTILINE)
        return text.replace("NNNN", number).replace("/DATE_", f"/{draft.name.removesuffix(f'{self.revision}.py')}")
