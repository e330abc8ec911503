"""SQL text of change_type: in the catalog alone, or with a shadow column."""

import pytest

from tests.migrate.operations.written import DIALECTS, Case
from tests.migrate.project import Project

CASES = {
    "change_type that PostgreSQL only notes down": Case(
        tables=("CREATE TABLE t (id INTEGER PRIMARY KEY, c VARCHAR(50))",),
        up='ops.change_type("t", sa.Column("c", sa.String(50)), sa.Column("c", sa.String(100)))',
        postgresql="""
        expand:
        ? The revision's definition of t.c differs from the database
        ? ops.change_type('t', …) cannot be tried
        ? t.c cannot change its type before its CHECK constraints are dropped: each row would be checked under a lock
            SELECT conname FROM pg_constraint WHERE conrelid = to_regclass('t') AND contype = 'c' AND conkey @>
              ARRAY[(SELECT attnum FROM pg_attribute WHERE attrelid = conrelid AND attname = 'c')] ORDER BY conname
        ? t.c cannot change its type before its dependents are dropped
        - SET DATA TYPE t.c (ACCESS EXCLUSIVE on t)
            DO $shadow$ …
            SELECT set_config('migration.storage', concat(CASE WHEN attstorage <> typstorage THEN attstorage END,
              ',', attcompression), true) FROM pg_attribute JOIN pg_type ON pg_type.oid = atttypid WHERE attrelid =
              to_regclass('t') AND attname = 'c'
            ALTER TABLE t ALTER COLUMN c TYPE VARCHAR(100)
            DO $storage$ …
            DO $touch$ …
          < REWRITE COLUMN t.c IN OLD TYPE (ACCESS EXCLUSIVE on t, if need be)
            DO $shadow$ …
            SELECT set_config('migration.storage', concat(CASE WHEN attstorage <> typstorage THEN attstorage END, …
            ALTER TABLE t ALTER COLUMN c TYPE VARCHAR(50) USING c
            DO $storage$ …
            DO $touch$ …
          < ADD COLUMN t._next_c (ACCESS EXCLUSIVE on t)
            ALTER TABLE t ADD COLUMN _next_c VARCHAR(50)
            DO $carry$ …
          < CREATE TRIGGER roster_type_t__next_c ON t (SHARE ROW EXCLUSIVE on t)
            CREATE OR REPLACE FUNCTION roster_type_t__next_c() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN BEGIN
              NEW._next_c := NEW.c; EXCEPTION WHEN OTHERS THEN IF SQLSTATE LIKE '40%' THEN RAISE; END IF; NEW._next_c
              := NULL; END; RETURN NEW; END $$
            CREATE TRIGGER zzz_4_roster_type_t__next_c BEFORE INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION
              roster_type_t__next_c()
            ALTER TABLE t ENABLE ALWAYS TRIGGER zzz_4_roster_type_t__next_c
          < BACKFILL t._next_c along id
            where record_image_ne(ROW(CAST(_next_c AS VARCHAR)), ROW(CAST(c AS VARCHAR)))
            set _next_c = c
          < CREATE INDEXES CONCURRENTLY ON t._next_c (SHARE UPDATE EXCLUSIVE on t, alone, if need be)
          < ANALYZE t FOR _next_c (SHARE UPDATE EXCLUSIVE on t)
            ANALYZE t
          < ADD CHECKS OF t._next_c NOT VALID (ACCESS EXCLUSIVE on t, if need be)
          < ADD FOREIGN KEYS OF t._next_c NOT VALID (SHARE ROW EXCLUSIVE on t, if need be)
          < VALIDATE CONSTRAINTS OF t._next_c (SHARE UPDATE EXCLUSIVE on t, if need be)
          < SWAP COLUMN t.c TO OLD TYPE (ACCESS EXCLUSIVE on t)
            DO $counted$ …
            DROP TRIGGER IF EXISTS zzz_4_roster_type_t__next_c ON t
            DROP TRIGGER IF EXISTS roster_type_t__next_c ON t
            DROP FUNCTION IF EXISTS roster_type_t__next_c()
            DO $carry$ …
            ALTER TABLE t RENAME COLUMN c TO _last_c
            ALTER TABLE t RENAME COLUMN _next_c TO c
            ALTER TABLE t ALTER COLUMN _last_c DROP DEFAULT
            ALTER TABLE t DROP COLUMN _last_c
            DO $touch$ …
        undo:
        ? t.c is longer than 50 characters, the old limit, in some rows
        ? t has triggers that may change a row after zzz_4_roster_type_t__next_c has read it
        """,
        sqlite="""
        expand:
        ? The revision's definition of t.c differs from the database
        ? ops.change_type('t', …) cannot be tried
        - SET DATA TYPE t.c (ACCESS EXCLUSIVE on t)
            = CREATE TABLE t (id INTEGER PRIMARY KEY, c VARCHAR(100))
          < SET DATA TYPE t.c (ACCESS EXCLUSIVE on t)
            = CREATE TABLE t (id INTEGER PRIMARY KEY, c VARCHAR(50))
        undo:
        ? t.c is longer than 50 characters, the old limit, in some rows
        """,
    ),
    "change_type by a column beside": Case(
        tables=("CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER NOT NULL)",),
        up="""
        ops.change_type(
            "t", sa.Column("n", sa.Integer(), nullable=False), sa.Column("n", sa.BigInteger(), nullable=False)
        )
        """,
        postgresql="""
        expand:
        ? The revision's definition of t.n differs from the database
        ? ops.change_type('t', …) cannot be tried
        ? t.n cannot change its type before its dependents are dropped
        ? t.n cannot change its type, since the text of these may name it
        ? t has triggers that may change a row after zzz_4_roster_type_t__next_n has read it
        ? t cannot get another column, since these would fail with it
        - ADD COLUMN t._next_n (ACCESS EXCLUSIVE on t)
            ALTER TABLE t ADD COLUMN _next_n BIGINT
            DO $carry$ …
          < DROP COLUMN t._next_n (ACCESS EXCLUSIVE on t)
            ALTER TABLE t DROP COLUMN _next_n
        - CREATE TRIGGER roster_type_t__next_n ON t (SHARE ROW EXCLUSIVE on t)
            CREATE OR REPLACE FUNCTION roster_type_t__next_n() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN BEGIN
              NEW._next_n := NEW.n; EXCEPTION WHEN OTHERS THEN IF SQLSTATE LIKE '40%' THEN RAISE; END IF; NEW._next_n
              := NULL; END; RETURN NEW; END $$
            CREATE TRIGGER zzz_4_roster_type_t__next_n BEFORE INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION
              roster_type_t__next_n()
            ALTER TABLE t ENABLE ALWAYS TRIGGER zzz_4_roster_type_t__next_n
          < DROP TRIGGER roster_type_t__next_n ON t (ACCESS EXCLUSIVE on t)
            DROP TRIGGER IF EXISTS zzz_4_roster_type_t__next_n ON t
            DROP TRIGGER IF EXISTS roster_type_t__next_n ON t
            DROP FUNCTION IF EXISTS roster_type_t__next_n()
        backfill:
        - BACKFILL t._next_n along id
            where _next_n IS DISTINCT FROM n
            set _next_n = n
        settle:
        - ADD CHECK (t._next_n IS NOT NULL) NOT VALID (ACCESS EXCLUSIVE on t)
            ALTER TABLE t ADD CONSTRAINT ck_t__next_n_not_null CHECK (_next_n IS NOT NULL) NOT VALID
          < DROP CHECK (t._next_n IS NOT NULL) (ACCESS EXCLUSIVE on t)
            ALTER TABLE t DROP CONSTRAINT IF EXISTS ck_t__next_n_not_null
        - VALIDATE CHECK (t._next_n IS NOT NULL) (SHARE UPDATE EXCLUSIVE on t)
            ALTER TABLE t VALIDATE CONSTRAINT ck_t__next_n_not_null
        - SET NOT NULL t._next_n (ACCESS EXCLUSIVE on t)
            ALTER TABLE t ALTER COLUMN _next_n SET NOT NULL
            ALTER TABLE t DROP CONSTRAINT IF EXISTS ck_t__next_n_not_null
          < DROP NOT NULL t._next_n (ACCESS EXCLUSIVE on t)
            ALTER TABLE t ALTER COLUMN _next_n DROP NOT NULL
        - SWAP COLUMN t.n TO NEW TYPE (ACCESS EXCLUSIVE on t)
            DROP TRIGGER IF EXISTS zzz_4_roster_type_t__next_n ON t
            DROP TRIGGER IF EXISTS roster_type_t__next_n ON t
            DROP FUNCTION IF EXISTS roster_type_t__next_n()
            DO $name$ …
            ALTER TABLE t ALTER COLUMN n DROP NOT NULL
            DO $carry$ …
            ALTER TABLE t RENAME COLUMN n TO _trash_0002_n
            ALTER TABLE t RENAME COLUMN _next_n TO n
            DO $sequence$ …
            ALTER TABLE t ALTER COLUMN _trash_0002_n DROP DEFAULT
            CREATE OR REPLACE FUNCTION roster_type_t_n() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN BEGIN IF NEW.n
              IS DISTINCT FROM NEW._trash_0002_n THEN NEW._trash_0002_n := NEW.n; END IF; EXCEPTION WHEN OTHERS THEN
              IF SQLSTATE LIKE '40%' THEN RAISE; END IF; NEW._trash_0002_n := NULL; END; RETURN NEW; END $$
            CREATE TRIGGER zzz_4_roster_type_t_n BEFORE INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION
              roster_type_t_n()
            ALTER TABLE t ENABLE ALWAYS TRIGGER zzz_4_roster_type_t_n
            DO $touch$ …
          < SWAP COLUMN t.n TO OLD TYPE (ACCESS EXCLUSIVE on t)
            DROP TRIGGER IF EXISTS zzz_4_roster_type_t_n ON t
            DROP TRIGGER IF EXISTS roster_type_t_n ON t
            DROP FUNCTION IF EXISTS roster_type_t_n()
            ALTER TABLE t RENAME COLUMN n TO _next_n
            ALTER TABLE t RENAME COLUMN _trash_0002_n TO n
            DO $sequence$ …
            ALTER TABLE t ALTER COLUMN _next_n DROP DEFAULT
            CREATE OR REPLACE FUNCTION roster_type_t__next_n() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN BEGIN …
            CREATE TRIGGER zzz_4_roster_type_t__next_n BEFORE INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION …
            ALTER TABLE t ENABLE ALWAYS TRIGGER zzz_4_roster_type_t__next_n
            DO $touch$ …
          < ADD CHECK (t.n IS NOT NULL) NOT VALID (ACCESS EXCLUSIVE on t)
            ALTER TABLE t ADD CONSTRAINT ck_t_n_not_null CHECK (n IS NOT NULL) NOT VALID
          < VALIDATE CHECK (t.n IS NOT NULL) (SHARE UPDATE EXCLUSIVE on t)
            ALTER TABLE t VALIDATE CONSTRAINT ck_t_n_not_null
          < SET NOT NULL t.n (ACCESS EXCLUSIVE on t)
            ALTER TABLE t ALTER COLUMN n SET NOT NULL
            ALTER TABLE t DROP CONSTRAINT IF EXISTS ck_t_n_not_null
            DO $name$ …
        contract:
        ? t has triggers that may change a row after zzz_4_roster_type_t_n has read it
        - BACKFILL t._trash_0002_n ON DOWNGRADE (none)
          < BACKFILL t._trash_0002_n along id
            where n IS DISTINCT FROM _trash_0002_n AND _trash_0002_n IS DISTINCT FROM n
            set _trash_0002_n = n
        - DROP TRIGGER roster_type_t_n ON t (ACCESS EXCLUSIVE on t)
            DROP TRIGGER IF EXISTS zzz_4_roster_type_t_n ON t
            DROP TRIGGER IF EXISTS roster_type_t_n ON t
            DROP FUNCTION IF EXISTS roster_type_t_n()
          < CREATE TRIGGER roster_type_t_n ON t (SHARE ROW EXCLUSIVE on t)
            CREATE OR REPLACE FUNCTION roster_type_t_n() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN BEGIN IF …
            CREATE TRIGGER zzz_4_roster_type_t_n BEFORE INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION …
            ALTER TABLE t ENABLE ALWAYS TRIGGER zzz_4_roster_type_t_n
        - KEEP COLUMN t._trash_0002_n FOR DOWNGRADE (none)
          < ADD COLUMN t._trash_0002_n (ACCESS EXCLUSIVE on t, if need be)
            ALTER TABLE t ADD COLUMN _trash_0002_n INTEGER
        purge:
        - DROP COLUMN t._trash_0002_n (ACCESS EXCLUSIVE on t)
            ALTER TABLE t DROP COLUMN _trash_0002_n
        """,
        sqlite="""
        expand:
        ? The revision's definition of t.n differs from the database
        ? ops.change_type('t', …) cannot be tried
        - SET DATA TYPE t.n (ACCESS EXCLUSIVE on t)
            = CREATE TABLE t (id INTEGER PRIMARY KEY, n BIGINT NOT NULL)
          < SET DATA TYPE t.n (ACCESS EXCLUSIVE on t)
            = CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER NOT NULL)
        """,
    ),
}


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("case", CASES)
def test_a_column_gets_another_type(project: Project, case: str, dialect: str) -> None:
    assert CASES[case].written(project, dialect) == CASES[case].expected(dialect)
