"""Validation of revision files before Alembic loads them: an error names the file and the line."""

import ast
import os
import warnings
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from inspect import isasyncgenfunction, iscoroutinefunction, isgeneratorfunction
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple
from weakref import WeakSet

from alembic.script import Script, ScriptDirectory
from alembic.script.revision import CycleDetected
from alembic.util import load_python_file, to_tuple

from service.migrate.errors import Refused
from service.migrate.plan.faults import at, of_code, shown

# alembic_version.version_num is a VARCHAR(32).
LONGEST_ID = 32
_ILLEGAL = "@-+:"
# A directory has loaded its files: it is checked by the plugin for each command, and by env.py.
_checked: WeakSet[ScriptDirectory] = WeakSet()


def check(directory: ScriptDirectory) -> None:
    """Load every revision file.

    Raises:
        Refused: a file cannot be used; the message has the file, the line and the cure.
    """
    if directory in _checked:
        return
    files = list(_files(directory))
    for file in files:
        _refuse_bytes(file)
    try:
        scripts = _loaded(directory)
    except (Exception, SystemExit) as failure:
        raise _found(directory, files, failure) from failure
    if len(scripts) != len(files):
        _refuse_doubles(files, [load_python_file(file.parent, file.name) for file in files])
    for script in scripts:
        _refuse_incomplete(Path(script.path), script.module)
    _checked.add(directory)


class Stamp(NamedTuple):
    """What a change of a file changes."""

    path: str
    modified: int
    changed: int
    size: int
    inode: int


Signature = tuple[Stamp, ...]


def signature(directory: ScriptDirectory, others: Sequence[Path]) -> Signature:
    """The stamps of the revision files and of the other files that exist: equal as long as none of them changes."""
    found = [_stamp(str(each), each.stat()) for each in others if each.exists()]
    for folder in _folders(directory):
        found += _stamps(folder, is_deep=bool(directory.recursive_version_locations)) if folder.is_dir() else ()
    return tuple(sorted(found))


def _stamps(folder: Path | str, *, is_deep: bool) -> Iterator[Stamp]:
    # Entries of scandir: this is asked for each command, and Path would take four times as long.
    with os.scandir(folder) as entries:
        for each in entries:
            # The lock of an editor is a symbolic link to no file.
            if each.name.endswith((".py", ".pyc")) and each.is_file():
                yield _stamp(each.path, each.stat())
            elif is_deep and each.is_dir(follow_symlinks=False):
                yield from _stamps(each.path, is_deep=True)


def _stamp(path: str, found: os.stat_result) -> Stamp:
    return Stamp(path, found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino)


def _loaded(directory: ScriptDirectory) -> list[Script]:
    with warnings.catch_warnings():
        # Alembic warns of these faults and then raises KeyError; `check` refuses them with a message.
        warnings.filterwarnings("ignore", r"Revision .* (is present more than once|referenced from)")
        return list(directory.walk_revisions())


def _files(directory: ScriptDirectory) -> Iterator[Path]:
    for folder in _folders(directory):
        found = sorted(folder.rglob("*.py") if directory.recursive_version_locations else folder.glob("*.py"))
        yield from (each.resolve() for each in found if not each.name.startswith((".#", "__init__")))


def _folders(directory: ScriptDirectory) -> list[Path]:
    return [Path(each) for each in directory.version_locations] or [Path(directory.dir, "versions")]


def _found(directory: ScriptDirectory, files: list[Path], failure: BaseException) -> Refused:
    """The first fault that the checks find, else Alembic's own message."""
    try:
        modules = []
        for file in files:
            modules.append(_module(file))
            _refuse_incomplete(file, modules[-1])
        _refuse_doubles(files, modules)
        _refuse_unknown(files, modules)
    except Refused as found:
        return found
    if isinstance(failure.__cause__ or failure, CycleDetected):
        cause: Any = failure.__cause__ or failure
        first = files[[module.revision for module in modules].index(cause.revisions[0])]
        circle = ", ".join(cause.revisions)
        return at(
            first,
            _line(first, "down_revision"),
            f"The down_revision of {circle} forms a cycle",
            "Set one of them to the revision that precedes all of them",
        )
    reason = " ".join(str(failure).split()).rstrip(".")
    return Refused(f"The revisions in {shown(directory.dir)} cannot be loaded: {reason or type(failure).__name__}.")


