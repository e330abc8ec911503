"""From the constraint that refused a row to the caller's own name for the field."""

import re
from collections.abc import Iterable

from sqlalchemy import Column, Constraint, ForeignKeyConstraint, MetaData, PrimaryKeyConstraint, Table, UniqueConstraint
from sqlalchemy.exc import DBAPIError

from service.db.failures import causes
from service.errors import Conflict

_NOT_NULL = "23502"
_CLASS_23 = re.compile(r"23\d{3}")
_SQLITE = re.compile(r"(?P<kind>UNIQUE|CHECK|NOT NULL|FOREIGN KEY) constraint failed(?:: (?P<what>.+))?")
_TABLE_WRITTEN = re.compile(r'\s*(?:INSERT INTO|UPDATE|DELETE FROM) "?(?P<table>\w+)')


class Violations:
    """Knows every constraint of a schema by the names that both databases give when they refuse."""

    def __init__(self, metadata: MetaData) -> None:
        self._tables = metadata.tables
        self._named: dict[str, Constraint] = {}
        self._unique: dict[str, Constraint] = {}
        for table in metadata.tables.values():
            for constraint in table.constraints:
                self._named[_name(constraint)] = constraint
                if isinstance(constraint, (UniqueConstraint, PrimaryKeyConstraint)):
                    columns = ", ".join(f"{table.name}.{column.name}" for column in _columns(constraint))
                    self._unique[columns] = constraint

    def conflict(self, failure: Exception) -> Conflict | None:
        """Return what a constraint refused, as a sentence with the field's name; `None` if none did."""
        for each in causes(failure):
            if _CLASS_23.fullmatch(str(getattr(each, "sqlstate", ""))) and hasattr(each, "constraint_name"):
                if each.sqlstate == _NOT_NULL:  # type: ignore[attr-defined]
                    return _missing(str(getattr(each, "column_name", "")))
                return refused(self._named.get(each.constraint_name))
            if found := _SQLITE.match(str(each)) if hasattr(each, "sqlite_errorcode") else None:
                return self._refused_by_sqlite(found["kind"], found["what"], failure)
        return None

    def _refused_by_sqlite(self, kind: str, what: str | None, failure: Exception) -> Conflict:
        if kind == "NOT NULL":
            return _missing(str(what).rpartition(".")[2])
        if kind == "FOREIGN KEY":
            return refused(self._only_foreign_key(failure))
        return refused((self._unique if kind == "UNIQUE" else self._named).get(str(what)))

    def _only_foreign_key(self, failure: Exception) -> Constraint | None:
        """SQLite does not say which key failed; where a table has one, that is it."""
        statement = failure.statement if isinstance(failure, DBAPIError) else None
        written = _TABLE_WRITTEN.match(statement or "")
        table = self._tables.get(written["table"]) if written else None
        keys = [] if table is None else list(table.foreign_key_constraints)
        return keys[0] if len(keys) == 1 else None


def refused(constraint: Constraint | None) -> Conflict:
    """Return what a constraint says when it refuses a row."""
    if constraint is None or not isinstance(constraint.parent, Table):
        return Conflict("The change contradicts what is stored.")
    field = _field(constraint)
    if isinstance(constraint, ForeignKeyConstraint):
        return Conflict(f"There is no {_noun(constraint.referred_table)} with this id.", field=field)
    if constraint.info.get("field") and not list(_columns(constraint)):
        return Conflict(f"The value of {field} is out of bounds.", field=field)
    return Conflict(f"Another {_noun(constraint.parent)} has this {field}.", field=field)


def _missing(field: str) -> Conflict:
    return Conflict(f"A value for {field} is required.", field=field)


def _name(constraint: Constraint) -> str:
    # Formatted by the naming convention when the constraint was attached to its table.
    return str(constraint.name)


def _columns(constraint: Constraint) -> Iterable[Column[object]]:
    return getattr(constraint, "columns", ())


def _field(constraint: Constraint) -> str | None:
    named: str | None = constraint.info.get("field")
    return named or next((column.name for column in _columns(constraint)), None)


def _noun(table: Table) -> str:
    return table.name.removesuffix("s").replace("_", " ")
