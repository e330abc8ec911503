"""A statement compiled once for one dialect, with the conversions that its values and columns need there."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import ClauseElement, Dialect


class Compiled:
    """SQL text for the driver itself, the order of its parameters, and the columns whose values need a conversion."""

    __slots__ = ("_converters", "_parameters", "sql")

    def __init__(self, statement: ClauseElement, columns: Iterable[Any], dialect: Dialect) -> None:
        compiled: Any = statement.compile(dialect=dialect)
        self.sql = str(compiled)
        binds = [compiled.binds[name] for name in compiled.positiontup or ()]
        self._parameters = [
            (bind.key, bind.value, bind.type.dialect_impl(dialect).bind_processor(dialect)) for bind in binds
        ]
        converters = [each.type.dialect_impl(dialect).result_processor(dialect, None) for each in columns]
        self._converters = [(at, convert) for at, convert in enumerate(converters) if convert is not None]

    @property
    def width(self) -> int:
        """The number of parameters."""
        return len(self._parameters)

    def arguments(self, values: Mapping[str, Any]) -> list[Any]:
        """Return the values in the order of the parameters, as the driver takes them."""
        arguments = []
        for key, default, convert in self._parameters:
            value = values.get(key, default)
            arguments.append(convert(value) if convert is not None else value)
        return arguments

    def columns(self, rows: Sequence[Sequence[Any]]) -> list[Iterable[Any]] | None:
        """Return the values column by column, converted; `None` if the rows need no conversion."""
        if not rows or not self._converters:
            return None
        columns: list[Iterable[Any]] = list(zip(*rows, strict=True))
        for at, convert in self._converters:
            columns[at] = map(convert, columns[at])
        return columns

    def row(self, row: Sequence[Any]) -> Sequence[Any]:
        """Return the values of one row, converted."""
        if not self._converters:
            return row
        values = list(row)
        for at, convert in self._converters:
            values[at] = convert(values[at])
        return values
