"""SQL text of set_not_null and drop_not_null: no scan under a blocking lock."""

import pytest

from tests.migrate.operations.written import DIALECTS, Case
from tests.migrate.project import Project

CASES = {
    "set_not_null with fill": Case(
        up="""ops.set_not_null("t", "c", fill="'unknown'")""",
        postgresql="""
        expand:
        ? t.c needs no change
        ? t has triggers that may change a row after zzz_3_roster_fill_t_c has read it
        ? The fill of t.c cannot be tried
        - CREATE TRIGGER roster_fill_t_c ON t (SHARE ROW EXCLUSIVE on t)
            CREATE OR REPLACE FUNCTION roster_fill_t_c() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.c IS
              NULL THEN BEGIN NEW.c := (SELECT 'unknown' FROM (SELECT NEW.*) AS written); EXCEPTION WHEN OTHERS THEN
              IF SQLSTATE LIKE '40%' THEN RAISE; END IF; NEW.c := NULL; END; END IF; RETURN NEW; END $$
            CREATE TRIGGER zzz_3_roster_fill_t_c BEFORE INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION
              roster_fill_t_c()
            ALTER TABLE t ENABLE ALWAYS TRIGGER zzz_3_roster_fill_t_c
          < DROP TRIGGER roster_fill_t_c ON t (ACCESS EXCLUSIVE on t)
            DROP TRIGGER IF EXISTS zzz_3_roster_fill_t_c ON t
            DROP TRIGGER IF EXISTS roster_fill_t_c ON t
            DROP FUNCTION IF EXISTS roster_fill_t_c()
        backfill:
        - BACKFILL t.c along id
            where c IS NULL
            set c = 'unknown'
        settle:
        - ADD CHECK (t.c IS NOT NULL) NOT VALID (ACCESS EXCLUSIVE on t)
            ALTER TABLE t ADD CONSTRAINT ck_t_c_not_null CHECK (c IS NOT NULL) NOT VALID
          < DROP CHECK (t.c IS NOT NULL) (ACCESS EXCLUSIVE on t)
            ALTER TABLE t DROP CONSTRAINT IF EXISTS ck_t_c_not_null
        - VALIDATE CHECK (t.c IS NOT NULL) (SHARE UPDATE EXCLUSIVE on t)
            ALTER TABLE t VALIDATE CONSTRAINT ck_t_c_not_null
        - SET NOT NULL t.c (ACCESS EXCLUSIVE on t)
            ALTER TABLE t ALTER COLUMN c SET NOT NULL
            ALTER TABLE t DROP CONSTRAINT IF EXISTS ck_t_c_not_null
          < DROP NOT NULL t.c (ACCESS EXCLUSIVE on t)
            ALTER TABLE t ALTER COLUMN c DROP NOT NULL
        contract:
        ? t has triggers that may change a row after zzz_3_roster_fill_t_c has read it
        - DROP TRIGGER roster_fill_t_c ON t (ACCESS EXCLUSIVE on t)
            DROP TRIGGER IF EXISTS zzz_3_roster_fill_t_c ON t
            DROP TRIGGER IF EXISTS roster_fill_t_c ON t
            DROP FUNCTION IF EXISTS roster_fill_t_c()
          < CREATE TRIGGER roster_fill_t_c ON t (SHARE ROW EXCLUSIVE on t)
            CREATE OR REPLACE FUNCTION roster_fill_t_c() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.c IS …
            CREATE TRIGGER zzz_3_roster_fill_t_c BEFORE INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION …
            ALTER TABLE t ENABLE ALWAYS TRIGGER zzz_3_roster_fill_t_c
        """,
        sqlite="""
        expand:
        ? t.c needs no change
        ? t has triggers that call RAISE(IGNORE), which would also skip the migrator's triggers
        ? The fill of t.c cannot be tried
        - CREATE TRIGGER roster_fill_t_c ON t (SHARE ROW EXCLUSIVE on t)
            CREATE TRIGGER roster_fill_t_c_1 AFTER INSERT ON t WHEN NEW.c IS NULL BEGIN UPDATE t SET c = 'unknown'
              WHERE id = NEW.id AND (c IS NULL); END
            CREATE TRIGGER roster_fill_t_c_2 AFTER UPDATE OF c ON t WHEN NEW.c IS NULL BEGIN UPDATE t SET c =
              'unknown' WHERE id = NEW.id AND (c IS NULL); END
          < DROP TRIGGER roster_fill_t_c ON t (ACCESS EXCLUSIVE on t)
            DROP TRIGGER IF EXISTS roster_fill_t_c_1
            DROP TRIGGER IF EXISTS roster_fill_t_c_2
        backfill:
        - BACKFILL t.c along id
            where c IS NULL
            set c = 'unknown'
        contract:
        ? t has triggers that call RAISE(IGNORE), which would also skip the migrator's triggers
        - SET NOT NULL t.c (ACCESS EXCLUSIVE on t)
            = CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT NOT NULL, b INTEGER DEFAULT 1, c TEXT NOT NULL,
              CONSTRAINT ck CHECK (b > 0))
          < DROP NOT NULL t.c (ACCESS EXCLUSIVE on t)
            = CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT NOT NULL, b INTEGER DEFAULT 1, c TEXT, CONSTRAINT ck
              CHECK (b > 0))
        - DROP TRIGGER roster_fill_t_c ON t (ACCESS EXCLUSIVE on t)
            DROP TRIGGER IF EXISTS roster_fill_t_c_1
            DROP TRIGGER IF EXISTS roster_fill_t_c_2
          < CREATE TRIGGER roster_fill_t_c ON t (SHARE ROW EXCLUSIVE on t)
            CREATE TRIGGER roster_fill_t_c_1 AFTER INSERT ON t WHEN NEW.c IS NULL BEGIN UPDATE t SET c = 'unknown' …
            CREATE TRIGGER roster_fill_t_c_2 AFTER UPDATE OF c ON t WHEN NEW.c IS NULL BEGIN UPDATE t SET c = …
        """,
    ),
    "set_not_null": Case(
        contract='ops.set_not_null("t", "c")',
        postgresql="""
        contract:
        ? t.c needs no change
        ? t.c is NULL in some rows
        - ADD CHECK (t.c IS NOT NULL) NOT VALID (ACCESS EXCLUSIVE on t)
            ALTER TABLE t ADD CONSTRAINT ck_t_c_not_null CHECK (c IS NOT NULL) NOT VALID
          < DROP CHECK (t.c IS NOT NULL) (ACCESS EXCLUSIVE on t)
            ALTER TABLE t DROP CONSTRAINT IF EXISTS ck_t_c_not_null
        - VALIDATE CHECK (t.c IS NOT NULL) (SHARE UPDATE EXCLUSIVE on t)
            ALTER TABLE t VALIDATE CONSTRAINT ck_t_c_not_null
        - SET NOT NULL t.c (ACCESS EXCLUSIVE on t)
            ALTER TABLE t ALTER COLUMN c SET NOT NULL
            ALTER TABLE t DROP CONSTRAINT IF EXISTS ck_t_c_not_null
          < DROP NOT NULL t.c (ACCESS EXCLUSIVE on t)
            ALTER TABLE t ALTER COLUMN c DROP NOT NULL
        """,
        sqlite="""
        contract:
        ? t.c needs no change
        ? t.c is NULL in some rows
        - SET NOT NULL t.c (ACCESS EXCLUSIVE on t)
            = CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT NOT NULL, b INTEGER DEFAULT 1, c TEXT NOT NULL,
              CONSTRAINT ck CHECK (b > 0))
          < DROP NOT NULL t.c (ACCESS EXCLUSIVE on t)
            = CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT NOT NULL, b INTEGER DEFAULT 1, c TEXT, CONSTRAINT ck
              CHECK (b > 0))
        """,
    ),
    "drop_not_null": Case(
        up='ops.drop_not_null("t", "a")',
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
}


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("case", CASES)
def test_a_column_may_or_may_no_longer_be_null(project: Project, case: str, dialect: str) -> None:
    assert CASES[case].written(project, dialect) == CASES[case].expected(dialect)
