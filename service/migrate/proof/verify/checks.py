"""Values that the CHECK constraints of a table name, and the columns that a refused row is refused for."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Column, Connection, Table, UniqueConstraint, inspect, types
from sqlalchemy.schema import ColumnCollectionConstraint

_LISTED = re.compile(r"\bIN\b|\bANY\b|=", re.IGNORECASE)
_TEXT = re.compile(r"'((?:[^']|'')*)'")
_NUMBER = re.compile(r"(?<![\w.'])-?\d+(?:\.\d+)?(?![\w.'])")
# A text is not made longer than this for a number in a check.
_LONGEST = 10_000


@dataclass(kw_only=True)
class Checks:
    """What the checks of a table say about its columns, as far as their text shows."""

    connection: Connection
    table: Table
    _checks: list[tuple[str, str, list[str]]] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        for check in inspect(self.connection).get_check_constraints(self.table.name, self.table.schema):
            text = check["sqltext"]
            names = [each.name for each in self.table.columns if re.search(rf"\b{re.escape(each.name)}\b", text)]
            self._checks.append((check["name"] or "", text, names))

    def literals(self) -> dict[str, list[Any]]:
        """The texts that checks compare a column with, such as those of an enumeration."""
        found: dict[str, list[Any]] = {}
        for _, text, names in self._checks:
            texts = _TEXT.findall(text)
            if len(names) == 1 and texts and _LISTED.search(text):
                found[names[0]] = [each.replace("''", "'") for each in texts]
        return found

    def limits(self, column: Column[Any]) -> list[Any]:
        """Values at the numbers in checks of one column: the number and its neighbours, or texts of that length."""
        found: dict[Any, None] = {}
        for _, text, names in self._checks:
            if names == [column.name]:
                found |= dict.fromkeys(_near(column, _NUMBER.findall(re.sub(_TEXT, "", text))))
        return list(found)

    def blamed(self, failure: BaseException) -> set[str]:
        """The columns of the constraint that the database names."""
        message = str(getattr(failure, "orig", None) or failure)
        found = {
            name
            for check, text, names in self._checks
            if (check and re.search(rf"\b{re.escape(check)}\b", message)) or text in message
            for name in names
        }
        named: list[Any] = [each for each in self.table.constraints if isinstance(each, ColumnCollectionConstraint)]
        for each in (*self.table.indexes, *named):
            if each.name and re.search(rf"\b{re.escape(str(each.name))}\b", message):
                found |= set(each.columns.keys())
        if message.startswith("(sqlite3.IntegrityError) UNIQUE") or "UNIQUE constraint failed" in message:
            found |= set(re.findall(rf"\b{re.escape(self.table.name)}\.(\w+)", message))
        return found


def is_unique(table: Table, column: Column[Any]) -> bool:
    """Whether a column is in a key, a unique constraint or a unique index."""
    constraints = [each.columns for each in table.constraints if isinstance(each, UniqueConstraint)]
    indexes = [each.columns for each in table.indexes if each.unique]
    return column.primary_key or any(column.name in each for each in (*constraints, *indexes))


def _near(column: Column[Any], numbers: list[str]) -> Iterator[Any]:
    for number in numbers:
        if isinstance(column.type, types.String):
            length = int(float(number))
            yield from ("x" * each for each in (length, length - 1, length + 1) if 0 <= each < _LONGEST)
        elif isinstance(column.type, (types.Integer, types.Numeric)):
            kind = column.type.python_type
            yield from (kind(float(number)) + each for each in (0, 1, -1))
