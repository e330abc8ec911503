"""Column types as the databases write them, and which changes PostgreSQL makes in its catalog alone."""

import re
from typing import Any, NamedTuple

from sqlalchemy import Column
from sqlalchemy.types import TypeEngine

from service.migrate.dialects import ddl

_TEXT = re.compile(r"(?P<name>VARCHAR|TEXT)(?:\((?P<length>\d+)\))?(?: COLLATE (?P<collation>.+))?")
_NUMBER = re.compile(r"(?:NUMERIC|DECIMAL)(?:\((?P<precision>\d+)(?:, (?P<scale>\d+))?\))?")


class _Text(NamedTuple):
    length: int | None
    collation: str | None
    name: str


class _Number(NamedTuple):
    precision: int | None
    scale: int


def is_catalog_only(was: Column[Any], now: Column[Any]) -> bool:
    """Whether PostgreSQL changes the type without reading or rewriting rows: a longer varchar, a wider numeric.

    https://www.postgresql.org/docs/current/sql-altertable.html
    """
    before, after = _read(was), _read(now)
    if isinstance(before, _Text) and isinstance(after, _Text) and before.collation == after.collation:
        return after.length is None or (before.length is not None and after.length >= before.length)
    if isinstance(before, _Number) and isinstance(after, _Number):
        if after.precision is None:
            return True
        return before.precision is not None and before.scale == after.scale and after.precision >= before.precision
    return False


def has_type(table: str, column: Column[Any]) -> str:
    """A query: whether the column has this text or numeric type."""
    wanted = ddl.literal(_formatted(column))
    return (
        f"SELECT EXISTS (SELECT FROM pg_attribute WHERE attrelid = to_regclass({ddl.literal(ddl.quoted(table))}) "
        f"AND attname = {ddl.literal(column.name)} AND format_type(atttypid, atttypmod) = {wanted})"
    )


def longest(column: Column[Any]) -> int | None:
    """The length limit of a text type; `None` without a limit and for other types."""
    read = _read(column)
    return read.length if isinstance(read, _Text) else None


def affinity(kind: TypeEngine[Any]) -> str:
    """The column affinity of a type on SQLite: https://www.sqlite.org/datatype3.html."""
    return affinity_of(ddl.dialect("sqlite").type_compiler_instance.process(kind))


def affinity_of(text: str) -> str:
    """The column affinity of the text of a type, which may be empty."""
    written = text.upper() or "BLOB"
    affinities = {"INT": "integer", "CHAR": "text", "CLOB": "text", "TEXT": "text", "BLOB": "blob"}
    found = next((affinity for word, affinity in affinities.items() if word in written), None)
    if found is None:
        found = "real" if any(word in written for word in ("REAL", "FLOA", "DOUB")) else "numeric"
    return found


def _read(column: Column[Any]) -> _Text | _Number | None:
    written = ddl.type_text(column, "postgresql")
    if found := _TEXT.fullmatch(written):
        return _Text(int(found["length"]) if found["length"] else None, found["collation"], found["name"])
    if found := _NUMBER.fullmatch(written):
        return _Number(int(found["precision"]) if found["precision"] else None, int(found["scale"] or 0))
    return None


def _formatted(column: Column[Any]) -> str:
    """The type as PostgreSQL's format_type() writes it."""
    read = _read(column)
    if isinstance(read, _Text):
        name = "text" if read.name == "TEXT" else "character varying"
        return name if read.length is None else f"{name}({read.length})"
    assert isinstance(read, _Number)  # noqa: S101 - the only other kind
    return "numeric" if read.precision is None else f"numeric({read.precision},{read.scale})"
