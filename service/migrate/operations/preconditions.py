"""Preconditions: queries for rows that make a change impossible, run before the first step; `refuse_if_any`."""

import re
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from sqlalchemy import Connection, func, select, text
from sqlalchemy.exc import DBAPIError, NoSuchTableError

from service.migrate.dialects import ddl, reflected
from service.migrate.dialects.sqlite.tokens import lowered, tokenize
from service.migrate.errors import Refused, is_denied
from service.migrate.operations.base import Operation, Phases
from service.migrate.operations.step import Precondition, Target

_SAMPLE_ROWS = 5
_BATCH_ROWS = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Refuse(Operation):
    """A precondition that the revision itself declares."""

    check: Precondition

    def phases(self, _target: Target, /) -> Phases:
        return Phases(preconditions=(self.check,))


def refuse_rows(connection: Connection, check: Precondition) -> None:
    """Raises Refused with the number of rows that the precondition finds and the first five of them."""
    count, sample = _found(connection, check)
    if not count:
        return
    shown = "; ".join(", ".join(map(_shown, row)) for row in sample)
    more = "; …" if count > len(sample) else ""
    cure = check.cure.replace("{first}", str(sample[0][0]).removeprefix("the "))
    raise Refused(f"{check.why} ({count}): {shown}{more}.{f' {cure}.' if cure else ''}")


def _shown(value: object) -> str:
    if value is None:
        return "NULL"
    return f"'{value}'" if not str(value).strip() else str(value)


def refuse_rows_there(connection: Connection, check: Precondition) -> None:
    """As `refuse_rows`, but passes if a table or column of the query does not exist."""
    try:
        with connection.begin_nested():
            rows = check.rows(connection) if callable(check.rows) else check.rows
            if isinstance(rows, str) and connection.dialect.name == "sqlite" and _is_text_for_sqlite(connection, rows):
                return
            refuse_rows(connection, check)
    except NoSuchTableError:
        return
    except DBAPIError as failure:
        if is_denied(failure):
            raise


def _is_text_for_sqlite(connection: Connection, statement: str) -> bool:
    """Whether SQLite would read a double-quoted name as a string, since no column has that name.

    https://www.sqlite.org/quirks.html#dblquote
    """
    asked = "SELECT s.name, c.name FROM sqlite_schema AS s, pragma_table_xinfo(s.name) AS c WHERE s.type = 'table'"
    known = {lowered(name) for row in connection.exec_driver_sql(asked) for name in row}
    return any(token.kind == "quoted" and token.name not in known for token in tokenize(statement))


def primary_key(connection: Connection, table: str) -> str:
    """The primary key's columns for a SELECT list; 1 if the table has none."""
    return ddl.listed(reflected.primary_key(connection, table)) or "1"


def duplicates(
    table: str, column: str, by: Callable[[Any], Any], key: str = "id"
) -> Callable[[Connection], list[tuple[Any, ...]]]:
    """Return a finder, for `refuse_if_any`, of rows whose values `by` maps to the same result.

    The finder holds eight bytes in memory for each row.
    """

    def find(connection: Connection) -> list[tuple[Any, ...]]:
        hashes = array("q", (hash(by(value)) for _, value in _walk(connection, table, column, key)))
        ordered = sorted(hashes)
        twice = {one for one, other in pairwise(ordered) if one == other}
        if not twice:
            return []
        found: dict[Any, list[tuple[Any, Any]]] = {}
        for id, value in _walk(connection, table, column, key):
            if hash(made := by(value)) in twice:
                found.setdefault(made, []).append((id, value))
        return [(value,) for made in sorted(found) if len(found[made]) > 1 for _, value in sorted(found[made])]

    return find


def _walk(connection: Connection, table: str, column: str, key: str) -> Iterator[tuple[Any, Any]]:
    """Yield each row's key and value, page by page along the key."""
    names = f"{ddl.quoted(key)}, {ddl.quoted(column)}"
    known = f"{ddl.quoted(column)} IS NOT NULL"
    asked = f"SELECT {names} FROM {ddl.quoted(table)} WHERE {known}"
    order = f"ORDER BY {ddl.quoted(key)} LIMIT {_BATCH_ROWS}"
    rows = connection.exec_driver_sql(f"{asked} {order}").all()
    while rows:
        yield from ((row[0], row[1]) for row in rows)
        rows = connection.execute(text(f"{asked} AND {ddl.quoted(key)} > :after {order}"), {"after": rows[-1][0]}).all()


def _spelled(connection: Connection, dependent: object) -> str:
    """A dependent's description, the same for all spellings of its names."""
    return re.sub(r"\S+", lambda word: reflected.folded(connection.dialect.name, word[0]), str(dependent))


def _found(connection: Connection, check: Precondition) -> tuple[int, list[tuple[Any, ...]]]:
    rows = check.rows(connection) if callable(check.rows) else check.rows
    if isinstance(rows, list):
        ignoring = {_spelled(connection, each) for each in check.ignoring}
        rows = [row for row in rows if ignoring.isdisjoint(_spelled(connection, value) for value in row)]
        return len(rows), rows[:_SAMPLE_ROWS]
    if isinstance(rows, str):
        verified = connection.exec_driver_sql(f"SELECT count(*) FROM ({rows}) AS found").scalar_one()
        if not verified:
            return 0, []
        found = connection.exec_driver_sql(f"{rows} LIMIT {_SAMPLE_ROWS}")
        return verified, [tuple(row) for row in found]
    verified = connection.execute(select(func.count()).select_from(rows.subquery())).scalar_one()
    return verified, [tuple(row) for row in connection.execute(rows.limit(_SAMPLE_ROWS))] if verified else []
