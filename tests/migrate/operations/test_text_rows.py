"""What becomes of rows, as text: filled in batches, filled again on the way back, or refused."""

import pytest

from tests.migrate.operations.written import DIALECTS, Case
from tests.migrate.project import Project

CASES = {
    "backfill by expressions": Case(
        backfill='ops.Backfill(name="t.c", table="t", left="c IS NULL", assign={"c": "lower(a)"})',
        postgresql="""
        backfill:
        - fill t.c along id
            where c IS NULL
            set c = lower(a)
        """,
        sqlite="""
        backfill:
        - fill t.c along id
            where c IS NULL
            set c = lower(a)
        """,
    ),
    "backfill in the words of each database": Case(
        backfill="""
        lambda: ops.Backfill(
            name="t.c",
            table="t",
            left="c IS NULL",
            assign={"c": ops.either(postgresql="split_part(a, '-', 1)", sqlite="substr(a, 1, instr(a, '-') - 1)")},
        )
        """,
        postgresql="""
        backfill:
        - fill t.c along id
            where c IS NULL
            set c = split_part(a, '-', 1)
        """,
        sqlite="""
        backfill:
        - fill t.c along id
            where c IS NULL
            set c = substr(a, 1, instr(a, '-') - 1)
        """,
    ),
    "backfill by a function": Case(
        backfill="""
        ops.Backfill(
            name="t.c",
            table="t",
            left="c IS NULL",
            key=("a", "id"),
            read=("a",),
            write=("c",),
            by=lambda a: (a.title(),),
        )
        """,
        postgresql="""
        backfill:
        - fill t.c along a, id
            where c IS NULL
            read a and write c by a function
        """,
        sqlite="""
        backfill:
        - fill t.c along a, id
            where c IS NULL
            read a and write c by a function
        """,
    ),
    "backfill by a statement": Case(
        backfill="""
        ops.Backfill(
            name="u",
            table="t",
            left="NOT EXISTS (SELECT 1 FROM u WHERE u.id = t.id)",
            statement={
                "postgresql": "INSERT INTO u SELECT id FROM t WHERE {batch} FOR NO KEY UPDATE ON CONFLICT DO NOTHING",
                "sqlite": "INSERT INTO u SELECT id FROM t WHERE {batch} ON CONFLICT DO NOTHING",
            },
        )
        """,
        postgresql="""
        backfill:
        - fill u along id
            where NOT EXISTS (SELECT 1 FROM u WHERE u.id = t.id)
            INSERT INTO u SELECT id FROM t WHERE {batch} FOR NO KEY UPDATE ON CONFLICT DO NOTHING
        """,
        sqlite="""
        backfill:
        - fill u along id
            where NOT EXISTS (SELECT 1 FROM u WHERE u.id = t.id)
            INSERT INTO u SELECT id FROM t WHERE {batch} ON CONFLICT DO NOTHING
        """,
    ),
    "refill": Case(
        contract="""
        ops.refill(ops.Backfill(name="t.a", table="t", left="a IS NULL", assign={"a": "'unknown'"}))
        ops.drop_not_null("t", "a")
        """,
        postgresql="""
        contract:
        ? t.a needs no change
        - leave t.a to the way back (none)
          < fill t.a along id
            where a IS NULL
            set a = 'unknown'
        - let t.a be NULL (ACCESS EXCLUSIVE on t)
            ALTER TABLE t ALTER COLUMN a DROP NOT NULL
          < check that new rows have t.a (ACCESS EXCLUSIVE on t)
            ALTER TABLE t ADD CONSTRAINT ck_t_a_not_null CHECK (a IS NOT NULL) NOT VALID
          < check that all rows have t.a (SHARE UPDATE EXCLUSIVE on t)
            ALTER TABLE t VALIDATE CONSTRAINT ck_t_a_not_null
          < let t.a be NULL no more (ACCESS EXCLUSIVE on t)
            ALTER TABLE t ALTER COLUMN a SET NOT NULL
            ALTER TABLE t DROP CONSTRAINT IF EXISTS ck_t_a_not_null
        """,
        sqlite="""
        contract:
        ? t.a needs no change
        - leave t.a to the way back (none)
          < fill t.a along id
            where a IS NULL
            set a = 'unknown'
        - let t.a be NULL (ACCESS EXCLUSIVE on t)
            = CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, b INTEGER DEFAULT 1, c TEXT, CONSTRAINT ck CHECK (b >
              0))
          < let t.a be NULL no more (ACCESS EXCLUSIVE on t)
            = CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT NOT NULL, b INTEGER DEFAULT 1, c TEXT, CONSTRAINT ck
              CHECK (b > 0))
        """,
    ),
    "refuse_if_any": Case(
        down="""
        ops.refuse_if_any("SELECT id FROM t WHERE c = 'new'", "The older schema knows no new ones")
        ops.refuse_if_any(ops.duplicates("t", "c", str.lower), "Several rows have one c but for capitals")
        ops.undo()
        """,
        postgresql="""
        undo:
        ? The older schema knows no new ones
            SELECT id FROM t WHERE c = 'new'
        ? Several rows have one c but for capitals
        """,
        sqlite="""
        undo:
        ? The older schema knows no new ones
            SELECT id FROM t WHERE c = 'new'
        ? Several rows have one c but for capitals
        """,
    ),
    "undo": Case(
        up='ops.drop_not_null("t", "a")',
        down="ops.undo()",
        postgresql="""
        expand:
        ? t.a needs no change
        - let t.a be NULL (ACCESS EXCLUSIVE on t)
            ALTER TABLE t ALTER COLUMN a DROP NOT NULL
          < check that new rows have t.a (ACCESS EXCLUSIVE on t)
            ALTER TABLE t ADD CONSTRAINT ck_t_a_not_null CHECK (a IS NOT NULL) NOT VALID
          < check that all rows have t.a (SHARE UPDATE EXCLUSIVE on t)
            ALTER TABLE t VALIDATE CONSTRAINT ck_t_a_not_null
          < let t.a be NULL no more (ACCESS EXCLUSIVE on t)
            ALTER TABLE t ALTER COLUMN a SET NOT NULL
            ALTER TABLE t DROP CONSTRAINT IF EXISTS ck_t_a_not_null
        undo:
        ? t.a has no value in some rows
        """,
        sqlite="""
        expand:
        ? t.a needs no change
        - let t.a be NULL (ACCESS EXCLUSIVE on t)
            = CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, b INTEGER DEFAULT 1, c TEXT, CONSTRAINT ck CHECK (b >
              0))
          < let t.a be NULL no more (ACCESS EXCLUSIVE on t)
            = CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT NOT NULL, b INTEGER DEFAULT 1, c TEXT, CONSTRAINT ck
              CHECK (b > 0))
        undo:
        ? t.a has no value in some rows
        """,
    ),
    "a downgrade of its own": Case(
        up="""ops.add_check("t", "ck_t_c", "c <> ''")""",
        down="""ops.drop_constraint("t", sa.CheckConstraint("c <> ''", name="ck_t_c"))""",
        postgresql="""
        expand:
        ? Some rows of t are not so that c <> ''
        - hold new rows of t to ck_t_c (ACCESS EXCLUSIVE on t)
            ALTER TABLE t ADD CONSTRAINT ck_t_c CHECK (c <> '') NOT VALID
          < drop ck_t_c of t (ACCESS EXCLUSIVE on t)
            ALTER TABLE t DROP CONSTRAINT ck_t_c
        - hold all rows of t to ck_t_c (SHARE UPDATE EXCLUSIVE on t)
            ALTER TABLE t VALIDATE CONSTRAINT ck_t_c
        undo:
        - drop ck_t_c of t (ACCESS EXCLUSIVE on t)
            ALTER TABLE t DROP CONSTRAINT ck_t_c
          < hold new rows of t to ck_t_c (ACCESS EXCLUSIVE on t)
            ALTER TABLE t ADD CONSTRAINT ck_t_c CHECK (c <> '') NOT VALID
          < hold all rows of t to ck_t_c (SHARE UPDATE EXCLUSIVE on t)
            ALTER TABLE t VALIDATE CONSTRAINT ck_t_c
        """,
        sqlite="""
        expand:
        ? Some rows of t are not so that c <> ''
        - add ck_t_c to t (ACCESS EXCLUSIVE on t)
            = CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT NOT NULL, b INTEGER DEFAULT 1, c TEXT, CONSTRAINT ck
              CHECK (b > 0), CONSTRAINT ck_t_c CHECK (c <> ''))
          < drop ck_t_c of t (ACCESS EXCLUSIVE on t)
            = CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT NOT NULL, b INTEGER DEFAULT 1, c TEXT, CONSTRAINT ck
              CHECK (b > 0))
        undo:
        - drop ck_t_c of t (ACCESS EXCLUSIVE on t)
            = CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT NOT NULL, b INTEGER DEFAULT 1, c TEXT, CONSTRAINT ck
              CHECK (b > 0))
          < add ck_t_c to t (ACCESS EXCLUSIVE on t)
            = CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT NOT NULL, b INTEGER DEFAULT 1, c TEXT, CONSTRAINT ck
              CHECK (b > 0), CONSTRAINT ck_t_c CHECK (c <> ''))
        """,
    ),
}


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("case", CASES)
def test_rows_are_filled_or_refused(project: Project, case: str, dialect: str) -> None:
    assert CASES[case].written(project, dialect) == CASES[case].expected(dialect)
