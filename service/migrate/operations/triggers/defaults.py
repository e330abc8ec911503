"""The defaults of a column and of its new name: a row that is written under neither name has one value."""

import re
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column

from service.migrate import naming
from service.migrate.dialects import ddl
from service.migrate.dialects.comparison import comparable_type, differ

# Functions with one result in a statement, and names of types in casts; any other call may have another result.
_STEADY = {"now", "transaction_timestamp", "statement_timestamp", "timezone", "cast"} | {
    *("numeric", "decimal", "varchar", "char", "character", "varying", "bit", "time", "timestamp", "interval")
}
# https://www.sqlite.org/lang_corefunc.html: the others depend on their arguments, or on the time of the statement.
_UNSTEADY_ON_SQLITE = {"random", "randomblob", "changes", "total_changes", "last_insert_rowid"}
_CALL = re.compile(r'([\w$]+|"[^"]*")\s*\(')


@dataclass(frozen=True, slots=True, kw_only=True)
class Defaults:
    """Both defaults on one database; `up` converts an old value to a new one."""

    database: str
    old: Column[Any]
    new: Column[Any]
    up: str

    @property
    def before(self) -> str | None:
        return ddl.default_text(self.old, self.database)

    @property
    def after(self) -> str | None:
        """The new column's default from the contract on."""
        return ddl.default_text(self.new, self.database)

    @property
    def differs_in_each_row(self) -> bool:
        return self.before is not None and is_unsteady(self.before, self.database)

    @property
    def during(self) -> str | None:
        """The new column's default until the contract, from which a trigger sees whether a value was written.

        Where the old default is another value in each row, a mark that stands for no value; NULL is a value.
        """
        if self.differs_in_each_row:
            return self._mark if self.new.nullable else None
        if self.after is not None or self.before is None:
            return self.after
        return ddl.applied(self.up, self._typed(self.before))

    def wrote_old(self, value: str) -> str:
        """SQL: whether an INSERT wrote the old column; FALSE where that cannot be known."""
        return "FALSE" if self.differs_in_each_row else self._is_other(self.old, value, self.before)

    def wrote_new(self, value: str) -> str:
        """SQL: whether an INSERT wrote the new column."""
        return self._is_other(self.new, value, self.during)

    def problem(self) -> str | None:
        """Why a row could have two values, whatever the values of the defaults."""
        if self.before is None:
            return None if self.after is None else f"the default {self.after}, and {self.old.name} has none"
        if not self.differs_in_each_row:
            return None
        each = f"the default {self.before}, another value in each row"
        if self.database == "sqlite":
            return f"{each}, which a trigger on SQLite cannot give to {self.new.name} before RETURNING answers"
        if self.after is not None and not is_unsteady(self.after, self.database):
            return f"{each}, and {self.new.name} has the default {self.after}"
        if self.new.nullable and self._mark is None:
            return f"{each}, and {self.new.name} is of a type that has no mark for a value that was not written"
        return None

    def difference(self) -> str | None:
        """A SELECT of the two defaults, if their values differ; `None` if there is nothing to compare."""
        if self.before is None or self.after is None or self.differs_in_each_row:
            return None
        if self.database == "sqlite":
            made = f"({ddl.applied(self.up, f'({self.before})')})"
            differs = f"CAST(({self.after}) AS TEXT) IS NOT CAST({made} AS TEXT)"
        else:
            made = f"({ddl.applied(self.up, self._typed(self.before))})"
            kind = comparable_type(self.new)
            differs = differ(self.database, self.new, f"CAST({self.after} AS {kind})", made)
        return f"SELECT {ddl.literal(self.before)}, {ddl.literal(self.after)} WHERE {differs}"

    @property
    def _mark(self) -> str | None:
        kind = comparable_type(self.new)
        if kind in ("TEXT", "VARCHAR"):
            mark = naming.owned("no_value")
            length: int | None = getattr(self.new.type, "length", None)
            return ddl.literal(mark) if length is None or length >= len(mark) else None
        return _MARKS.get(kind)

    def _is_other(self, column: Column[Any], value: str, default: str | None) -> str:
        text = "NULL" if default is None else f"({default})" if self.database == "sqlite" else default
        return differ(self.database, column, value, text)

    def _typed(self, default: str) -> str:
        return f"({default})" if self.database == "sqlite" else f"CAST({default} AS {comparable_type(self.old)})"


# A value of the type that nobody writes.
_MARKS = {
    "UUID": "'6e6f2076-616c-4565-8000-000000000000'",
    "INTEGER": "-2147483647",
    "BIGINT": "-9223372036854775807",
    "TIMESTAMP WITH TIME ZONE": "'-infinity'",
    "TIMESTAMP WITHOUT TIME ZONE": "'-infinity'",
    "DOUBLE PRECISION": "'-infinity'",
}


def is_unsteady(default: str, database: str) -> bool:
    """Whether a default may have another value in each row of a statement."""
    code = re.sub(r"'(?:[^']|'')*'", "''", default)
    called = {name.strip('"').lower() for name in _CALL.findall(code)}
    return bool(called & _UNSTEADY_ON_SQLITE) if database == "sqlite" else bool(called - _STEADY)
