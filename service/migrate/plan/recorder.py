"""A revision's functions are run to hear what they ask for; nothing is done meanwhile."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from service.migrate.errors import Refused
from service.migrate.operations.base import Operation

_heard: ContextVar[list[Operation] | None] = ContextVar("heard", default=None)
_dialect: ContextVar[str | None] = ContextVar("dialect", default=None)


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


@contextmanager
def written_for(dialect: str) -> Iterator[None]:
    """What runs inside is told by `either` which database it is for."""
    token = _dialect.set(dialect)
    try:
        yield
    finally:
        _dialect.reset(token)


def either(*, postgresql: str, sqlite: str) -> str:
    """The one of two texts that is for the database at hand, where they do not say the same thing in the same words.

    Raises:
        Refused: it is not known yet, since the file is only being read; a backfill that asks is written as a function.
    """
    dialect = _dialect.get()
    if dialect is None:
        raise Refused("ops.either(…) is for upgrade(), contract(), downgrade() and a backfill() that is a function.")
    return postgresql if dialect == "postgresql" else sqlite
