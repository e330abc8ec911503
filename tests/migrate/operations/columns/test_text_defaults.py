"""SQL text of set_default."""

import pytest

from tests.migrate.operations.written import DIALECTS, Case
from tests.migrate.project import Project

CASES = {
    "set_default": Case(
        up='ops.set_default("t", "b", "2", was="1")',
        postgresql="""
        expand:
        ? t.b is being renamed, and a trigger knows by its default whether it was written
        - SET DEFAULT t.b (ACCESS EXCLUSIVE on t)
            ALTER TABLE t ALTER COLUMN b SET DEFAULT 2
          < SET DEFAULT t.b (ACCESS EXCLUSIVE on t)
            ALTER TABLE t ALTER COLUMN b SET DEFAULT 1
        """,
        sqlite="""
        expand:
        ? t.b is being renamed, and a trigger knows by its default whether it was written
        - SET DEFAULT t.b (ACCESS EXCLUSIVE on t)
            = CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT NOT NULL, b INTEGER DEFAULT 2, c TEXT, CONSTRAINT ck
              CHECK (b > 0))
          < SET DEFAULT t.b (ACCESS EXCLUSIVE on t)
            = CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT NOT NULL, b INTEGER DEFAULT 1, c TEXT, CONSTRAINT ck
              CHECK (b > 0))
        """,
    ),
    "set_default to the present moment": Case(
        up='ops.set_default("t", "c", ops.now(), was=None)',
        postgresql="""
        expand:
        ? t.c is being renamed, and a trigger knows by its default whether it was written
        - SET DEFAULT t.c (ACCESS EXCLUSIVE on t)
            ALTER TABLE t ALTER COLUMN c SET DEFAULT CURRENT_TIMESTAMP
          < DROP DEFAULT t.c (ACCESS EXCLUSIVE on t)
            ALTER TABLE t ALTER COLUMN c DROP DEFAULT
        """,
        sqlite="""
        expand:
        ? t.c is being renamed, and a trigger knows by its default whether it was written
        - SET DEFAULT t.c (ACCESS EXCLUSIVE on t)
            = CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT NOT NULL, b INTEGER DEFAULT 1, c TEXT DEFAULT
              (strftime('%Y-%m-%d %H:%M:%f000', 'now')), CONSTRAINT ck CHECK (b > 0))
          < DROP DEFAULT t.c (ACCESS EXCLUSIVE on t)
            = CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT NOT NULL, b INTEGER DEFAULT 1, c TEXT, CONSTRAINT ck
              CHECK (b > 0))
        """,
    ),
    "set_default to none": Case(
        up='ops.set_default("t", "b", None, was="1")',
        postgresql="""
        expand:
        ? t.b is being renamed, and a trigger knows by its default whether it was written
        - DROP DEFAULT t.b (ACCESS EXCLUSIVE on t)
            ALTER TABLE t ALTER COLUMN b DROP DEFAULT
          < SET DEFAULT t.b (ACCESS EXCLUSIVE on t)
            ALTER TABLE t ALTER COLUMN b SET DEFAULT 1
        """,
        sqlite="""
        expand:
        ? t.b is being renamed, and a trigger knows by its default whether it was written
        - DROP DEFAULT t.b (ACCESS EXCLUSIVE on t)
            = CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT NOT NULL, b INTEGER, c TEXT, CONSTRAINT ck CHECK (b >
              0))
          < SET DEFAULT t.b (ACCESS EXCLUSIVE on t)
            = CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT NOT NULL, b INTEGER DEFAULT 1, c TEXT, CONSTRAINT ck
              CHECK (b > 0))
        """,
    ),
}


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("case", CASES)
def test_a_default_is_a_moment(project: Project, case: str, dialect: str) -> None:
    assert CASES[case].written(project, dialect) == CASES[case].expected(dialect)
