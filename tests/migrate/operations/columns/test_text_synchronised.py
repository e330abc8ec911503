"""SQL text of rename_column with a conversion."""

import pytest

from tests.migrate.operations.written import DIALECTS, Case
from tests.migrate.project import Project

CASES = {
    "rename_column with up and down": Case(
        tables=("CREATE TABLE t (id INTEGER PRIMARY KEY, minutes INTEGER DEFAULT 1)",),
        up="""
        ops.rename_column(
            "t",
            sa.Column("minutes", sa.Integer(), server_default="1"),
            sa.Column("seconds", sa.Integer(), server_default="60"),
            up="{} * 60",
            down="{} / 60",
        )
        """,
        postgresql="""
        expand:
        ? The revision's definition of t.minutes differs from the database
        ? t.minutes gets a default from a domain, and seconds would get another one
            SELECT typname::text, typdefault FROM pg_type WHERE typtype = 'd' AND typdefault IS NOT NULL AND oid IN
              (SELECT atttypid FROM pg_attribute WHERE attrelid = to_regclass('t') AND attname = 'minutes' UNION ALL
              SELECT to_regtype('INTEGER'))
        ? The defaults of t.minutes and t.seconds have two values
            SELECT '''1''', '''60''' WHERE CAST('60' AS INTEGER) IS DISTINCT FROM CAST((CAST('1' AS INTEGER) * 60)
              AS INTEGER)
        ? ops.rename_column('t', …) cannot be tried
        ? t has triggers that may change a row after zzz_1_roster_sync_t_seconds has read it
        ? A write of t.seconds does not reach triggers that read or write t.minutes
        ? t.minutes is the new name of a column that is being renamed
        ? t cannot get another column, since these would fail with it
        - ADD COLUMN t.seconds (ACCESS EXCLUSIVE on t)
            ALTER TABLE t ADD COLUMN seconds INTEGER, ALTER COLUMN seconds SET DEFAULT '60'
            DO $carry$ …
          < DROP COLUMN t.seconds (ACCESS EXCLUSIVE on t)
            ALTER TABLE t DROP COLUMN seconds
        - CREATE TRIGGER roster_sync_t_seconds ON t (SHARE ROW EXCLUSIVE on t)
            CREATE OR REPLACE FUNCTION roster_sync_t_seconds() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN DECLARE
              from_old INTEGER; BEGIN BEGIN from_old := (NEW.minutes * 60); EXCEPTION WHEN OTHERS THEN IF SQLSTATE
              LIKE '40%' THEN RAISE; END IF; from_old := NULL; END; IF TG_OP = 'INSERT' THEN IF NOT (NEW.seconds IS
              DISTINCT FROM CAST('60' AS INTEGER)) THEN NEW.seconds := from_old; ELSIF NOT (NEW.minutes IS DISTINCT
              FROM CAST('1' AS INTEGER)) THEN NEW.minutes := (NEW.seconds / 60); END IF; ELSIF NEW.seconds IS DISTINCT
              FROM OLD.seconds THEN IF NOT (NEW.minutes IS DISTINCT FROM OLD.minutes) AND NEW.seconds IS DISTINCT FROM
              from_old THEN NEW.minutes := (NEW.seconds / 60); END IF; ELSIF (NEW.minutes IS DISTINCT FROM OLD.minutes
              OR NEW.seconds IS NULL) AND NEW.seconds IS DISTINCT FROM from_old AND (NEW.seconds IS NULL OR
              NEW.minutes IS DISTINCT FROM CAST((NEW.seconds / 60) AS INTEGER)) THEN NEW.seconds := from_old; END IF;
              END; RETURN NEW; END $$
            CREATE TRIGGER zzz_1_roster_sync_t_seconds BEFORE INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION
              roster_sync_t_seconds()
            ALTER TABLE t ENABLE ALWAYS TRIGGER zzz_1_roster_sync_t_seconds
          < DROP TRIGGER roster_sync_t_seconds ON t (ACCESS EXCLUSIVE on t)
            DROP TRIGGER IF EXISTS zzz_1_roster_sync_t_seconds ON t
            DROP TRIGGER IF EXISTS roster_sync_t_seconds ON t
            DROP FUNCTION IF EXISTS roster_sync_t_seconds()
        backfill:
        - BACKFILL t.seconds along id
            where seconds IS DISTINCT FROM CAST((minutes * 60) AS INTEGER) AND (seconds IS NULL OR minutes IS
              DISTINCT FROM CAST((seconds / 60) AS INTEGER))
            set seconds = minutes * 60
        contract:
        ? t.minutes cannot be replaced by seconds before its dependents are dropped in contract()
        ? t.minutes cannot be moved to the trash, since the text of these may name it
        ? t has triggers that may change a row after zzz_1_roster_sync_t_seconds has read it
        ? A write of t.seconds does not reach triggers that read or write t.minutes
        - BACKFILL t.minutes ON DOWNGRADE (none)
          < BACKFILL t.minutes along id
            where seconds IS DISTINCT FROM CAST((minutes * 60) AS INTEGER) AND minutes IS DISTINCT FROM
              CAST((seconds / 60) AS INTEGER)
            set minutes = seconds / 60
        - DROP TRIGGER roster_sync_t_seconds ON t (ACCESS EXCLUSIVE on t)
            DROP TRIGGER IF EXISTS zzz_1_roster_sync_t_seconds ON t
            DROP TRIGGER IF EXISTS roster_sync_t_seconds ON t
            DROP FUNCTION IF EXISTS roster_sync_t_seconds()
          < CREATE TRIGGER roster_sync_t_seconds ON t (SHARE ROW EXCLUSIVE on t)
            CREATE OR REPLACE FUNCTION roster_sync_t_seconds() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN …
            CREATE TRIGGER zzz_1_roster_sync_t_seconds BEFORE INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION …
            ALTER TABLE t ENABLE ALWAYS TRIGGER zzz_1_roster_sync_t_seconds
        - MOVE COLUMN t.minutes TO TRASH (ACCESS EXCLUSIVE on t)
            DO $carry$ …
            ALTER TABLE t RENAME COLUMN minutes TO _trash_0002_minutes
          < ADD COLUMN t.minutes (ACCESS EXCLUSIVE on t, if need be)
            ALTER TABLE t ADD COLUMN minutes INTEGER DEFAULT '1'
          < RESTORE COLUMN t.minutes FROM TRASH (ACCESS EXCLUSIVE on t)
            ALTER TABLE t RENAME COLUMN _trash_0002_minutes TO minutes
        purge:
        - DROP COLUMN t._trash_0002_minutes (ACCESS EXCLUSIVE on t)
            ALTER TABLE t DROP COLUMN _trash_0002_minutes
        """,
        sqlite="""
        expand:
        ? The revision's definition of t.minutes differs from the database
        ? The defaults of t.minutes and t.seconds have two values
            SELECT '''1''', '''60''' WHERE CAST(('60') AS TEXT) IS NOT CAST((('1') * 60) AS TEXT)
        ? ops.rename_column('t', …) cannot be tried
        ? t has triggers that call RAISE(IGNORE), which would also skip the migrator's triggers
        ? A write of t.seconds does not reach triggers that read or write t.minutes
        ? t cannot get another column, since these would fail with it
        - ADD COLUMN t.seconds (ACCESS EXCLUSIVE on t)
            ALTER TABLE "t" ADD COLUMN seconds INTEGER DEFAULT '60'
          < DROP COLUMN t.seconds (ACCESS EXCLUSIVE on t)
            = CREATE TABLE t (id INTEGER PRIMARY KEY, minutes INTEGER DEFAULT 1)
        - CREATE TRIGGER roster_sync_t_seconds ON t (SHARE ROW EXCLUSIVE on t)
            CREATE TRIGGER roster_sync_t_seconds_1 AFTER INSERT ON t BEGIN UPDATE t SET seconds = CASE WHEN seconds
              COLLATE BINARY IS NOT +('60') THEN seconds ELSE (minutes * 60) END, minutes = CASE WHEN seconds COLLATE
              BINARY IS NOT +('60') AND NOT (minutes COLLATE BINARY IS NOT +('1')) THEN (seconds / 60) ELSE minutes
              END WHERE id = NEW.id AND (seconds COLLATE BINARY IS NOT +(minutes * 60)); END
            CREATE TRIGGER roster_sync_t_seconds_2 AFTER UPDATE OF minutes ON t WHEN NEW.minutes COLLATE BINARY IS
              NOT +OLD.minutes AND NOT (NEW.seconds COLLATE BINARY IS NOT +OLD.seconds) BEGIN UPDATE t SET seconds =
              (minutes * 60) WHERE id = NEW.id AND (seconds COLLATE BINARY IS NOT +(minutes * 60) AND (seconds IS NULL
              OR minutes COLLATE BINARY IS NOT +(seconds / 60))); END
            CREATE TRIGGER roster_sync_t_seconds_3 AFTER UPDATE OF seconds ON t WHEN NEW.seconds COLLATE BINARY IS
              NOT +OLD.seconds AND NOT (NEW.minutes COLLATE BINARY IS NOT +OLD.minutes) BEGIN UPDATE t SET minutes =
              (seconds / 60) WHERE id = NEW.id AND (seconds COLLATE BINARY IS NOT +(minutes * 60) AND (seconds IS NULL
              OR minutes COLLATE BINARY IS NOT +(seconds / 60))); END
          < DROP TRIGGER roster_sync_t_seconds ON t (ACCESS EXCLUSIVE on t)
            DROP TRIGGER IF EXISTS roster_sync_t_seconds_1
            DROP TRIGGER IF EXISTS roster_sync_t_seconds_2
            DROP TRIGGER IF EXISTS roster_sync_t_seconds_3
        - BACKFILL t.seconds (ACCESS EXCLUSIVE on t)
            UPDATE t SET seconds = (minutes * 60) WHERE seconds COLLATE BINARY IS NOT +(minutes * 60)
        contract:
        ? t.minutes cannot be replaced by seconds before its dependents are dropped in contract()
        ? t.minutes cannot be moved to the trash, since the text of these may name it
        ? t has triggers that call RAISE(IGNORE), which would also skip the migrator's triggers
        ? A write of t.seconds does not reach triggers that read or write t.minutes
        - BACKFILL t.minutes ON DOWNGRADE (none)
          < BACKFILL t.minutes along id
            where seconds COLLATE BINARY IS NOT +(minutes * 60) AND minutes COLLATE BINARY IS NOT +(seconds / 60)
            set minutes = seconds / 60
        - DROP TRIGGER roster_sync_t_seconds ON t (ACCESS EXCLUSIVE on t)
            DROP TRIGGER IF EXISTS roster_sync_t_seconds_1
            DROP TRIGGER IF EXISTS roster_sync_t_seconds_2
            DROP TRIGGER IF EXISTS roster_sync_t_seconds_3
          < CREATE TRIGGER roster_sync_t_seconds ON t (SHARE ROW EXCLUSIVE on t)
            CREATE TRIGGER roster_sync_t_seconds_1 AFTER INSERT ON t BEGIN UPDATE t SET seconds = CASE WHEN …
            CREATE TRIGGER roster_sync_t_seconds_2 AFTER UPDATE OF minutes ON t WHEN NEW.minutes COLLATE BINARY IS …
            CREATE TRIGGER roster_sync_t_seconds_3 AFTER UPDATE OF seconds ON t WHEN NEW.seconds COLLATE BINARY IS …
        - MOVE COLUMN t.minutes TO TRASH (ACCESS EXCLUSIVE on t)
            ALTER TABLE t RENAME COLUMN minutes TO _trash_0002_minutes
          < ADD COLUMN t.minutes (ACCESS EXCLUSIVE on t, if need be): there is nothing to do
          < RESTORE COLUMN t.minutes FROM TRASH (ACCESS EXCLUSIVE on t)
            ALTER TABLE t RENAME COLUMN _trash_0002_minutes TO minutes
        purge:
        - DROP COLUMN t._trash_0002_minutes (ACCESS EXCLUSIVE on t)
            = CREATE TABLE t (id INTEGER PRIMARY KEY, seconds INTEGER DEFAULT '60')
        """,
    ),
}


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("case", CASES)
def test_each_column_is_made_of_the_other(project: Project, case: str, dialect: str) -> None:
    assert CASES[case].written(project, dialect) == CASES[case].expected(dialect)
