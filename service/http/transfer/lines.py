"""Lines of an imported file, and the columns of a CSV file."""

from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from types import MappingProxyType
from typing import Any, Final, NamedTuple, Self

import msgspec

from service.errors import Fault

# So many lines are parsed without a turn for other tasks.
MOST_TOGETHER: Final = 100
NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


class Line(msgspec.Struct, frozen=True, gc=False):
    """A valid line: its number, its struct, the row to insert, and values that are rows of other tables."""

    number: int
    value: msgspec.Struct
    row: list[Any]
    related: Mapping[str, Any] = NOTHING


class BadLine(msgspec.Struct, frozen=True, gc=False):
    """An invalid line; its faults name the line and the fields, as long as the report has room for them."""

    number: int
    faults: Sequence[Fault] = ()


class Found(NamedTuple):
    """Lines that a parser found together; their numbers tell the order."""

    valid: list[Line]
    invalid: list[BadLine]

    @classmethod
    def one(cls, line: Line | BadLine) -> Self:
        return cls([line], []) if isinstance(line, Line) else cls([], [line])

    def add(self, line: Line | BadLine, *, most: int) -> bool:
        """Add a line, and return whether there are so many invalid ones now, or many lines."""
        if isinstance(line, Line):
            self.valid.append(line)
        else:
            self.invalid.append(line)
        return len(self.invalid) >= most or len(self.valid) >= MOST_TOGETHER

    def in_order(self) -> list[Line | BadLine]:
        return sorted([*self.valid, *self.invalid], key=_number)


_number = attrgetter("number")


class Column(NamedTuple):
    """A column of a file: its place, its field, the function that reads a cell, and whether empty cells are null."""

    at: int
    name: str
    read: Callable[[str], Any] | None
    nullable: bool
