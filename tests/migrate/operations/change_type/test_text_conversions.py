"""SQL text of type conversions that lose values, which stay in the trash for the downgrade."""

import pytest

from tests.migrate.operations.written import DIALECTS, Case
from tests.migrate.project import Project

CASES = {
    "change_type with expressions": Case(
        up="""
        ops.change_type(
            "t",
            sa.Column("c", sa.Text()),
            sa.Column("c", sa.Integer()),
            using="CAST({} AS integer)",
            back="CAST({} AS text)",
        )
        """,
        postgresql="""
        expand:
        ? The revision's definition of t.c differs from the database
        ? ops.change_type('t', …) cannot be tried
        ? t.c cannot change its type before its dependents are dropped
        ? t.c cannot change its type, since the text of these may name it
        ? t has triggers that may change a row after zzz_4_roster_type_t__next_c has read it
        ? t cannot get another column, since these would fail with it
        - ADD COLUMN t._next_c (ACCESS EXCLUSIVE on t)
            ALTER TABLE t ADD COLUMN _next_c INTEGER
            DO $carry$ …
          < DROP COLUMN t._next_c (ACCESS EXCLUSIVE on t)
            ALTER TABLE t DROP COLUMN _next_c
        - CREATE TRIGGER roster_type_t__next_c ON t (SHARE ROW EXCLUSIVE on t)
            CREATE OR REPLACE FUNCTION roster_type_t__next_c() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN BEGIN
              NEW._next_c := (CAST(NEW.c AS integer)); EXCEPTION WHEN OTHERS THEN IF SQLSTATE LIKE '40%' THEN RAISE;
              END IF; NEW._next_c := NULL; END; RETURN NEW; END $$
            CREATE TRIGGER zzz_4_roster_type_t__next_c BEFORE INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION
              roster_type_t__next_c()
            ALTER TABLE t ENABLE ALWAYS TRIGGER zzz_4_roster_type_t__next_c
          < DROP TRIGGER roster_type_t__next_c ON t (ACCESS EXCLUSIVE on t)
            DROP TRIGGER IF EXISTS zzz_4_roster_type_t__next_c ON t
            DROP TRIGGER IF EXISTS roster_type_t__next_c ON t
            DROP FUNCTION IF EXISTS roster_type_t__next_c()
        backfill:
        - BACKFILL t._next_c along id
            where _next_c IS DISTINCT FROM CAST((CAST(c AS integer)) AS INTEGER)
            set _next_c = (CAST(c AS integer))
        settle:
        - SWAP COLUMN t.c TO NEW TYPE (ACCESS EXCLUSIVE on t)
            DROP TRIGGER IF EXISTS zzz_4_roster_type_t__next_c ON t
            DROP TRIGGER IF EXISTS roster_type_t__next_c ON t
            DROP FUNCTION IF EXISTS roster_type_t__next_c()
            DO $carry$ …
            ALTER TABLE t RENAME COLUMN c TO _trash_0002_c
            ALTER TABLE t RENAME COLUMN _next_c TO c
            DO $sequence$ …
            ALTER TABLE t ALTER COLUMN _trash_0002_c DROP DEFAULT
            CREATE OR REPLACE FUNCTION roster_type_t_c() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN BEGIN IF NEW.c
              IS DISTINCT FROM CAST((CAST(NEW._trash_0002_c AS integer)) AS INTEGER) THEN NEW._trash_0002_c :=
              (CAST(NEW.c AS text)); END IF; EXCEPTION WHEN OTHERS THEN IF SQLSTATE LIKE '40%' THEN RAISE; END IF;
              NEW._trash_0002_c := NULL; END; RETURN NEW; END $$
            CREATE TRIGGER zzz_4_roster_type_t_c BEFORE INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION
              roster_type_t_c()
            ALTER TABLE t ENABLE ALWAYS TRIGGER zzz_4_roster_type_t_c
            DO $touch$ …
          < SWAP COLUMN t.c TO OLD TYPE (ACCESS EXCLUSIVE on t)
            DROP TRIGGER IF EXISTS zzz_4_roster_type_t_c ON t
            DROP TRIGGER IF EXISTS roster_type_t_c ON t
            DROP FUNCTION IF EXISTS roster_type_t_c()
            ALTER TABLE t RENAME COLUMN c TO _next_c
            ALTER TABLE t RENAME COLUMN _trash_0002_c TO c
            DO $sequence$ …
            ALTER TABLE t ALTER COLUMN _next_c DROP DEFAULT
            CREATE OR REPLACE FUNCTION roster_type_t__next_c() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN BEGIN …
            CREATE TRIGGER zzz_4_roster_type_t__next_c BEFORE INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION …
            ALTER TABLE t ENABLE ALWAYS TRIGGER zzz_4_roster_type_t__next_c
            DO $touch$ …
        contract:
        ? t has triggers that may change a row after zzz_4_roster_type_t_c has read it
        - BACKFILL t._trash_0002_c ON DOWNGRADE (none)
          < BACKFILL t._trash_0002_c along id
            where c IS DISTINCT FROM CAST((CAST(_trash_0002_c AS integer)) AS INTEGER) AND
              record_image_ne(ROW(CAST(_trash_0002_c AS TEXT)), ROW(CAST((CAST(c AS text)) AS TEXT)))
            set _trash_0002_c = (CAST(c AS text))
        - DROP TRIGGER roster_type_t_c ON t (ACCESS EXCLUSIVE on t)
            DROP TRIGGER IF EXISTS zzz_4_roster_type_t_c ON t
            DROP TRIGGER IF EXISTS roster_type_t_c ON t
            DROP FUNCTION IF EXISTS roster_type_t_c()
          < CREATE TRIGGER roster_type_t_c ON t (SHARE ROW EXCLUSIVE on t)
            CREATE OR REPLACE FUNCTION roster_type_t_c() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN BEGIN IF …
            CREATE TRIGGER zzz_4_roster_type_t_c BEFORE INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION …
            ALTER TABLE t ENABLE ALWAYS TRIGGER zzz_4_roster_type_t_c
        - KEEP COLUMN t._trash_0002_c FOR DOWNGRADE (none)
          < ADD COLUMN t._trash_0002_c (ACCESS EXCLUSIVE on t, if need be)
            ALTER TABLE t ADD COLUMN _trash_0002_c TEXT
        purge:
        - DROP COLUMN t._trash_0002_c (ACCESS EXCLUSIVE on t)
            ALTER TABLE t DROP COLUMN _trash_0002_c
        """,
        sqlite="""
        expand:
        ? The revision's definition of t.c differs from the database
        ? ops.change_type('t', …) cannot be tried
        ? t cannot get another column, since these would fail with it
        - SET DATA TYPE t.c, COPY OLD VALUES TO TRASH (ACCESS EXCLUSIVE on t)
            ALTER TABLE t ADD COLUMN _trash_0002_c TEXT
            UPDATE t SET _trash_0002_c = c
            UPDATE t SET c = (CAST(_trash_0002_c AS integer))
            = CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT NOT NULL, b INTEGER DEFAULT 1, c INTEGER, _trash_0002_c
              TEXT, CONSTRAINT ck CHECK (b > 0))
          < SET DATA TYPE t.c (ACCESS EXCLUSIVE on t)
            UPDATE t SET _trash_0002_c = (CAST(c AS text)) WHERE c COLLATE BINARY IS NOT +(CAST(_trash_0002_c AS
              integer)) OR (_trash_0002_c IS NULL AND c IS NOT NULL)
            UPDATE t SET c = _trash_0002_c
            = CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT NOT NULL, b INTEGER DEFAULT 1, c TEXT, CONSTRAINT ck
              CHECK (b > 0))
        contract:
        - KEEP COLUMN t.c FOR DOWNGRADE (none)
        purge:
        - DROP COLUMN t._trash_0002_c (ACCESS EXCLUSIVE on t)
            = CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT NOT NULL, b INTEGER DEFAULT 1, c INTEGER, CONSTRAINT ck
              CHECK (b > 0))
        """,
    ),
    "change_type to a narrower one": Case(
        tables=("CREATE TABLE t (id INTEGER PRIMARY KEY, c VARCHAR(100))",),
        up='ops.change_type("t", sa.Column("c", sa.String(100)), sa.Column("c", sa.String(50)))',
        postgresql="""
        expand:
        ? The revision's definition of t.c differs from the database
        ? ops.change_type('t', …) cannot be tried
        ? t.c cannot change its type before its dependents are dropped
        ? t.c cannot change its type, since the text of these may name it
        ? t has triggers that may change a row after zzz_4_roster_type_t__next_c has read it
        ? t cannot get another column, since these would fail with it
        - ADD COLUMN t._next_c (ACCESS EXCLUSIVE on t)
            ALTER TABLE t ADD COLUMN _next_c VARCHAR(50)
            DO $carry$ …
          < DROP COLUMN t._next_c (ACCESS EXCLUSIVE on t)
            ALTER TABLE t DROP COLUMN _next_c
        - CREATE TRIGGER roster_type_t__next_c ON t (SHARE ROW EXCLUSIVE on t)
            CREATE OR REPLACE FUNCTION roster_type_t__next_c() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN BEGIN
              NEW._next_c := NEW.c; EXCEPTION WHEN OTHERS THEN IF SQLSTATE LIKE '40%' THEN RAISE; END IF; NEW._next_c
              := NULL; END; RETURN NEW; END $$
            CREATE TRIGGER zzz_4_roster_type_t__next_c BEFORE INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION
              roster_type_t__next_c()
            ALTER TABLE t ENABLE ALWAYS TRIGGER zzz_4_roster_type_t__next_c
          < DROP TRIGGER roster_type_t__next_c ON t (ACCESS EXCLUSIVE on t)
            DROP TRIGGER IF EXISTS zzz_4_roster_type_t__next_c ON t
            DROP TRIGGER IF EXISTS roster_type_t__next_c ON t
            DROP FUNCTION IF EXISTS roster_type_t__next_c()
        backfill:
        - BACKFILL t._next_c along id
            where record_image_ne(ROW(CAST(_next_c AS VARCHAR)), ROW(CAST(c AS VARCHAR)))
            set _next_c = c
        settle:
        - SWAP COLUMN t.c TO NEW TYPE (ACCESS EXCLUSIVE on t)
            DROP TRIGGER IF EXISTS zzz_4_roster_type_t__next_c ON t
            DROP TRIGGER IF EXISTS roster_type_t__next_c ON t
            DROP FUNCTION IF EXISTS roster_type_t__next_c()
            DO $carry$ …
            ALTER TABLE t RENAME COLUMN c TO _trash_0002_c
            ALTER TABLE t RENAME COLUMN _next_c TO c
            DO $sequence$ …
            ALTER TABLE t ALTER COLUMN _trash_0002_c DROP DEFAULT
            CREATE OR REPLACE FUNCTION roster_type_t_c() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN BEGIN IF
              record_image_ne(ROW(CAST(NEW.c AS VARCHAR)), ROW(CAST(NEW._trash_0002_c AS VARCHAR))) THEN
              NEW._trash_0002_c := NEW.c; END IF; EXCEPTION WHEN OTHERS THEN IF SQLSTATE LIKE '40%' THEN RAISE; END
              IF; NEW._trash_0002_c := NULL; END; RETURN NEW; END $$
            CREATE TRIGGER zzz_4_roster_type_t_c BEFORE INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION
              roster_type_t_c()
            ALTER TABLE t ENABLE ALWAYS TRIGGER zzz_4_roster_type_t_c
            DO $touch$ …
          < SWAP COLUMN t.c TO OLD TYPE (ACCESS EXCLUSIVE on t)
            DROP TRIGGER IF EXISTS zzz_4_roster_type_t_c ON t
            DROP TRIGGER IF EXISTS roster_type_t_c ON t
            DROP FUNCTION IF EXISTS roster_type_t_c()
            ALTER TABLE t RENAME COLUMN c TO _next_c
            ALTER TABLE t RENAME COLUMN _trash_0002_c TO c
            DO $sequence$ …
            ALTER TABLE t ALTER COLUMN _next_c DROP DEFAULT
            CREATE OR REPLACE FUNCTION roster_type_t__next_c() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN BEGIN …
            CREATE TRIGGER zzz_4_roster_type_t__next_c BEFORE INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION …
            ALTER TABLE t ENABLE ALWAYS TRIGGER zzz_4_roster_type_t__next_c
            DO $touch$ …
        contract:
        ? t has triggers that may change a row after zzz_4_roster_type_t_c has read it
        - BACKFILL t._trash_0002_c ON DOWNGRADE (none)
          < BACKFILL t._trash_0002_c along id
            where record_image_ne(ROW(CAST(c AS VARCHAR)), ROW(CAST(_trash_0002_c AS VARCHAR))) AND
              record_image_ne(ROW(CAST(_trash_0002_c AS VARCHAR)), ROW(CAST(c AS VARCHAR)))
            set _trash_0002_c = c
        - DROP TRIGGER roster_type_t_c ON t (ACCESS EXCLUSIVE on t)
            DROP TRIGGER IF EXISTS zzz_4_roster_type_t_c ON t
            DROP TRIGGER IF EXISTS roster_type_t_c ON t
            DROP FUNCTION IF EXISTS roster_type_t_c()
          < CREATE TRIGGER roster_type_t_c ON t (SHARE ROW EXCLUSIVE on t)
            CREATE OR REPLACE FUNCTION roster_type_t_c() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN BEGIN IF …
            CREATE TRIGGER zzz_4_roster_type_t_c BEFORE INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION …
            ALTER TABLE t ENABLE ALWAYS TRIGGER zzz_4_roster_type_t_c
        - KEEP COLUMN t._trash_0002_c FOR DOWNGRADE (none)
          < ADD COLUMN t._trash_0002_c (ACCESS EXCLUSIVE on t, if need be)
            ALTER TABLE t ADD COLUMN _trash_0002_c VARCHAR(100)
        purge:
        - DROP COLUMN t._trash_0002_c (ACCESS EXCLUSIVE on t)
            ALTER TABLE t DROP COLUMN _trash_0002_c
        """,
        sqlite="""
        expand:
        ? The revision's definition of t.c differs from the database
        ? ops.change_type('t', …) cannot be tried
        - SET DATA TYPE t.c (ACCESS EXCLUSIVE on t)
            = CREATE TABLE t (id INTEGER PRIMARY KEY, c VARCHAR(50))
          < SET DATA TYPE t.c (ACCESS EXCLUSIVE on t)
            = CREATE TABLE t (id INTEGER PRIMARY KEY, c VARCHAR(100))
        """,
    ),
}


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("case", CASES)
def test_a_column_gets_a_type_that_tells_less(project: Project, case: str, dialect: str) -> None:
    assert CASES[case].written(project, dialect) == CASES[case].expected(dialect)
