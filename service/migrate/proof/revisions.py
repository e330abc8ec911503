"""Which revisions a proof is about: all, or those that are new since a revision or since a commit of Git."""

import inspect
import re
import subprocess
from pathlib import Path

from alembic.script import Script, ScriptDirectory
from sqlalchemy import URL, Connection
from sqlalchemy.exc import DBAPIError

from service.migrate.errors import Unknown, Unusable, reason, refusing
from service.migrate.plan import faults, graph

_KEPT_ROWS = "kept_rows"


def chosen(directory: ScriptDirectory, since: str | None) -> list[str]:
    """The ids of the revisions, oldest first: all of them, or those that `since` does not contain.

    `since` is a revision (those that are not below it), or a branch, tag or commit of Git (the files that it lacks,
    and those that were changed since).

    Raises:
        Unknown: `since` is neither.
    """
    scripts = list(reversed(list(directory.walk_revisions())))
    if since is None:
        return [each.revision for each in scripts]
    base = _revision(directory, since)
    if base is not None:
        old = graph.with_ancestors(directory, [base.revision])
        return [each.revision for each in scripts if each.revision not in old]
    changed = _changed(Path(scripts[0].path).parent, since) if scripts else set()
    return [each.revision for each in scripts if Path(each.path).resolve() in changed]


def _revision(directory: ScriptDirectory, name: str) -> Script | None:
    try:
        with refusing(URL.create("sqlite")):
            return directory.get_revision(name)
    except Unknown:
        return None


def _changed(folder: Path, ref: str) -> set[Path]:
    """The files below a folder that differ from a commit, or are in no commit yet."""
    root = Path(git(folder, ref, "rev-parse", "--show-toplevel").strip())
    differing = git(folder, ref, "diff", "--name-only", "--diff-filter=d", "-z", ref, "--", str(folder))
    new = git(folder, ref, "ls-files", "--others", "--exclude-standard", "--full-name", "-z", "--", str(folder))
    return {(root / name).resolve() for name in (*differing.split("\0"), *new.split("\0")) if name}


def commit_of(directory: ScriptDirectory, since: str | None) -> str | None:
    """The commit that `since` names; `None` for a revision, and without `since`.

    Raises:
        Unknown: `since` is neither.
    """
    scripts = list(directory.walk_revisions())
    if since is None or not scripts or _revision(directory, since) is not None:
        return None
    return git(Path(scripts[0].path).parent, since, "rev-parse", "--verify", f"{since}^{{commit}}").strip()


def checked_out(directory: ScriptDirectory) -> str | None:
    """The commit that is checked out where the revisions are; `None` outside of Git, and before the first commit."""
    scripts = list(directory.walk_revisions())
    try:
        return git(Path(scripts[0].path).parent, "HEAD", "rev-parse", "--verify", "HEAD").strip() if scripts else None
    except (Unknown, Unusable):
        return None


def git(folder: Path, ref: str, *arguments: str) -> str:
    """What git prints; `ref` is what a message says that it could not find."""
    if ref.startswith("-"):
        raise Unknown(f"There is no revision {ref}, and no commit of Git can have that name.")
    try:
        done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=False)  # noqa: S607 - the git of the PATH is the user's
    except FileNotFoundError as failure:
        raise Unusable(f"There is no revision {ref}, and git is not installed to look for a commit.") from failure
    # `git grep` that finds nothing says so by its status alone.
    if done.returncode and not (done.returncode == 1 and not done.stderr):
        reason = (done.stderr.strip().splitlines() or ["git failed"])[0].removeprefix("fatal: ").rstrip(".")
        raise Unknown(f"There is no revision {ref}, and no commit of Git: {reason}.{_shallow(folder)}")
    return done.stdout


def _shallow(folder: Path) -> str:
    """What helps where the commit is only missing in this clone, as in the usual checkout of CI."""
    asked = ["git", "rev-parse", "--is-shallow-repository"]
    done = subprocess.run(asked, cwd=folder, capture_output=True, text=True, check=False)
    return " This clone is shallow: fetch the whole history (fetch-depth: 0)." if done.stdout == "true\n" else ""


def source_at(file: Path, commit: str) -> str | None:
    """The text of a file in a commit; `None` if the commit does not have the file."""
    root = Path(git(file.parent, commit, "rev-parse", "--show-toplevel").strip())
    name = str(file.resolve().relative_to(root.resolve()))
    if not git(root, commit, "ls-tree", "--name-only", "-z", commit, "--", name):
        return None
    return git(root, commit, "show", f"{commit}:{name}")


def line_of(file: Path, name: str) -> int:
    """The line that defines a function or a variable, or the first of the file."""
    lines = file.read_text(encoding="utf-8").splitlines()
    defined = re.compile(rf"((async )?def {name}\b|{name}\b.*=)")
    return next((at for at, text in enumerate(lines, start=1) if defined.match(text)), 1)


def call_own(connection: Connection, script: Script, name: str) -> None:
    """Call the revision's own `seed_before` or `assert_after` with the connection, if it has that function.

    Raises:
        Refused: the function failed; one line with the file and the line.
    """
    function = getattr(script.module, name, None)
    if function is None:
        return
    file = Path(script.path)
    line = line_of(file, name)
    try:
        with faults.explained(file, line):
            found = function(connection)
            if inspect.iscoroutine(found):
                found.close()
                raise TypeError(f"{name}(connection) is async, and is called without await: write def {name}")
    except DBAPIError as failure:
        raise faults.of_database(failure, file, line, reason(failure)) from failure


def tables_with_kept_rows(script: Script) -> tuple[str, ...]:
    """The tables in which the revision says, by `kept_rows`, that its downgrade leaves rows of the upgrade.

    Raises:
        Refused: `kept_rows` is no tuple of names; one line with the file and the line.
    """
    found = getattr(script.module, _KEPT_ROWS, ())
    if isinstance(found, (tuple, list, set)) and all(isinstance(each, str) for each in found):
        return tuple(found)
    file = Path(script.path)
    what = f'{_KEPT_ROWS} is {found!r}, and must be a tuple of names of tables, such as ("users",)'
    raise faults.at(file, line_of(file, _KEPT_ROWS), what)
