"""The previous version of a project: a commit of Git in a folder of its own, with the packages that it needs."""

import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from service.migrate.errors import Unknown, Unusable

# A file that pins every package; versions whose pins are the same share an environment.
LOCKS = ("requirements.lock", "uv.lock", "poetry.lock", "pdm.lock", "Pipfile.lock", "pylock.toml", "requirements.txt")
_DEFAULT_BRANCHES = ("origin/HEAD", "origin/main", "origin/master", "main", "master")
_LAST_LINES = 15
_REVISION = re.compile(r"^revision\b[^=\n]*=\s*[\"']([^\"']+)[\"']", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """Code that can be served: its folder, its interpreter and the variables that make it find its own modules."""

    name: str
    described: str
    folder: Path
    python: str
    environment: Mapping[str, str]


def current(folder: Path) -> Version:
    """The version in the working folder, in the environment of this process."""
    return Version(
        name="new",
        described="the new version",
        folder=folder,
        python=sys.executable,
        environment=_environment(folder, Path(sys.executable).parent),
    )


@contextmanager
def previous(folder: Path, commit: str, install: str) -> Iterator[Version]:
    """The version of a commit, in a worktree and, if it pins other packages, in an environment of its own.

    `install` is the command that installs it, with {python} and {folder}.

    Raises:
        Unknown: there is no such commit.
        Unusable: there is no Git here, or the version does not install.
    """
    root = Path(git(folder, "rev-parse", "--show-toplevel").strip())
    with tempfile.TemporaryDirectory(prefix="rehearse-") as name:
        checkout = Path(name, "previous")
        git(root, "worktree", "add", "--quiet", "--detach", str(checkout), commit)
        try:
            place = checkout / folder.resolve().relative_to(root.resolve())
            python = Path(sys.executable)
            described = f"the previous version ({commit[:12]})"
            if not _has_same_packages(folder, place):
                python = _installed(Path(name, "environment"), place, install, described)
            yield Version(
                name="old",
                described=described,
                folder=place,
                python=str(python),
                environment=_environment(place, python.parent),
            )
        finally:
            # The folder may be gone already, and the entry in .git must go with it.
            with suppress(Unknown):
                git(root, "worktree", "remove", "--force", "--force", str(checkout))


def base(folder: Path, previous: str | None) -> str:
    """The commit of the previous version: the given one, else the merge base with the default branch.

    Raises:
        Unknown: there is no such commit, or no default branch.
        Unusable: there is no Git here.
    """
    if previous is not None:
        return git(folder, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{previous}^{{commit}}").strip()
    for branch in _DEFAULT_BRANCHES:
        with suppress(Unknown):
            return git(folder, "merge-base", "HEAD", branch).strip()
    raise Unknown(
        "There is no previous version: Git knows no default branch here. Name a commit with --previous; in CI, check "
        "out with the whole history (fetch-depth: 0)."
    )


def merge_base(folder: Path, commit: str) -> str:
    """The newest commit that HEAD and a commit have in common; the commit itself if the histories share none.

    Raises:
        Unknown: there is no such commit.
        Unusable: there is no Git here.
    """
    known = base(folder, commit)
    try:
        return git(folder, "merge-base", "HEAD", known).strip()
    except Unknown:
        return known


def parent_of_addition(file: Path) -> str:
    """The parent of the commit that added a file; HEAD if the file is not committed yet.

    Raises:
        Unknown: the commit that added it has no parent here.
        Unusable: there is no Git here.
    """
    added = git(file.parent, "log", "--diff-filter=A", "--format=%H", "--", file.name).split()
    if not added:
        return base(file.parent, "HEAD")
    try:
        return base(file.parent, f"{added[-1]}^")
    except Unknown as failure:
        raise Unknown(
            f"The commit that added {file.name} is the first one here, so no version is without it: write a revision "
            "first, name the previous version with --previous, or, in CI, check out with the whole history "
            "(fetch-depth: 0)."
        ) from failure


def revisions_of(folder: Path, commit: str) -> set[str]:
    """The ids of the revisions whose files a commit has in this folder, whatever their files are called now."""
    try:
        found = git(folder, "grep", "--no-color", "-h", "-E", r"^revision\b", commit, "--", "*.py")
    except Unknown:
        # Nothing found is a failure to git grep.
        return set()
    return set(_REVISION.findall(found))


def git(folder: Path, *arguments: str) -> str:
    """The output of a command of Git.

    Raises:
        Unknown: it failed, most often because there is no such commit.
        Unusable: Git is not installed, or the folder is in no repository.
    """
    try:
        done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=False)  # noqa: S607 - the git of the PATH is the user's
    except FileNotFoundError as failure:
        raise Unusable("git is not installed, which a rehearsal takes the previous version from.") from failure
    if done.returncode:
        said = (done.stderr.strip().splitlines() or [""])[0].removeprefix("fatal: ").rstrip(".")
        if "not a git repository" in said:
            raise Unusable(f"{folder} is in no Git repository, which a rehearsal takes the previous version from.")
        named = arguments[-1].removesuffix("^{commit}")
        raise Unknown(f"There is no commit {named}{f': {said}' if said else ''}.")
    return done.stdout


def last_lines(text: str) -> str:
    """The end of a program's output, indented for a message."""
    lines = [line for line in text.splitlines() if line.strip()][-_LAST_LINES:]
    return "".join(f"\n  {line}" for line in lines) or "\n  (no output)"


def _has_same_packages(folder: Path, other: Path) -> bool:
    pins = [(folder / name, other / name) for name in LOCKS if (folder / name).exists() or (other / name).exists()]
    if not pins:
        pins = [(folder / "pyproject.toml", other / "pyproject.toml")]
    return all(each.exists() == there.exists() and _read(each) == _read(there) for each, there in pins[:1])


def _read(file: Path) -> bytes:
    return file.read_bytes() if file.exists() else b""


def _environment(folder: Path, programs: Path) -> dict[str, str]:
    """PYTHONPATH goes before an editable installation of another version in the same environment."""
    path = os.pathsep.join(filter(None, (str(folder), os.environ.get("PYTHONPATH", ""))))
    return {"PYTHONPATH": path, "PATH": os.pathsep.join((str(programs), os.environ.get("PATH", "")))}


def _installed(environment: Path, folder: Path, install: str, described: str) -> Path:
    """The interpreter of a new environment with what the version needs."""
    python = environment / "bin/python"
    for command in (
        [sys.executable, "-m", "venv", str(environment)],
        split(install, python=str(python), folder=str(folder)),
    ):
        done = subprocess.run(
            command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
        if done.returncode:
            raise Unusable(
                f"{described.capitalize()} does not install; the end of its output:{last_lines(done.stdout)}"
            )
    return python


def split(command: str, **values: str) -> list[str]:
    """The words of a command, with its placeholders filled.

    Raises:
        Unusable: it has another placeholder, or a quotation mark is missing.
    """
    try:
        return [word.format(**values) for word in shlex.split(command)]
    except (KeyError, IndexError, ValueError) as failure:
        known = ", ".join(f"{{{each}}}" for each in values)
        raise Unusable(f"The command {command!r} cannot be read ({failure}); it may have {known}.") from failure
