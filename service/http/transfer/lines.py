"""Lines of an imported file, and the columns of a CSV file."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import msgspec

from service.errors import Fault

NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


class Line(NamedTuple):
    """A valid line: its number, its struct, the row to insert, and values that are rows of other tables."""

    number: int
    value: msgspec.Struct
    row: list[Any]
    related: Mapping[str, Any] = NOTHING


class BadLine(NamedTuple):
    """An invalid line; its faults name the line and the fields, as long as the report has room for them."""

    number: int
    faults: Sequence[Fault] = ()


class Column(NamedTuple):
    """A column of a file: its place, its field, the function that reads a cell, and whether empty cells are null."""

    at: int
    name: str
    read: Callable[[str], Any] | None
    nullable: bool
