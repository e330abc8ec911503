"""SQL text of backfills, refills and preconditions."""

import pytest

from tests.migrate.operations.written import DIALECTS, Case
from tests.migrate.project import Project

CASES = {
    "backfill by expressions": Case(
        backfill='ops.Backfill(name="t.c", table="t", left="c IS NULL", assign={"c": "lower(a)"})',
        postgresql="""
        backfill:
        - BACKFILL t.c along id
            where c IS NULL
            set c = lower(a)
        """,
        sqlite="""
        backfill:
        - BACKFILL t.c along id
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
        - BACKFILL t.c along id
            where c IS NULL
            set c = split_part(a, '-', 1)
        """,
        sqlite="""
        backfill:
        - BACKFILL t.c along id
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
        - BACKFILL t.c along a, id
            where c IS NULL
            read a and write c by a function
        """,
        sqlite="""
        backfill:
        - BACKFILL t.c along a, id
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
        - BACKFILL u along id
            where NOT EXISTS (SELECT 1 FROM u WHERE u.id = t.id)
            INSERT INTO u SELECT id FROM t WHERE {batch} FOR NO KEY UPDATE ON CONFLICT DO NOTHING
        """,
        sqlite="""
        backfill:
        - BACKFILL u along id
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
        - BACKFILL t.a ON DOWNGRADE (none)
          < BACKFILL t.a along id
            where a IS NULL
            set a = 'unknown'
        - DROP NOT NULL t.a (ACCESS EXCLUSIVE on t)
            ALTER TABLE t ALTER COLUMN a DROP NOT NULL
          < ADD CHECK (t.a IS NOT NULL) NOT VALID (ACCESS EXCLUSIVE on t)
            ALTER TABLE t ADD CONSTRAINT ck_t_a_not_null CHECK (a IS NOT NULL) NOT VALID
          < VALIDATE CHECK (t.a IS NOT NULL) (SHARE UPDATE EXCLUSIVE on t)
            ALTER TABLE t VALIDATE CONSTRAINT ck_t_a_not_null
          < SET NOT NULL t.a (ACCESS EXCLUSIVE on t)
            ALTER TABLE t ALTER COLUMN a SET NOT NULL
            ALTER TABLE t DROP CONSTRAINT IF EXISTS ck_t_a_not_null
        """,
        sqlite="""
        contract:
        ? t.a needs no change
        - BACKFILL t.a ON DOWNGRADE (none)
          < BACKFILL t.a along id
            where a IS NULL
            set a = 'unknown'
        - DROP NOT NULL t.a (ACCESS EXCLUSIVE on t)
            = CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, b INTEGER DEFAULT 1, c TEXT, CONSTRAINT ck CHECK (b >
              0))
          < SET NOT NULL t.a (ACCESS EXCLUSIVE on t)
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
        - DROP NOT NULL t.a (ACCESS EXCLUSIVE on t)
            ALTER TABLE t ALTER COLUMN a DROP NOT NULL
          < ADD CHECK (t.a IS NOT NULL) NOT VALID (ACCESS EXCLUSIVE on t)
            ALTER TABLE t ADD CONSTRAINT ck_t_a_not_null CHECK (a IS NOT NULL) NOT VALID
          < VALIDATE CHECK (t.a IS NOT NULL) (SHARE UPDATE EXCLUSIVE on t)
            ALTER TABLE t VALIDATE CONSTRAINT ck_t_a_not_null
          < SET NOT NULL t.a (ACCESS EXCLUSIVE on t)
            ALTER TABLE t ALTER COLUMN a SET NOT NULL
            ALTER TABLE t DROP CONSTRAINT IF EXISTS ck_t_a_not_null
        undo:
        ? t.a is NULL in some rows
        """,
        sqlite="""
        expand:
        ? t.a needs no change
        - DROP NOT NULL t.a (ACCESS EXCLUSIVE on t)
            = CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, b INTEGER DEFAULT 1, c TEXT, CONSTRAINT ck CHECK (b >
              0))
          < SET NOT NULL t.a (ACCESS EXCLUSIVE on t)
            = CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT NOT NULL, b INTEGER DEFAULT 1, c TEXT, CONSTRAINT ck
              CHECK (b > 0))
        undo:
        ? t.a is NULL in some rows
        """,
    ),
    "a downgrade of its own": Case(
        up="""ops.add_check("t", "ck_t_c", "c <> ''")""",
        down="""ops.drop_constraint("t", sa.CheckConstraint("c <> ''", name="ck_t_c"))""",
        postgresql="""
        expand:
        ? Rows of t violate CHECK (c <> '')
        - ADD CONSTRAINT ck_t_c ON t NOT VALID (ACCESS EXCLUSIVE on t)
            ALTER TABLE t ADD CONSTRAINT ck_t_c CHECK (c <> '') NOT VALID
          < DROP CONSTRAINT ck_t_c ON t (ACCESS EXCLUSIVE on t)
            ALTER TABLE t DROP CONSTRAINT ck_t_c
        - VALIDATE CONSTRAINT ck_t_c ON t (SHARE UPDATE EXCLUSIVE on t)
            ALTER TABLE t VALIDATE CONSTRAINT ck_t_c
        undo:
        - DROP CONSTRAINT ck_t_c ON t (ACCESS EXCLUSIVE on t)
            ALTER TABLE t DROP CONSTRAINT ck_t_c
          < ADD CONSTRAINT ck_t_c ON t NOT VALID (ACCESS EXCLUSIVE on t)
            ALTER TABLE t ADD CONSTRAINT ck_t_c CHECK (c <> '') NOT VALID
          < VALIDATE CONSTRAINT ck_t_c ON t (SHARE UPDATE EXCLUSIVE on t)
            ALTER TABLE t VALIDATE CONSTRAINT ck_t_c
        """,
        sqlite="""
        expand:
        ? Rows of t violate CHECK (c <> '')
        - ADD CONSTRAINT ck_t_c ON t (ACCESS EXCLUSIVE on t)
            = CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT NOT NULL, b INTEGER DEFAULT 1, c TEXT, CONSTRAINT ck
              CHECK (b > 0), CONSTRAINT ck_t_c CHECK (c <> ''))
          < DROP CONSTRAINT ck_t_c ON t (ACCESS EXCLUSIVE on t)
            = CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT NOT NULL, b INTEGER DEFAULT 1, c TEXT, CONSTRAINT ck
              CHECK (b > 0))
        undo:
        - DROP CONSTRAINT ck_t_c ON t (ACCESS EXCLUSIVE on t)
            = CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT NOT NULL, b INTEGER DEFAULT 1, c TEXT, CONSTRAINT ck
              CHECK (b > 0))
          < ADD CONSTRAINT ck_t_c ON t (ACCESS EXCLUSIVE on t)
            = CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT NOT NULL, b INTEGER DEFAULT 1, c TEXT, CONSTRAINT ck
              CHECK (b > 0), CONSTRAINT ck_t_c CHECK (c <> ''))
        """,
    ),
}


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("case", CASES)
def test_rows_are_filled_or_refused(project: Project, case: str, dialect: str) -> None:
    assert CASES[case].written(project, dialect) == CASES[case].expected(dialect)
