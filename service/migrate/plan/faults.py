"""Exceptions of a revision's code as one-line refusals with file, line and cure."""

import builtins
import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from linecache import getline
from pathlib import Path
from traceback import walk_tb
from types import FrameType, ModuleType

from sqlalchemy.exc import DBAPIError

from service.migrate.errors import Refused
from service.migrate.plan.arguments import misfit, usage

# By name, not imported: ops imports this package.
_OPS = "service.migrate.ops"
AGAIN = "Correct the file and run the command again"


@contextmanager
def explained(file: str | Path, line: int = 1) -> Iterator[None]:
    """Run code of a revision file; `line` is reported where the traceback has no frame of the file.

    Raises:
        Refused: the code raised an exception; the message has the file and the line.
    """
    try:
        yield
    except DBAPIError:
        raise
    except Refused as failure:
        raise located(failure, Path(file)) from failure
    except (Exception, SystemExit) as failure:
        raise of_code(failure, Path(file), line) from failure


def of_code(failure: BaseException, file: Path, line: int = 1) -> Refused:
    """The refusal for an exception that the code of this file raised."""
    frames = [(frame, number) for frame, number in walk_tb(failure.__traceback__)]
    own = [(frame, number) for frame, number in frames if _is(frame, file)]
    called = next((frame for frame, _ in reversed(frames) if frame.f_globals.get("__name__") == _OPS), None)
    number = own[-1][1] if own else line
    if isinstance(failure, AssertionError) and own and not str(failure):
        return at(file, number, f"AssertionError: {getline(str(file), number).strip()}")
    return at(file, number, *_fault_and_cure(failure, own[-1][0] if own else None, called))


def of_database(failure: BaseException, file: Path, line: int, reason: str) -> Refused:
    """The refusal for a statement of this file that the database refused."""
    lines = [number for frame, number in walk_tb(failure.__traceback__) if _is(frame, file)]
    return at(file, lines[-1] if lines else line, reason)


def located(refused: Refused, file: Path) -> Refused:
    """The refusal, with the file and the line of the call that it refuses, where the traceback has one."""
    lines = [number for frame, number in walk_tb(refused.__traceback__) if _is(frame, file)]
    return type(refused)(f"{shown(file)}:{lines[-1]}: {refused}") if lines else refused


def at(file: str | Path, line: int, what: str, cure: str = AGAIN) -> Refused:
    """The refusal `file:line: what. cure.`."""
    return Refused(f"{shown(file)}:{line}: {what}. {cure}.")


def file_of(failure: BaseException, folder: Path) -> Path | None:
    """The file in this folder that is nearest to the exception in the traceback."""
    files = [Path(frame.f_code.co_filename) for frame, _ in walk_tb(failure.__traceback__)]
    return next((file for file in reversed(files) if file.resolve().parent == folder.resolve()), None)


def shown(file: str | Path) -> str:
    """The path, relative to the working folder if it is inside."""
    path = Path(file)
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def _fault_and_cure(failure: BaseException, own: FrameType | None, called: FrameType | None) -> tuple[str, ...]:
    if isinstance(failure, SyntaxError):
        return (f"SyntaxError: {failure.msg}",)
    message = " ".join(str(failure).split()).rstrip(".")
    if isinstance(failure, Refused):
        return (message,)
    what = f"{type(failure).__name__}: {message}" if message else type(failure).__name__
    function = called.f_globals.get(called.f_code.co_name) if called is not None else None
    if called is not None and inspect.isfunction(function) and (wrong := misfit(called, function)):
        return (f"ops.{wrong}", f"Call ops.{usage(function)}")
    if isinstance(failure, TypeError) and (named := _function_in(message, own)):
        return (what, f"Call ops.{usage(named)}")
    if names := _names(failure, own):
        close = get_close_matches(str(getattr(failure, "name", "")), names, n=1)
        return (what, f"Did you mean {close[0]}? {AGAIN}") if close else (what,)
    return (what,)


def _function_in(message: str, own: FrameType | None) -> object:
    """The function of ops that the message of a TypeError about arguments names."""
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
