"""Definitions that SQLite stores in one way and a revision writes in another, and what is really another definition."""

import pytest

from service.migrate.dialects.sqlite.comparing import checks, comparable, constraint
from service.migrate.dialects.sqlite.definition import parse

TABLE = """CREATE TABLE t (
  id INTEGER PRIMARY KEY,
  "A b" TEXT CONSTRAINT uq UNIQUE ON CONFLICT IGNORE CONSTRAINT ck_a CHECK ("A b" <> ')'),
  c INT CONSTRAINT fk REFERENCES u (id) ON DELETE CASCADE,
  d INT CHECK (d > 0),
  CONSTRAINT ck_b CHECK (c > 0 OR d > 0),
  CONSTRAINT "Uq two" UNIQUE (c, d)
)"""


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        # A constraint of a column is the constraint of the table that comes to the same.
        ("uq", 'UNIQUE ("A b") ON CONFLICT IGNORE'),
        ("fk", "FOREIGN KEY (c) REFERENCES u (id) ON DELETE CASCADE"),
        ("CK_A", """CHECK ("A b" <> ')')"""),
        ("ck_b", "CHECK (c > 0 OR d > 0)"),
        ("uq TWO", "UNIQUE (c, d)"),
        ("ck_d", None),
    ],
)
def test_a_constraint_is_found_by_its_name(name: str, expected: str | None) -> None:
    assert constraint(parse(TABLE, "t"), name) == expected


def test_checks_are_those_with_a_name() -> None:
    assert checks(parse(TABLE, "t")) == {"ck_b": "CHECK (c > 0 OR d > 0)", "ck_a": """CHECK ("A b" <> ')')"""}


KEY = "FOREIGN KEY (a) REFERENCES u (id)"


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ('CONSTRAINT "ck" CHECK ("a" > 0)', "check(A>0)", True),
        ("CHECK (((a > 0)))", "CHECK (a > 0)", True),
        # These parentheses are two pairs.
        ("CHECK ((a > 0) OR (b > 0))", "CHECK (a > 0) OR (b > 0)", False),
        ("CHECK (a = 'X')", "CHECK (a = 'x')", False),
        ("CHECK (a > 0) /* positive */", "CHECK (a > 0)", True),
        (f"{KEY} ON UPDATE CASCADE ON DELETE SET NULL", f"{KEY} ON DELETE SET NULL ON UPDATE CASCADE", True),
        (
            f"{KEY} ON UPDATE CASCADE ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED",
            f"{KEY} ON DELETE CASCADE ON UPDATE CASCADE DEFERRABLE INITIALLY DEFERRED",
            True,
        ),
        (f"{KEY} ON UPDATE CASCADE ON DELETE SET NULL", f"{KEY} ON UPDATE SET NULL ON DELETE CASCADE", False),
        (f"{KEY} ON DELETE NO ACTION ON UPDATE NO ACTION MATCH SIMPLE NOT DEFERRABLE INITIALLY IMMEDIATE", KEY, True),
        (f"{KEY} DEFERRABLE", KEY, False),
        ("CREATE INDEX i ON t (a ASC, b)", 'create index "I" on T (a, b asc)', True),
        ("CREATE INDEX i ON t (a DESC)", "CREATE INDEX i ON t (a)", False),
    ],
)
def test_two_texts_are_one_definition_or_two(one: str, other: str, *, is_same: bool) -> None:
    assert (comparable(one) == comparable(other)) is is_same