def _module(file: Path) -> ModuleType:
    raw = file.read_bytes()
    try:
        compile(raw, str(file), "exec")
    except SyntaxError as failure:
        raise at(file, failure.lineno or 1, f"{type(failure).__name__}: {failure.msg}") from failure
    except ValueError as failure:
        raise at(file, 1, str(failure)) from failure
    try:
        return load_python_file(file.parent, file.name)
    except (Exception, SystemExit) as failure:
        raise of_code(failure, file) from failure


def _refuse_bytes(file: Path) -> None:
    raw = file.read_bytes()
    try:
        raw.decode()
    except UnicodeDecodeError as failure:
        line = raw.count(b"\n", 0, failure.start) + 1
        raise at(file, line, f"The byte 0x{raw[failure.start]:02x} is not UTF-8", "Save the file as UTF-8") from failure


def _refuse_incomplete(file: Path, module: Any) -> None:
    for name, value in (
        ("revision", "the id of this revision"),
        ("down_revision", "the id of the previous revision, or None"),
    ):
        if not hasattr(module, name):
            raise at(file, 1, f"`{name} = …` is missing", f"Add {name}: {value}")
    if wrong := _wrong_id(module.revision):
        raise at(file, _line(file, "revision"), *wrong)
    for name in ("down_revision", "depends_on"):
        named = getattr(module, name, None)
        if not all(isinstance(each, str) for each in to_tuple(named, default=())):
            raise at(file, _line(file, name), f"{name} is {named!r}", "Use an id, a tuple of ids, or None")
    for name, body in (("upgrade", "pass"), ("downgrade", "ops.undo()")):
        if not callable(getattr(module, name, None)):
            raise at(file, 1, f"{name}() is missing", f"Add `def {name}() -> None:` with the body `{body}`")
    for name in ("upgrade", "downgrade", "contract"):
        function: Any = getattr(module, name, None)
        # A call would only create a coroutine or a generator, and the revision would count as applied.
        if any(kind(function) for kind in (iscoroutinefunction, isgeneratorfunction, isasyncgenfunction)):
            line = function.__code__.co_firstlineno
            raise at(file, line, f"{name}() is async or has a yield", f"Write `def {name}() -> None:` without yield")


def _wrong_id(revision: object) -> tuple[str, str] | None:
    if not isinstance(revision, str) or not revision:
        return f"revision is {revision!r}", "Use a string such as '0017_add_colour'"
    if len(revision) > LONGEST_ID:
        return f"The id {revision} has {len(revision)} characters", f"Use at most {LONGEST_ID}, as alembic_version does"
    if any(character in _ILLEGAL for character in revision):
        return f"The id {revision} contains one of {' '.join(_ILLEGAL)}", "Use letters, digits and _"
    return None


def _refuse_doubles(files: list[Path], modules: list[Any]) -> None:
    first: dict[str, Path] = {}
    for file, module in zip(files, modules, strict=True):
        if (other := first.setdefault(module.revision, file)) is not file:
            fault = f"{other.name} has the revision {module.revision} too"
            raise at(file, _line(file, "revision"), fault, "Change the id of one of them")


def _refuse_unknown(files: list[Path], modules: list[Any]) -> None:
    ids = [module.revision for module in modules]
    labels = [label for module in modules for label in to_tuple(getattr(module, "branch_labels", None), default=())]
    for file, module in zip(files, modules, strict=True):
        for name, known in (("down_revision", ids), ("depends_on", [*ids, *labels])):
            for each in to_tuple(getattr(module, name, None), default=()):
                if each not in known:
                    fault = f"{name} is {each!r}, and no file here has that revision"
                    raise at(file, _line(file, name), fault, _meant(each, ids))


def _meant(wrong: str, ids: list[str]) -> str:
    same_number = [each for each in ids if each.startswith(f"{wrong[:4]}_")]
    close = same_number or get_close_matches(wrong, ids, n=1)
    return (
        f"Use {close[0]!r}, or add the missing file" if close else "Use an existing revision, or add the missing file"
    )


def _line(file: Path, name: str) -> int:
    """The line of the assignment to this name."""
    for node in ast.parse(file.read_bytes()).body:
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        if any(isinstance(each, ast.Name) and each.id == name for each in targets):
            return node.lineno
    return 1
