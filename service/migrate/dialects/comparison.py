"""SQL conditions that compare values as they are stored: `=` takes 1.0 and 1.00, or two spellings, for one value."""

import re
from typing import Any

from sqlalchemy import Column

from service.migrate.dialects import ddl
from service.migrate.dialects.types import affinity

# Types whose equal values have one stored form.
_EXACT = re.compile(r"SMALLINT|INTEGER|BIGINT|BOOLEAN|UUID|DATE|TIMESTAMP\b.*|BYTEA")
# An explicit cast to varchar(n) truncates a value that an assignment refuses.
_LENGTH = re.compile(r"^(VARCHAR)\(\d+\)")
_NAME = re.compile(r'(?:(?:NEW|OLD)\.)?(?:\w+|"(?:[^"]|"")+")')


def differ(database: str, column: Column[Any], one: str, other: str) -> str:
    """SQL: whether the column's value `one` differs from what the column would store for the expression `other`.

    NULL equals NULL. On SQLite `one` must be a column of a table for `other` to be compared by the column's affinity.
    """
    if other == "NULL":
        return f"{one} IS NOT NULL"
    if database == "sqlite":
        same = f"{one} COLLATE BINARY IS NOT +{other}"
        # Other affinities convert a number to one storage class.
        return f"({same} OR typeof({one}) <> typeof({other}))" if affinity(column.type) == "blob" else same
    kind = comparable_type(column)
    if _EXACT.fullmatch(kind):
        return f"{one} IS DISTINCT FROM {other if _NAME.fullmatch(other) else f'CAST({other} AS {kind})'}"
    return image_differs(f"CAST({one} AS {kind})", f"CAST({other} AS {kind})")


def changed(database: str, name: str) -> str:
    """SQL in a trigger: whether the statement changes the column, whatever the column's type."""
    if database == "sqlite":
        return f"(NEW.{name} COLLATE BINARY IS NOT OLD.{name} OR typeof(NEW.{name}) <> typeof(OLD.{name}))"
    return image_differs(f"NEW.{name}", f"OLD.{name}")


def image_differs(one: str, other: str) -> str:
    """PostgreSQL: whether two values of one type differ in their bytes, also for types without an equality operator.

    https://www.postgresql.org/docs/current/functions-comparisons.html#COMPOSITE-TYPE-COMPARISON
    """
    return f"record_image_ne(ROW({one}), ROW({other}))"


def comparable_type(column: Column[Any]) -> str:
    """PostgreSQL: the column's type for a cast before a comparison."""
    return _LENGTH.sub(r"\1", type_of(column))


def type_of(column: Column[Any]) -> str:
    """PostgreSQL: the column's type without its collation."""
    return re.sub(r" COLLATE .*", "", ddl.type_text(column, "postgresql"))
