"""A revision's functions are run to hear what they ask for; nothing is done meanwhile."""

from collections.abc import Callable
from contextvars import ContextVar

from service.migrate.errors import Refused
from service.migrate.operations.base import Operation

_heard: ContextVar[list[Operation] | None] = ContextVar("heard", default=None)


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
    heard.append(operation)


def recorded(function: Callable[[], None]) -> list[Operation]:
    """What the function asks for, in order."""
    heard: list[Operation] = []
    token = _heard.set(heard)
    try:
        function()
    finally:
        _heard.reset(token)
    return heard
