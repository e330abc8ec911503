"""Recording of operations: a revision's functions run without a database, and their calls of `ops` are collected."""

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple

from service.migrate.errors import Refused
from service.migrate.operations.base import Operation, Recorded
from service.migrate.operations.step import Target
from service.migrate.plan.arguments import misfit

_recording: ContextVar["_Recording | None"] = ContextVar("recording", default=None)
_target: ContextVar[Target | None] = ContextVar("target", default=None)


class _Recording(NamedTuple):
    target: Target
    calls: list[Recorded]


def note(operation: Operation) -> None:
    """Record an operation.

    Raises:
        Refused: no recording is active, since the revision imports Alembic's `op` and runs in one transaction.
    """
    recording = _recording.get()
    if recording is None:
        frame = inspect.currentframe()
        name = frame.f_back.f_code.co_name if frame is not None and frame.f_back is not None else ""
        raise Refused(
            f"ops.{name} is called in a revision that imports Alembic's op, which runs in one transaction, while each "
            "step of a safe operation needs a transaction of its own. Write all of the revision with "
            "service.migrate.ops, without `from alembic import op`; or move what uses op to a revision of its own."
        )
    _refuse_misfit()
    # The phases refuse wrong values: computed now, while the traceback has the revision's line.
    recording.calls.append(Recorded.of(operation, recording.target))


def _refuse_misfit() -> None:
    """Raise for a wrong argument of the revision's call."""
    frame = inspect.currentframe()
    caller = frame.f_back.f_back if frame is not None and frame.f_back is not None else None
    function = caller.f_globals.get(caller.f_code.co_name) if caller is not None else None
    if caller is not None and inspect.isfunction(function) and (wrong := misfit(caller, function)):
        raise TypeError(wrong)


def recorded(function: Callable[[], None], target: Target, into: list[Recorded] | None = None) -> list[Recorded]:
    """The operations that the function calls for the target, appended to `into`: they stay after a failure."""
    recording = _Recording(target, [] if into is None else into)
    token = _recording.set(recording)
    try:
        with written_for(target):
            function()
    finally:
        _recording.reset(token)
    return recording.calls


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
