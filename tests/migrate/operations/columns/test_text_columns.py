"""SQL text of add_column and drop_column: changes of the catalog, through the trash."""

import pytest

from tests.migrate.operations.written import DIALECTS, Case
from tests.migrate.project import Project

CASES = {
    "add_column": Case(
        up='ops.add_column("t", sa.Column("d", sa.String(50)))',
        postgresql="""
        expand:
        ? t cannot get another column, since these would fail with it
        - RESTORE COLUMN t.d FROM TRASH (ACCESS EXCLUSIVE on t, if need be)
            ALTER TABLE t RENAME COLUMN _trash_0002_d TO d
          < MOVE COLUMN t.d TO TRASH (ACCESS EXCLUSIVE on t)
            ALTER TABLE t RENAME COLUMN d TO _trash_0002_d
          < DROP COLUMN t.d (ACCESS EXCLUSIVE on t, if need be)
            ALTER TABLE t DROP COLUMN d
        - ADD COLUMN t.d (ACCESS EXCLUSIVE on t)
            ALTER TABLE t ADD COLUMN d VARCHAR(50)
            DO $columns$ …
          < MOVE COLUMN t.d TO TRASH (ACCESS EXCLUSIVE on t)
            ALTER TABLE t RENAME COLUMN d TO _trash_0002_d
          < DROP COLUMN t.d (ACCESS EXCLUSIVE on t, if need be)
            ALTER TABLE t DROP COLUMN d
        """,
        sqlite="""
        expand:
        ? t cannot get another column, since these would fail with it
        - RESTORE COLUMN t.d FROM TRASH (ACCESS EXCLUSIVE on t, if need be): there is nothing to do
          < MOVE COLUMN t.d TO TRASH (ACCESS EXCLUSIVE on t): there is nothing to do
          < DROP COLUMN t.d (ACCESS EXCLUSIVE on t, if need be): there is nothing to do
        - ADD COLUMN t.d (ACCESS EXCLUSIVE on t)
            ALTER TABLE "t" ADD COLUMN d VARCHAR(50)
          < MOVE COLUMN t.d TO TRASH (ACCESS EXCLUSIVE on t): there is nothing to do
          < DROP COLUMN t.d (ACCESS EXCLUSIVE on t, if need be)
            = CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT NOT NULL, b INTEGER DEFAULT 1, c TEXT, CONSTRAINT ck
              CHECK (b > 0))
        """,
    ),
    "add_column with a default": Case(
        up='ops.add_column("t", sa.Column("d", sa.DateTime(), server_default=ops.now(), nullable=False))',
        postgresql="""
        expand:
        ? t cannot get another column, since these would fail with it
        - RESTORE COLUMN t.d FROM TRASH (ACCESS EXCLUSIVE on t, if need be)
            ALTER TABLE t RENAME COLUMN _trash_0002_d TO d
          < MOVE COLUMN t.d TO TRASH (ACCESS EXCLUSIVE on t)
            ALTER TABLE t RENAME COLUMN d TO _trash_0002_d
          < DROP COLUMN t.d (ACCESS EXCLUSIVE on t, if need be)
            ALTER TABLE t DROP COLUMN d
        - ADD COLUMN t.d (ACCESS EXCLUSIVE on t)
            ALTER TABLE t ADD COLUMN d TIMESTAMP WITHOUT TIME ZONE DEFAULT CURRENT_TIMESTAMP NOT NULL
            DO $columns$ …
          < MOVE COLUMN t.d TO TRASH (ACCESS EXCLUSIVE on t)
            ALTER TABLE t RENAME COLUMN d TO _trash_0002_d
          < DROP COLUMN t.d (ACCESS EXCLUSIVE on t, if need be)
            ALTER TABLE t DROP COLUMN d
        """,
        sqlite="""
        expand:
        ? t cannot get another column, since these would fail with it
        - RESTORE COLUMN t.d FROM TRASH (ACCESS EXCLUSIVE on t, if need be): there is nothing to do
          < MOVE COLUMN t.d TO TRASH (ACCESS EXCLUSIVE on t): there is nothing to do
          < DROP COLUMN t.d (ACCESS EXCLUSIVE on t, if need be): there is nothing to do
        - ADD COLUMN t.d (ACCESS EXCLUSIVE on t)
            = CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT NOT NULL, b INTEGER DEFAULT 1, c TEXT, d DATETIME
              DEFAULT (strftime('%Y-%m-%d %H:%M:%f000', 'now')) NOT NULL, CONSTRAINT ck CHECK (b > 0))
          < MOVE COLUMN t.d TO TRASH (ACCESS EXCLUSIVE on t): there is nothing to do
          < DROP COLUMN t.d (ACCESS EXCLUSIVE on t, if need be)
            = CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT NOT NULL, b INTEGER DEFAULT 1, c TEXT, CONSTRAINT ck
              CHECK (b > 0))
        """,
    ),
    "add_column, derived": Case(
        up="""
        ops.add_column("t", sa.Column("d", sa.String(50), server_default="x", nullable=False), derived=True)
        """,
        postgresql="""
        expand:
        ? t cannot get another column, since these would fail with it
        - ADD COLUMN t.d (ACCESS EXCLUSIVE on t)
            ALTER TABLE t ADD COLUMN d VARCHAR(50) DEFAULT 'x' NOT NULL
            DO $columns$ …
          < DROP COLUMN t.d (ACCESS EXCLUSIVE on t)
            ALTER TABLE t DROP COLUMN d
        """,
        sqlite="""
        expand:
        ? t cannot get another column, since these would fail with it
        - ADD COLUMN t.d (ACCESS EXCLUSIVE on t)
            ALTER TABLE "t" ADD COLUMN d VARCHAR(50) DEFAULT 'x' NOT NULL
          < DROP COLUMN t.d (ACCESS EXCLUSIVE on t)
            = CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT NOT NULL, b INTEGER DEFAULT 1, c TEXT, CONSTRAINT ck
              CHECK (b > 0))
        """,
    ),
    "drop_column": Case(
        contract='ops.drop_column("t", sa.Column("c", sa.Text()))',
        postgresql="""
        contract:
        ? The revision's definition of t.c differs from the database
        ? t.c cannot be dropped before its dependents
        ? t.c cannot be dropped, since the text of these may name it
        - MOVE COLUMN t.c TO TRASH (ACCESS EXCLUSIVE on t)
            ALTER TABLE t RENAME COLUMN c TO _trash_0002_c
          < ADD COLUMN t.c (ACCESS EXCLUSIVE on t, if need be)
            ALTER TABLE t ADD COLUMN c TEXT
          < RESTORE COLUMN t.c FROM TRASH (ACCESS EXCLUSIVE on t)
            ALTER TABLE t RENAME COLUMN _trash_0002_c TO c
        purge:
        - DROP COLUMN t._trash_0002_c (ACCESS EXCLUSIVE on t)
            ALTER TABLE t DROP COLUMN _trash_0002_c
        """,
        sqlite="""
        contract:
        ? The revision's definition of t.c differs from the database
        ? t.c cannot be dropped before its dependents
        ? t.c cannot be dropped, since the text of these may name it
        - MOVE COLUMN t.c TO TRASH (ACCESS EXCLUSIVE on t)
            ALTER TABLE t RENAME COLUMN c TO _trash_0002_c
          < ADD COLUMN t.c (ACCESS EXCLUSIVE on t, if need be): there is nothing to do
          < RESTORE COLUMN t.c FROM TRASH (ACCESS EXCLUSIVE on t)
            ALTER TABLE t RENAME COLUMN _trash_0002_c TO c
        purge:
        - DROP COLUMN t._trash_0002_c (ACCESS EXCLUSIVE on t)
            = CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT NOT NULL, b INTEGER DEFAULT 1, CONSTRAINT ck CHECK (b >
              0))
        """,
    ),
    "drop_column that may not be NULL": Case(
        contract='ops.drop_column("t", sa.Column("a", sa.Text(), nullable=False))',
        postgresql="""
        contract:
        ? The revision's definition of t.a differs from the database
        ? t.a cannot be dropped before its dependents
        ? t.a cannot be dropped, since the text of these may name it
        - DROP NOT NULL t.a (ACCESS EXCLUSIVE on t)
            ALTER TABLE t ALTER COLUMN a DROP NOT NULL
          < ADD CHECK (t.a IS NOT NULL) NOT VALID (ACCESS EXCLUSIVE on t)
            ALTER TABLE t ADD CONSTRAINT ck_t_a_not_null CHECK (a IS NOT NULL) NOT VALID
          < VALIDATE CHECK (t.a IS NOT NULL) (SHARE UPDATE EXCLUSIVE on t)
            ALTER TABLE t VALIDATE CONSTRAINT ck_t_a_not_null
          < SET NOT NULL t.a (ACCESS EXCLUSIVE on t)
            ALTER TABLE t ALTER COLUMN a SET NOT NULL
            ALTER TABLE t DROP CONSTRAINT IF EXISTS ck_t_a_not_null
        - MOVE COLUMN t.a TO TRASH (ACCESS EXCLUSIVE on t)
            ALTER TABLE t RENAME COLUMN a TO _trash_0002_a
          < ADD COLUMN t.a (ACCESS EXCLUSIVE on t, if need be)
            ALTER TABLE t ADD COLUMN a TEXT
          < RESTORE COLUMN t.a FROM TRASH (ACCESS EXCLUSIVE on t)
            ALTER TABLE t RENAME COLUMN _trash_0002_a TO a
        purge:
        - DROP COLUMN t._trash_0002_a (ACCESS EXCLUSIVE on t)
            ALTER TABLE t DROP COLUMN _trash_0002_a
        undo contract:
        ? t.a is NOT NULL, and some rows were inserted without a value for it
        """,
        sqlite="""
        contract:
        ? The revision's definition of t.a differs from the database
        ? t.a cannot be dropped before its dependents
        ? t.a cannot be dropped, since the text of these may name it
        - DROP NOT NULL t.a (ACCESS EXCLUSIVE on t)
            = CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, b INTEGER DEFAULT 1, c TEXT, CONSTRAINT ck CHECK (b >
              0))
          < SET NOT NULL t.a (ACCESS EXCLUSIVE on t)
            = CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT NOT NULL, b INTEGER DEFAULT 1, c TEXT, CONSTRAINT ck
              CHECK (b > 0))
        - MOVE COLUMN t.a TO TRASH (ACCESS EXCLUSIVE on t)
            ALTER TABLE t RENAME COLUMN a TO _trash_0002_a
          < ADD COLUMN t.a (ACCESS EXCLUSIVE on t, if need be): there is nothing to do
          < RESTORE COLUMN t.a FROM TRASH (ACCESS EXCLUSIVE on t)
            ALTER TABLE t RENAME COLUMN _trash_0002_a TO a
        purge:
        - DROP COLUMN t._trash_0002_a (ACCESS EXCLUSIVE on t)
            = CREATE TABLE t (id INTEGER PRIMARY KEY, b INTEGER DEFAULT 1, c TEXT, CONSTRAINT ck CHECK (b > 0))
        undo contract:
        ? t.a is NOT NULL, and some rows were inserted without a value for it
        """,
    ),
}


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("case", CASES)
def test_columns_come_and_go_in_moments(project: Project, case: str, dialect: str) -> None:
    assert CASES[case].written(project, dialect) == CASES[case].expected(dialect)
