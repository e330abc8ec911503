"""Answers of the catalog that are kept while a run checks a phase: its checks ask the same of the same tables."""

from collections.abc import Callable, Hashable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any, TypeVar

from sqlalchemy import Connection

T = TypeVar("T")

_KEY = "migrate_answers"


class _Answers(dict[Hashable, Any]):
    """The answers by question, and what is open until the end of the block."""

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()


@contextmanager
def kept(connection: Connection) -> Iterator[None]:
    """Keep the answers inside the block, which must not change the catalog."""
    info = connection.info
    answers = info[_KEY] = _Answers()
    try:
        with answers.stack:
            yield
    finally:
        del info[_KEY]


def once(connection: Connection, question: Hashable, ask: Callable[[], T]) -> T:
    """The answer of `ask`, or the kept answer to the same question; the caller does not change it."""
    answers = connection.info.get(_KEY)
    if answers is None:
        return ask()
    if question not in answers:
        answers[question] = ask()
    found: T = answers[question]
    return found


@contextmanager
def opened(connection: Connection, question: Hashable, make: Callable[[], AbstractContextManager[T]]) -> Iterator[T]:
    """What `make` opens, which stays open to the end of the block of `kept`, or of this one."""
    answers = connection.info.get(_KEY)
    with ExitStack() as own:
        stack = own if answers is None else answers.stack
        yield once(connection, question, lambda: stack.enter_context(make()))
