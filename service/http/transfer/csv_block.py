"""Turns the records of a block into lines together, column by column; what fails is left to the slower way."""

import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import repeat
from operator import attrgetter
from types import GenericAlias
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType, inspect

from service.errors import Invalid
from service.http.transfer.column_patterns import ColumnPattern
from service.http.transfer.lines import NOTHING, BadLine, Column, Line
from service.http.transfer.spec import Import, RowMaker
from service.http.wire import without_unset

_MOST_DIGITS = 19
_WHOLE = re.compile(rf"-?[0-9]{{1,{_MOST_DIGITS}}}")
# Where msgspec tells which item of a list is not valid.
_INDEX = re.compile(r" - at `\$\[(\d+)\]")


class BlockParser:
    """Parses records of one header, a block at a time: one call converts and checks all of them.

    A struct of the line with its fields in the order of the header takes the cells as they are, where `Body.convert`
    needs a dictionary for each line. Together with rows that are made column by column this is a third of the work.
    """

    def __init__(self, declared: Import, rows: RowMaker, columns: Sequence[Column], width: int) -> None:
        self._declared = declared
        self._rows = rows
        self._columns = columns
        self._width = width
        names = {each.name for each in columns}
        self._required = {each.name for each in msgspec.structs.fields(declared.line) if each.required}
        self._moments = declared.body.moments & names
        self._is_related = declared.related is not None and not names.issubset(declared.names)
        self._makers = [(name, attrgetter(name)) if name in names else None for name in declared.names]
        types = {each.name: without_unset(each.type) for each in msgspec.structs.fields(declared.line)}
        given = {each.name: types.pop(each.name) for each in columns}
        found = {each.name: ColumnPattern.of(given[each.name]) for each in columns}
        patterns = {name: pattern for name, pattern in found.items() if pattern is not None}
        self._type = GenericAlias(list, _struct(declared, given, types))
        # A struct keeps their values as they are read.
        self._kept = {name for name, kind in given.items() if _is_kept(kind)}
        # For cells that are known to match the patterns.
        self._patterns = [(each.at, patterns[each.name]) for each in columns if each.name in patterns]
        matched = given | {name: pattern.kind for name, pattern in patterns.items()}
        self._matched_type = GenericAlias(list, _struct(declared, matched, types))

    def valid(self, first: int, records: Sequence[Sequence[str]]) -> list[Line] | None:
        """Return the lines if all are valid, as most are; `lines` looks at others."""
        numbers = range(first, first + len(records))
        try:
            cells = self._cells(records)
            if not all(pattern.matches(cells[at]) for at, pattern in self._patterns):
                return None
            columns = self._read(cells)
            values = msgspec.convert([*zip(*columns, strict=True)], self._matched_type, strict=True)
            read = zip(self._columns, columns, strict=True)
            same = {each.name: column for each, column in read if each.name in self._kept}
            return [*self._made(numbers, *self._checked(values), same)]
        except (ValueError, Invalid):
            return None

    def lines(self, first: int, records: Sequence[Sequence[str]], *, explain: bool) -> list[Line | BadLine | None]:
        """Return the lines; `None` in the place of each that the caller has to look at by itself.

        Those are the invalid ones with `explain`, and otherwise the few with an empty cell that is no value.
        """
        return self._apart(range(first, first + len(records)), records, explain=explain)

    def _cells(self, records: Sequence[Sequence[str]]) -> list[tuple[str, ...]]:
        """Return the columns; raises ValueError if a record has too few cells, or too many."""
        if {*map(len, records)} != {self._width}:
            raise ValueError(self._width)
        return [*zip(*records, strict=True)]

    def _read(self, cells: Sequence[Sequence[str]]) -> list[Sequence[Any]]:
        """Return the values of the cells of each column; raises ValueError if a cell cannot be read."""
        return [_read(each, cells[each.at]) for each in self._columns]

    def _checked(self, values: list[msgspec.Struct]) -> tuple[list[msgspec.Struct], Iterable[Any]]:
        """Return the structs, and what else they hold; raises Invalid unless all are valid."""
        if self._moments:
            values = [*map(self._declared.body.in_utc, values)]
        check = self._declared.check
        if check is not None:
            for value in values:
                if faults := check(self._declared.sent(value)):
                    raise Invalid("", *faults)
        return values, [*map(self._declared.related.read, values)] if self._is_related else repeat(NOTHING)

    def _made(
        self,
        numbers: Iterable[int],
        values: Sequence[msgspec.Struct],
        related: Iterable[Any],
        same: Mapping[str, Iterable[Any]] = NOTHING,
    ) -> Iterable[Line]:
        """Return the lines of structs; `same` are columns that the structs hold as they are."""
        given = [each and (same.get(each[0]) or map(each[1], values)) for each in self._makers]
        return map(Line, numbers, values, self._rows.columns(len(values), given), related)

    def _apart(
        self, numbers: Sequence[int], records: Sequence[Sequence[str]], *, explain: bool
    ) -> list[Line | BadLine | None]:
        """Return what `lines` does for records of which some are invalid."""
        found: list[Line | BadLine | None] = [None] * len(records)
        if not explain:
            found = [BadLine(number) if records[at] else None for at, number in enumerate(numbers)]
        places: Iterable[int] = range(len(records))
        try:
            rows: list[Any] = [*zip(*self._read(self._cells(records)), strict=True)]
        except ValueError:
            places, rows = self._rows_apart(records, found)
        for at, value in zip(places, self._valid(rows), strict=True):
            if value is not None:
                with suppress(Invalid):
                    [found[at]] = self._made([numbers[at]], *self._checked([value]))
        return found

    def _rows_apart(
        self, records: Sequence[Sequence[str]], found: list[Line | BadLine | None]
    ) -> tuple[list[int], list[Any]]:
        """Return the places and the values of the records whose cells can be read."""
        places, rows = [], []
        is_even = {*map(len, records)} == {self._width}
        for at, record in enumerate(records):
            if not is_even and len(record) != self._width:
                continue
            try:
                rows.append(self._row(record))
            except _AbsentError:
                found[at] = None
            except ValueError:
                continue
            else:
                places.append(at)
        return places, rows

    def _row(self, record: Sequence[str]) -> list[Any]:
        row: list[Any] = [None] * len(self._columns)
        for place, (at, name, read, nullable) in enumerate(self._columns):
            cell = record[at]
            if cell:
                row[place] = cell if read is None else read(cell)
            elif not nullable:
                raise ValueError(name) if name in self._required else _AbsentError(name)
        return row

    def _valid(self, rows: Sequence[Any]) -> list[msgspec.Struct | None]:
        """Return the struct of each row, `None` for an invalid one."""
        found: list[msgspec.Struct | None] = []
        while rows:
            try:
                found += msgspec.convert(rows, self._type, strict=True)
            except msgspec.ValidationError as error:
                at = int(_INDEX.search(error.args[0])[1])  # type: ignore[index]
                if at:
                    found += msgspec.convert(rows[:at], self._type, strict=True)
                found += (None,)
                rows = rows[at + 1 :]
            else:
                break
        return found


