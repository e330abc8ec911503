"""Rows for one table: odd values of each column in turn, plain ones where a row needs them."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from itertools import chain, cycle, repeat
from random import Random
from typing import Any

from sqlalchemy import Column, Connection, Table, select, types

from service.migrate.proof.verify.checks import Checks, is_unique
from service.migrate.proof.verify.literals import Literals
from service.migrate.proof.verify.samples import samples

# Of so many rows, the last is plain, whatever the odd ones met.
_PLAIN_EVERY = 5
_OPTIONAL_NULLS = 0.3


class _Other(Enum):
    """What a column of a row may have instead of a value."""

    PLAIN = "plain"
    DEFAULT = "default"


@dataclass(kw_only=True)
class RowMaker:
    """Makes rows for a table; `fixed` has the values of some columns, `serials` a number for each plain value.

    With `whole`, a row has a value, or NULL, for every column that an INSERT may name.
    """

    connection: Connection
    table: Table
    random: Random
    fixed: Mapping[str, Any]
    serials: Iterator[int]
    is_plain: bool
    whole: bool = False
    _checks: Checks = field(init=False)
    literals: Literals = field(init=False)
    _given: dict[str, list[Any]] = field(init=False)
    _odd: dict[str, Iterator[Any]] = field(default_factory=dict, init=False)
    _refused: set[tuple[str, str]] = field(default_factory=set, init=False)
    _limited: dict[str, list[Any]] = field(default_factory=dict, init=False)
    _plain_now: set[str] = field(default_factory=set, init=False)
    _made: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self._checks = Checks(connection=self.connection, table=self.table)
        self.literals = Literals(connection=self.connection, table=self.table)
        self._given = self._checks.literals() | self.literals.of_partitions()

    def row(self, *, is_plain: bool = False) -> dict[str, Any]:
        """The next row: an odd one, unless `is_plain` or its turn to be plain has come."""
        self._made += 1
        is_plain = is_plain or self.is_plain or self._made % _PLAIN_EVERY == 0
        self._plain_now = set(self.table.columns.keys()) if is_plain else set()
        referred = self._referred()
        row: dict[str, Any] = {}
        for column in filter(is_written, self.table.columns):
            if column.name in self.fixed:
                row[column.name] = self.fixed[column.name]
            elif column.name in referred:
                row[column.name] = referred[column.name]
            else:
                value = self._value(column, is_plain=is_plain)
                row |= {} if value is _Other.DEFAULT else {column.name: value}
        return self._referring_to_itself(row, referred)

    def again(self, row: dict[str, Any]) -> dict[str, Any]:
        """The row once more, with other values where they must be unique, as a duplicate that nothing prevents yet."""
        return row | {
            column.name: self._plain(column)
            for column in self.table.columns
            if column.name in row
            and is_unique(self.table, column)
            and not column.foreign_keys
            and row[column.name] is not None
        }

    def instead(self, row: dict[str, Any], failure: BaseException) -> dict[str, Any] | None:
        """The row with plain values for the columns that it was refused for; `None` if these are not known."""
        blamed = [each for each in self._checks.blamed(failure) if each in row and each not in self.fixed]
        columns = [self.table.columns[each] for each in blamed if not self.table.columns[each].foreign_keys]
        if not columns:
            return None
        if self._plain_now.issuperset(each.name for each in columns):
            for each in columns:
                self._limited.setdefault(each.name, self._checks.limits(each))
            return row | self._exchanged(row, columns)
        self._refused |= {(each.name, repr(row[each.name])) for each in columns}
        self._plain_now |= {each.name for each in columns}
        return row | {each.name: self._plain(each) for each in columns}

    def plain_values(self) -> dict[str, list[Any]]:
        """The values that plain rows take for some columns, by name."""
        return self._given | {name: values for name, values in self._limited.items() if values}

    def _exchanged(self, row: dict[str, Any], columns: Collection[Column[Any]]) -> dict[str, Any]:
        """Values of two columns that are compared with each other, the other way round; or values at limits."""
        values = [row[each.name] for each in columns]
        if len(columns) > 1 and len({type(each) for each in values}) == 1:
            return dict(zip((each.name for each in columns), reversed(values), strict=True))
        return {each.name: self._plain(each) for each in columns}

    def _value(self, column: Column[Any], *, is_plain: bool) -> Any:
        if is_plain:
            return self._plain(column)
        if column.name not in self._odd:
            self._odd[column.name] = self._elements(column)
        for value in self._odd[column.name]:
            if value is _Other.PLAIN:
                break
            if (column.name, repr(value)) not in self._refused:
                return value
        return self._plain(column)

    def _elements(self, column: Column[Any]) -> Iterator[Any]:
        """What odd rows have in a column, in turn; an odd value of a unique column once."""
        unique = is_unique(self.table, column)
        given = self._given.get(column.name)
        # An id at the limit of its type leaves no next one.
        is_number = isinstance(column.type, types.Integer)
        odd = list(given or ([] if unique and is_number else [*self._samples(column)[0], *self._checks.limits(column)]))
        start = self.random.randrange(len(odd) or 1)
        others: list[Any] = [None] if column.nullable and not column.primary_key else []
        others += [_Other.DEFAULT] if column.server_default is not None and not self.whole else []
        found = [*others, *odd[start:], *odd[:start]]
        if unique and not given:
            return chain(found, repeat(_Other.PLAIN))
        return cycle([*found, _Other.PLAIN])

    def _plain(self, column: Column[Any]) -> Any:
        if given := self._given.get(column.name) or self._limited.get(column.name):
            is_id = (
                column.name in self._limited
                and isinstance(column.type, types.Integer)
                and is_unique(self.table, column)
            )
            return max(given) + next(self.serials) if is_id else self.random.choice(given)
        return self._samples(column)[1]

    def _samples(self, column: Column[Any]) -> tuple[list[Any], Any]:
        serial = next(self.serials)
        own = self.literals.of(column.name, serial)
        return own if own is not None else samples(column.type, serial, self.connection.dialect.name)

    def _referred(self) -> dict[str, Any]:
        """Values of the columns with foreign keys, from rows that exist; None where there are none, or for a while."""
        found: dict[str, Any] = {}
        for key in self.table.foreign_key_constraints:
            columns = [each.parent for each in key.elements]
            is_optional = all(column.nullable for column in columns)
            target = [each.column for each in key.elements]
            rows = self.connection.execute(select(*target).limit(100)).all()
            is_null = not rows or (is_optional and self.random.random() < _OPTIONAL_NULLS)
            row = [None] * len(columns) if is_null else self.random.choice(rows)
            found |= dict(zip((column.name for column in columns), row, strict=True))
        return found

    def _referring_to_itself(self, row: dict[str, Any], referred: Mapping[str, Any]) -> dict[str, Any]:
        """The first row of a table whose rows must refer to a row of it refers to itself."""
        for key in self.table.foreign_key_constraints:
            if key.referred_table is self.table:
                for each in key.elements:
                    name = each.parent.name
                    if referred[name] is None and not each.parent.nullable:
                        row[name] = row.get(each.column.name)
        return row


def is_written(column: Column[Any]) -> bool:
    """Whether an INSERT may have a value for the column, which the database does not compute."""
    return column.computed is None and not (column.identity is not None and column.identity.always)
