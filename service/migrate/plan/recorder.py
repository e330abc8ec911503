"""Recording of operations: a revision's functions run without a database, and their calls of `ops` are collected."""

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from service.migrate.errors import Refused
from service.migrate.operations.base import Operation
from service.migrate.operations.step import Target
from service.migrate.plan.arguments import misfit

_recording: ContextVar[list[Operation] | None] = ContextVar("recording", default=None)
_target: ContextVar[Target | None] = ContextVar("target", default=None)


def note(operation: Operation) -> None:
    """Record an operation.

    Raises:
        Refused: no recording is active, since the revision imports Alembic's `op` and runs in one transaction.
    """
    operations = _recording.get()
    if operations is None:
        raise Refused(
            f"{type(operation).__name__} is called in a revision that imports Alembic's op. Use either "
            "service.migrate.ops, in safe steps, or op, in one transaction."
        )
    _verify(operation)
    operations.append(operation)


def _verify(operation: Operation) -> None:
    """Raise for a wrong argument now, while the traceback has the revision's line."""
    frame = inspect.currentframe()
    caller = frame.f_back.f_back if frame is not None and frame.f_back is not None else None
    function = caller.f_globals.get(caller.f_code.co_name) if caller is not None else None
    if caller is not None and inspect.isfunction(function) and (wrong := misfit(caller, function)):
        raise TypeError(wrong)
    if target := _target.get():
        operation.phases(target)


def recorded(function: Callable[[], None], into: list[Operation] | None = None) -> list[Operation]:
    """The operations that the function calls, in order, appended to `into`: what was called stays after a failure."""
    operations: list[Operation] = [] if into is None else into
    token = _recording.set(operations)
    try:
        function()
    finally:
        _recording.reset(token)
    return operations


@contextmanager
def written_for(target: Target) -> Iterator[None]:
    """Set the target whose text `either` returns inside the block."""
    token = _target.set(target)
    try:
        yield
    finally:
        _target.reset(token)


def either(*, postgresql: str, sqlite: str) -> str:
    """The text for the target database, where PostgreSQL and SQLite need different SQL.

    Raises:
        Refused: the call is at module level, where the target is unknown; a backfill that needs it is a function.
    """
    target = _target.get()
    if target is None:
        raise Refused("ops.either(…) must be called in upgrade(), contract(), downgrade() or a function backfill().")
    return postgresql if not target.is_sqlite else sqlite