class _AbsentError(Exception):
    """A cell is empty whose field cannot be null: the line does not have the field."""


def _read(column: Column, cells: Sequence[str]) -> Sequence[Any]:
    if "" in cells:
        if not column.nullable:
            # The field is absent in this line.
            raise ValueError(column.name)
        if column.read is None:
            return [cell or None for cell in cells]
        return [column.read(cell) if cell else None for cell in cells]
    if column.read is None:
        return cells
    return _whole_numbers(cells) if column.read is whole else [*map(column.read, cells)]


def _is_kept(kind: Any) -> bool:
    described = inspect.type_info(kind)
    types = described.types if isinstance(described, inspect.UnionType) else (described,)
    plain = (each.type if isinstance(each, inspect.Metadata) else each for each in types)
    return all(isinstance(each, inspect.StrType | inspect.IntType | inspect.NoneType) for each in plain)


def whole(text: str) -> int:
    """Return the whole number that a cell holds; raises ValueError."""
    if not _WHOLE.fullmatch(text):
        raise ValueError(f"Expected a whole number, got {text!r}")
    return int(text)


def _whole_numbers(cells: Sequence[str]) -> list[int]:
    digits = "".join(cells)
    # Most numbers have no sign; a look at all of them costs less than one at each.
    is_plain = digits.isascii() and digits.isdecimal() and max(map(len, cells)) <= _MOST_DIGITS
    return [*map(int if is_plain else whole, cells)]


def _struct(declared: Import, given: Mapping[str, Any], absent: Mapping[str, Any]) -> type[msgspec.Struct]:
    """Return the struct of a line as an array of the cells of the given columns."""
    fields: list[Any] = [*given.items(), *((name, kind | UnsetType, UNSET) for name, kind in absent.items())]
    return msgspec.defstruct(f"{declared.line.__name__}Cells", fields, frozen=True, array_like=True, gc=False)
