"""What a revision's own code raises, as one line with its file, the line there and what is right."""

import builtins
import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from traceback import walk_tb
from types import FrameType, ModuleType

from sqlalchemy.exc import DBAPIError

from service.migrate.errors import Refused
from service.migrate.plan.arguments import misfit, usage

# What a revision imports; it stands above this module, and is found in the frames of a traceback.
_OPS = "service.migrate.ops"
_AGAIN = "Correct the file and run this again"


@contextmanager
def explained(file: str | Path, line: int = 1) -> Iterator[None]:
    """Run code of this file; `line` is told if the failure says none.

    Raises:
        Refused: it failed.
    """
    try:
        yield
    except (Refused, DBAPIError):
        raise
    except (Exception, SystemExit) as failure:
        raise of_code(failure, Path(file), line) from failure


def of_code(failure: BaseException, file: Path, line: int = 1) -> Refused:
    """What the code of this file raised."""
    frames = [(frame, number) for frame, number in walk_tb(failure.__traceback__)]
    own = [(frame, number) for frame, number in frames if _is(frame, file)]
    called = next((frame for frame, _ in reversed(frames) if frame.f_globals.get("__name__") == _OPS), None)
    number = own[-1][1] if own else line
    return at(file, number, *_told(failure, own[-1][0] if own else None, called))


def at(file: str | Path, line: int, what: str, cure: str = _AGAIN) -> Refused:
    """The one line: file, line, what is wrong there, and what is right."""
    return Refused(f"{shown(file)}:{line}: {what}. {cure}.")


def file_of(failure: BaseException, folder: Path) -> Path | None:
    """The file in this folder whose code raised it, or let it through last."""
    files = [Path(frame.f_code.co_filename) for frame, _ in walk_tb(failure.__traceback__)]
    return next((file for file in reversed(files) if file.resolve().parent == folder.resolve()), None)


def shown(file: str | Path) -> str:
    """The path as short as it is from here."""
    path = Path(file)
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def _told(failure: BaseException, own: FrameType | None, called: FrameType | None) -> tuple[str, ...]:
    if isinstance(failure, SyntaxError):
        return (f"SyntaxError: {failure.msg}",)
    message = " ".join(str(failure).split()).rstrip(".")
    if isinstance(failure, Refused):
        return (message,)
    what = f"{type(failure).__name__}: {message}" if message else type(failure).__name__
    function = called.f_globals.get(called.f_code.co_name) if called is not None else None
    if called is not None and inspect.isfunction(function) and (wrong := misfit(called, function)):
        return (f"ops.{wrong}", f"It is ops.{usage(function)}")
    if isinstance(failure, TypeError) and (named := _function_in(message, own)):
        return (what, f"It is ops.{usage(named)}")
    if names := _names(failure, own):
        close = get_close_matches(str(getattr(failure, "name", "")), names, n=1)
        return (what, f"Did you mean {close[0]}? {_AGAIN}") if close else (what,)
    return (what,)


def _function_in(message: str, own: FrameType | None) -> object:
    """The function of ops that Python's message about arguments names."""
    ops = own.f_globals.get("ops") if own is not None else None
    found = getattr(ops, message.partition("(")[0], None)
    return found if inspect.isfunction(found) else None


def _names(failure: BaseException, own: FrameType | None) -> list[str]:
    if isinstance(failure, AttributeError) and failure.name and failure.obj is not None:
        return [name for name in dir(failure.obj) if not name.startswith("_")] if _has_names(failure.obj) else []
    if isinstance(failure, NameError) and own is not None:
        return [*own.f_globals, *own.f_locals, *dir(builtins)]
    return []


def _has_names(thing: object) -> bool:
    return isinstance(thing, (ModuleType, type)) or type(thing).__module__ != "builtins"


def _is(frame: FrameType, file: Path) -> bool:
    return Path(frame.f_code.co_filename) == file
