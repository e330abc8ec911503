"""From the constraint that refused a row to the caller's own name for the field."""

import re

from sqlalchemy import (
    CheckConstraint,
    Constraint,
    ForeignKeyConstraint,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    UniqueConstraint,
)
from sqlalchemy.exc import DBAPIError

from service.db.failures import causes
from service.errors import Conflict

_NOT_NULL = "23502"
_CLASS_23 = re.compile(r"23\d{3}")
_SQLITE = re.compile(r"(?P<kind>UNIQUE|CHECK|NOT NULL|FOREIGN KEY) constraint failed(?:: (?P<what>.+))?")


class Violations:
    """Knows every constraint of a schema by the names that both databases give when they refuse."""

    def __init__(self, metadata: MetaData) -> None:
        self._named: dict[str, Constraint] = {}
        self._unique: dict[str, Constraint] = {}
        self._partitioned: dict[str, Constraint] = {}
        for table in metadata.tables.values():
            if table.dialect_options["postgresql"]["partition_by"]:
                self._partitioned[f"{table.name}_"] = table.primary_key
            for constraint in table.constraints:
                self._named[_name(constraint)] = constraint
                if isinstance(constraint, (UniqueConstraint, PrimaryKeyConstraint)):
                    columns = ", ".join(f"{table.name}.{column.name}" for column in constraint.columns)
                    self._unique[columns] = constraint

    def conflict(self, failure: Exception) -> Conflict | None:
        """Return the constraint violation as a sentence with the field's name; `None` for another error."""
        for each in causes(failure):
            if told := _told_by_postgresql(each) or _told_by_sqlite(each):
                break
        else:
            return None
        kind, what = told
        if kind == "NOT NULL":
            return _missing(what)
        if isinstance(failure, DBAPIError) and str(failure.statement).startswith("DELETE"):
            return Conflict("Something else still refers to it.")
        if kind == "UNIQUE":
            return refused(self._unique.get(what))
        return refused(self._named[what] if what in self._named else self._of_partition(what))

    def named(self, sqlstate: str, constraint: str, column: str) -> Conflict:
        """Return the violation that PostgreSQL reports with these fields."""
        if sqlstate == _NOT_NULL:
            return _missing(column)
        return refused(self._named[constraint] if constraint in self._named else self._of_partition(constraint))

    def _of_partition(self, name: str) -> Constraint | None:
        """PostgreSQL names the key of the partition that refused: logins_2026_11_pkey."""
        found = (key for table, key in self._partitioned.items() if name.startswith(table) and name.endswith("_pkey"))
        return next(found, None)


def _told_by_postgresql(error: BaseException) -> tuple[str, str] | None:
    if not _CLASS_23.fullmatch(str(getattr(error, "sqlstate", ""))) or not hasattr(error, "constraint_name"):
        return None
    if error.sqlstate == _NOT_NULL:  # type: ignore[attr-defined]
        return "NOT NULL", str(getattr(error, "column_name", ""))
    return "NAMED", str(error.constraint_name)


def _told_by_sqlite(error: BaseException) -> tuple[str, str] | None:
    if not hasattr(error, "sqlite_errorcode") or not (found := _SQLITE.match(str(error))):
        return None
    what = found["what"] or ""
    if found["kind"] == "NOT NULL":
        return "NOT NULL", what.rpartition(".")[2]
    # service.db.sqlite.pooled finds out which foreign key it was.
    return found["kind"], what or str(getattr(error, "constraint_name", ""))


def refused(constraint: Constraint | None) -> Conflict:
    """Return what a constraint says when it refuses a row."""
    if constraint is None or not isinstance(constraint.parent, Table):
        return Conflict("The change contradicts what is stored.")
    fields = _fields(constraint)
    field = fields[0] if fields else None
    if isinstance(constraint, ForeignKeyConstraint):
        return Conflict(f"There is no {_noun(constraint.referred_table)} with this id.", field=field)
    if isinstance(constraint, CheckConstraint):
        return Conflict(f"The value of {field or _name(constraint)} is out of bounds.", field=field)
    return Conflict(f"Another {_noun(constraint.parent)} has this {' and '.join(fields)}.", field=field)


def _missing(column: str) -> Conflict:
    field = _spoken(column)
    return Conflict(f"A value for {field} is required.", field=field)


def _name(constraint: Constraint) -> str:
    # Formatted by the naming convention when the constraint was attached to its table.
    return str(constraint.name)


def _fields(constraint: Constraint) -> list[str]:
    named: str | None = constraint.info.get("field")
    return [named] if named else [_spoken(column.name) for column in getattr(constraint, "columns", ())]


def _spoken(column: str) -> str:
    # Callers do not see the folded copy of a text column, so the message names the text column.
    return column.removesuffix("_key")


def _noun(table: Table) -> str:
    return table.name.removesuffix("s").replace("_", " ")
