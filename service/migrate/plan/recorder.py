"""A revision's functions are run to hear what they ask for; nothing is done meanwhile."""

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from service.migrate.errors import Refused
from service.migrate.operations.base import Operation
from service.migrate.operations.step import Target
from service.migrate.plan.arguments import misfit

_heard: ContextVar[list[Operation] | None] = ContextVar("heard", default=None)
_target: ContextVar[Target | None] = ContextVar("target", default=None)


def note(operation: Operation) -> None:
    """Note an operation down for whoever records.

    Raises:
        Refused: nobody does; the revision is one of Alembic's plain style, which is run as it is.
    """
    heard = _heard.get()
    if heard is None:
        raise Refused(
            f"{type(operation).__name__} belongs in a revision that does not import Alembic's op: one is written "
            "either with service.migrate.ops, in safe steps, or with op, in one transaction."
        )
    _ask(operation)
    heard.append(operation)


def _ask(operation: Operation) -> None:
    """Let an argument that cannot be right fail here, in the line of the revision that gave it."""
    frame = inspect.currentframe()
    caller = frame.f_back.f_back if frame is not None and frame.f_back is not None else None
    function = caller.f_globals.get(caller.f_code.co_name) if caller is not None else None
    if caller is not None and inspect.isfunction(function) and (wrong := misfit(caller, function)):
        raise TypeError(wrong)
    if target := _target.get():
        operation.phases(target)


def recorded(function: Callable[[], None]) -> list[Operation]:
    """What the function asks for, in order."""
    heard: list[Operation] = []
    token = _heard.set(heard)
    try:
        function()
    finally:
        _heard.reset(token)
    return heard


@contextmanager
def written_for(target: Target) -> Iterator[None]:
    """What runs inside is told by `either` which database it is for."""
    token = _target.set(target)
    try:
        yield
    finally:
        _target.reset(token)


def either(*, postgresql: str, sqlite: str) -> str:
    """The one of two texts that is for the database at hand, where they do not say the same thing in the same words.

    Raises:
        Refused: it is not known yet, since the file is only being read; a backfill that asks is written as a function.
    """
    target = _target.get()
    if target is None:
        raise Refused("ops.either(…) is for upgrade(), contract(), downgrade() and a backfill() that is a function.")
    return postgresql if not target.is_sqlite else sqlite
