"""Indexes on expressions in SQLite's catalog, which SQLAlchemy does not reflect."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from sqlalchemy import Column, Connection, Index, MetaData, Table

from service.migrate.dialects import ddl
from service.migrate.dialects.sqlite.tokens import Token, join, normal_form, tokenize

_ASKED = """
SELECT i.name, i.tbl_name, i.sql, EXISTS (SELECT 1 FROM pragma_index_xinfo(i.name) WHERE cid = -2) AS of_expression
FROM sqlite_schema AS i WHERE i.type = 'index' AND i.sql IS NOT NULL ORDER BY i.name
"""


def stored(connection: Connection) -> Iterator[tuple[Index, bool]]:
    """Yield each index, on a table of its own that has its name alone, and whether it is on an expression."""
    for row in connection.exec_driver_sql(_ASKED):
        yield parsed(row.name, row.tbl_name, row.sql), bool(row.of_expression)


def parsed(name: str, table: str, sql: str) -> Index:
    """The index that a CREATE INDEX statement makes; every indexed column is text."""
    tokens = tokenize(sql)
    opening, closing = _parentheses(tokens)
    where = join(tokens[closing + 1 :]).strip().removesuffix(";")
    condition = where[len("WHERE") :].strip() if where.upper().startswith("WHERE") else None
    return Index(
        name,
        *(ddl.verbatim(each) for each in _elements(tokens[opening + 1 : closing])),
        unique=[token.keyword for token in tokens if token.kind == "word"][1] == "UNIQUE",
        sqlite_where=None if condition is None else ddl.verbatim(condition),
        _table=Table(table, MetaData(), Column("_")),
    )


def is_same(one: Index, other: Index) -> bool:
    """Whether two indexes are made by the same statement."""
    return normal_form(ddl.index_text(one, "sqlite")) == normal_form(ddl.index_text(other, "sqlite"))


def _parentheses(tokens: Sequence[Token]) -> tuple[int, int]:
    """The positions of the parentheses around the indexed columns."""
    opening = next(place for place, token in enumerate(tokens) if token.text == "(")
    depth = 0
    for place in range(opening, len(tokens)):
        depth += (tokens[place].text == "(") - (tokens[place].text == ")")
        if depth == 0:
            return opening, place
    return opening, len(tokens) - 1


def _elements(tokens: Sequence[Token]) -> list[str]:
    depth = 0
    commas = [-1]
    for place, token in enumerate(tokens):
        depth += (token.text == "(") - (token.text == ")")
        if depth == 0 and token.text == ",":
            commas.append(place)
    return [join(tokens[start + 1 : end]).strip() for start, end in pairwise([*commas, len(tokens)])]
