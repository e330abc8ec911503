"""PostgreSQL's own programs for backups: where they are, and which of them are new enough."""

import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from service.errors import RosterError

_NEEDED = ("pg_dump", "pg_restore", "psql")
# Where Debian, Ubuntu and Red Hat keep those of each version.
_FOLDERS = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin")
_VERSION = re.compile(r"\(PostgreSQL\) (?P<text>(?P<major>\d+)\S*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Programs:
    """The programs of one version, in one folder."""

    folder: Path
    major: int
    version: str

    def path(self, program: str) -> str:
        return str(self.folder / program)


def for_server(major: int) -> list[Programs]:
    """Those that can be used with a server of this version, the fittest first: a program may be newer, never older.

    Raises:
        RosterError: there are none, or all are older than the server.
    """
    found = sorted(_installed(), key=lambda each: each.major)
    if fit := [each for each in found if each.major >= major]:
        return fit
    told = ", ".join(f"{each.version} in {each.folder}" for each in found)
    there = f"those found are older: {told}" if found else "none were found on the PATH or in /usr/lib/postgresql"
    raise RosterError(
        f"The server is PostgreSQL {major}; {', '.join(_NEEDED)} of version {major} or newer are needed, and {there}. "
        f"Install postgresql-client-{major}, or put the folder that holds them first on the PATH."
    )


def _installed() -> Iterator[Programs]:
    for folder in dict.fromkeys(each.resolve() for each in _folders()):
        version = _version(folder / "pg_dump")
        if version and all(os.access(folder / each, os.X_OK) for each in _NEEDED):
            yield Programs(folder=folder, major=int(version["major"]), version=version["text"])


def _folders() -> Iterator[Path]:
    for each in os.get_exec_path():
        program = Path(each) / "pg_dump"
        # Debian's wrapper chooses a version by the clusters of this machine: the versions themselves are found below.
        if os.access(program, os.X_OK) and program.resolve().name != "pg_wrapper":
            yield Path(each)
    for pattern in _FOLDERS:
        yield from sorted(Path("/").glob(pattern.removeprefix("/")))


def _version(program: Path) -> re.Match[str] | None:
    try:
        done = subprocess.run([str(program), "--version"], capture_output=True, text=True, check=False, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return _VERSION.search(done.stdout)
