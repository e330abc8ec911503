"""SQL text of renames: a view or a mirror table, and a second column."""

import pytest

from tests.migrate.operations.written import DIALECTS, Case
from tests.migrate.project import Project

CASES = {
    "rename_table": Case(
        tables=(
            "CREATE TABLE t (id INTEGER PRIMARY KEY, c TEXT)",
            "CREATE INDEX ix_t_c ON t (c)",
        ),
        up='ops.rename_table("t", "u", ["id", "c"])',
        postgresql="""
        expand:
        ? t has columns that ops.rename_table does not list, so that the old version would lose them
        ? t cannot become a view, since these take its rows, truncate it, or name its constraints
        - RENAME TABLE t TO u, CREATE VIEW t (ACCESS EXCLUSIVE on t)
            ALTER TABLE t RENAME TO u
            DO $name$ …
            CREATE VIEW t WITH (security_invoker = true) AS SELECT id, c FROM u
            DO $grant$ …
          < RENAME TABLE u TO t (ACCESS EXCLUSIVE on u, t)
            DROP VIEW IF EXISTS t
            ALTER TABLE u RENAME TO t
            DO $name$ …
        contract:
        ? The name t cannot be removed before its dependents are dropped in contract()
        ? The name t cannot be removed, since the text of these may have it
        - DROP VIEW t (ACCESS EXCLUSIVE on t)
            DROP VIEW t
          < CREATE VIEW t AS TABLE u (none)
            CREATE VIEW t WITH (security_invoker = true) AS SELECT id, c FROM u
            DO $grant$ …
        """,
        sqlite="""
        expand:
        ? t has columns that ops.rename_table does not list, so that the old version would lose them
        ? t has triggers that call RAISE(IGNORE), which would also skip the migrator's triggers
        - CREATE MIRROR TABLE u OF t (ACCESS EXCLUSIVE on t)
            CREATE TABLE "u" (id INTEGER PRIMARY KEY, c TEXT)
            INSERT INTO "u" ("id", "c") SELECT "id", "c" FROM "t"
            CREATE INDEX "ix_t_c_twin" ON "u" (c)
            CREATE TRIGGER "roster_twin_t_insert" AFTER INSERT ON "t" WHEN NOT EXISTS (SELECT 1 FROM "u" WHERE "id"
              IS NEW."id" AND "id" COLLATE BINARY IS NEW."id" AND typeof("id") = typeof(NEW."id") AND "c" COLLATE
              BINARY IS NEW."c" AND typeof("c") = typeof(NEW."c")) BEGIN INSERT INTO "u" ("id", "c") VALUES (NEW."id",
              NEW."c"); END
            CREATE TRIGGER "roster_twin_t_update" AFTER UPDATE ON "t" WHEN NOT EXISTS (SELECT 1 FROM "u" WHERE "id"
              IS NEW."id" AND "id" COLLATE BINARY IS NEW."id" AND typeof("id") = typeof(NEW."id") AND "c" COLLATE
              BINARY IS NEW."c" AND typeof("c") = typeof(NEW."c")) BEGIN UPDATE "u" SET ("id", "c") = (NEW."id",
              NEW."c") WHERE "id" IS OLD."id"; END
            CREATE TRIGGER "roster_twin_t_delete" AFTER DELETE ON "t" BEGIN DELETE FROM "u" WHERE "id" IS OLD."id";
              END
            CREATE TRIGGER "roster_twin_u_insert" AFTER INSERT ON "u" WHEN NOT EXISTS (SELECT 1 FROM "t" WHERE "id"
              IS NEW."id" AND "id" COLLATE BINARY IS NEW."id" AND typeof("id") = typeof(NEW."id") AND "c" COLLATE
              BINARY IS NEW."c" AND typeof("c") = typeof(NEW."c")) BEGIN INSERT INTO "t" ("id", "c") VALUES (NEW."id",
              NEW."c"); END
            CREATE TRIGGER "roster_twin_u_update" AFTER UPDATE ON "u" WHEN NOT EXISTS (SELECT 1 FROM "t" WHERE "id"
              IS NEW."id" AND "id" COLLATE BINARY IS NEW."id" AND typeof("id") = typeof(NEW."id") AND "c" COLLATE
              BINARY IS NEW."c" AND typeof("c") = typeof(NEW."c")) BEGIN UPDATE "t" SET ("id", "c") = (NEW."id",
              NEW."c") WHERE "id" IS OLD."id"; END
            CREATE TRIGGER "roster_twin_u_delete" AFTER DELETE ON "u" BEGIN DELETE FROM "t" WHERE "id" IS OLD."id";
              END
            = CREATE TABLE t (id INTEGER PRIMARY KEY, c TEXT)
          < DROP MIRROR TABLE u OF t (ACCESS EXCLUSIVE on t)
            DROP TRIGGER IF EXISTS "roster_twin_t_insert"
            DROP TRIGGER IF EXISTS "roster_twin_t_update"
            DROP TRIGGER IF EXISTS "roster_twin_t_delete"
            DROP TRIGGER IF EXISTS "roster_twin_u_insert"
            DROP TRIGGER IF EXISTS "roster_twin_u_update"
            DROP TRIGGER IF EXISTS "roster_twin_u_delete"
            DROP TABLE IF EXISTS "u"
        contract:
        ? t has triggers that call RAISE(IGNORE), which would also skip the migrator's triggers
        - RENAME TABLE t TO u, DROP MIRROR TABLE u (ACCESS EXCLUSIVE on t)
            DROP TRIGGER IF EXISTS "roster_twin_t_insert"
            DROP TRIGGER IF EXISTS "roster_twin_t_update"
            DROP TRIGGER IF EXISTS "roster_twin_t_delete"
            DROP TRIGGER IF EXISTS "roster_twin_u_insert"
            DROP TRIGGER IF EXISTS "roster_twin_u_update"
            DROP TRIGGER IF EXISTS "roster_twin_u_delete"
            DROP TABLE IF EXISTS "u"
            ALTER TABLE t RENAME TO u
          < RENAME TABLE u TO t (ACCESS EXCLUSIVE on u)
            ALTER TABLE u RENAME TO t
          < CREATE MIRROR TABLE u OF t (ACCESS EXCLUSIVE on t)
            CREATE TABLE "u" (id INTEGER PRIMARY KEY, c TEXT)
            INSERT INTO "u" ("id", "c") SELECT "id", "c" FROM "t"
            CREATE INDEX "ix_t_c_twin" ON "u" (c)
            CREATE TRIGGER "roster_twin_t_insert" AFTER INSERT ON "t" WHEN NOT EXISTS (SELECT 1 FROM "u" WHERE …
            CREATE TRIGGER "roster_twin_t_update" AFTER UPDATE ON "t" WHEN NOT EXISTS (SELECT 1 FROM "u" WHERE …
            CREATE TRIGGER "roster_twin_t_delete" AFTER DELETE ON "t" BEGIN DELETE FROM "u" WHERE "id" IS …
            CREATE TRIGGER "roster_twin_u_insert" AFTER INSERT ON "u" WHEN NOT EXISTS (SELECT 1 FROM "t" WHERE …
            CREATE TRIGGER "roster_twin_u_update" AFTER UPDATE ON "u" WHEN NOT EXISTS (SELECT 1 FROM "t" WHERE …
            CREATE TRIGGER "roster_twin_u_delete" AFTER DELETE ON "u" BEGIN DELETE FROM "t" WHERE "id" IS …
            = CREATE TABLE "t" (id INTEGER PRIMARY KEY, c TEXT)
        """,
    ),
    "rename_column": Case(
        up="""
        ops.rename_column("t", sa.Column("a", sa.Text(), nullable=False), sa.Column("d", sa.Text(), nullable=False))
        """,
        postgresql="""
        expand:
        ? The revision's definition of t.a differs from the database
        ? t.a gets a default from a domain, and d would get another one
            SELECT typname::text, typdefault FROM pg_type WHERE typtype = 'd' AND typdefault IS NOT NULL AND oid IN
              (SELECT atttypid FROM pg_attribute WHERE attrelid = to_regclass('t') AND attname = 'a' UNION ALL SELECT
              to_regtype('TEXT'))
        ? t has triggers that may change a row after zzz_1_roster_sync_t_d has read it
        ? A write of t.d does not reach triggers that read or write t.a
        ? t.a is the new name of a column that is being renamed
        ? t cannot get another column, since these would fail with it
        - ADD COLUMN t.d (ACCESS EXCLUSIVE on t)
            ALTER TABLE t ADD COLUMN d TEXT
            DO $carry$ …
          < DROP COLUMN t.d (ACCESS EXCLUSIVE on t)
            ALTER TABLE t DROP COLUMN d
        - CREATE TRIGGER roster_sync_t_d ON t (SHARE ROW EXCLUSIVE on t)
            CREATE OR REPLACE FUNCTION roster_sync_t_d() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF TG_OP =
              'INSERT' THEN IF NOT (NEW.d IS NOT NULL) THEN NEW.d := NEW.a; ELSIF NOT (NEW.a IS NOT NULL) THEN NEW.a
              := NEW.d; END IF; ELSIF record_image_ne(ROW(CAST(NEW.d AS TEXT)), ROW(CAST(OLD.d AS TEXT))) THEN IF NOT
              (record_image_ne(ROW(CAST(NEW.a AS TEXT)), ROW(CAST(OLD.a AS TEXT)))) AND record_image_ne(ROW(CAST(NEW.d
              AS TEXT)), ROW(CAST(NEW.a AS TEXT))) THEN NEW.a := NEW.d; END IF; ELSIF (record_image_ne(ROW(CAST(NEW.a
              AS TEXT)), ROW(CAST(OLD.a AS TEXT))) OR NEW.d IS NULL) AND record_image_ne(ROW(CAST(NEW.d AS TEXT)),
              ROW(CAST(NEW.a AS TEXT))) THEN NEW.d := NEW.a; END IF; RETURN NEW; END $$
            CREATE TRIGGER zzz_1_roster_sync_t_d BEFORE INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION
              roster_sync_t_d()
            ALTER TABLE t ENABLE ALWAYS TRIGGER zzz_1_roster_sync_t_d
          < DROP TRIGGER roster_sync_t_d ON t (ACCESS EXCLUSIVE on t)
            DROP TRIGGER IF EXISTS zzz_1_roster_sync_t_d ON t
            DROP TRIGGER IF EXISTS roster_sync_t_d ON t
            DROP FUNCTION IF EXISTS roster_sync_t_d()
        backfill:
        - BACKFILL t.d along id
            where record_image_ne(ROW(CAST(d AS TEXT)), ROW(CAST(a AS TEXT)))
            set d = a
        settle:
        - ADD CHECK (t.d IS NOT NULL) NOT VALID (ACCESS EXCLUSIVE on t)
            ALTER TABLE t ADD CONSTRAINT ck_t_d_not_null CHECK (d IS NOT NULL) NOT VALID
          < DROP CHECK (t.d IS NOT NULL) (ACCESS EXCLUSIVE on t)
            ALTER TABLE t DROP CONSTRAINT IF EXISTS ck_t_d_not_null
        - VALIDATE CHECK (t.d IS NOT NULL) (SHARE UPDATE EXCLUSIVE on t)
            ALTER TABLE t VALIDATE CONSTRAINT ck_t_d_not_null
        - SET NOT NULL t.d (ACCESS EXCLUSIVE on t)
            ALTER TABLE t ALTER COLUMN d SET NOT NULL
            ALTER TABLE t DROP CONSTRAINT IF EXISTS ck_t_d_not_null
          < DROP NOT NULL t.d (ACCESS EXCLUSIVE on t)
            ALTER TABLE t ALTER COLUMN d DROP NOT NULL
        contract:
        ? t.a cannot be replaced by d before its dependents are dropped in contract()
        ? t.a cannot be moved to the trash, since the text of these may name it
        ? t has triggers that may change a row after zzz_1_roster_sync_t_d has read it
        ? A write of t.d does not reach triggers that read or write t.a
        - DROP NOT NULL t.a (ACCESS EXCLUSIVE on t)
            ALTER TABLE t ALTER COLUMN a DROP NOT NULL
          < ADD CHECK (t.a IS NOT NULL) NOT VALID (ACCESS EXCLUSIVE on t)
            ALTER TABLE t ADD CONSTRAINT ck_t_a_not_null CHECK (a IS NOT NULL) NOT VALID
          < VALIDATE CHECK (t.a IS NOT NULL) (SHARE UPDATE EXCLUSIVE on t)
            ALTER TABLE t VALIDATE CONSTRAINT ck_t_a_not_null
          < SET NOT NULL t.a (ACCESS EXCLUSIVE on t)
            ALTER TABLE t ALTER COLUMN a SET NOT NULL
            ALTER TABLE t DROP CONSTRAINT IF EXISTS ck_t_a_not_null
        - BACKFILL t.a ON DOWNGRADE (none)
          < BACKFILL t.a along id
            where record_image_ne(ROW(CAST(d AS TEXT)), ROW(CAST(a AS TEXT)))
            set a = d
        - DROP TRIGGER roster_sync_t_d ON t (ACCESS EXCLUSIVE on t)
            DROP TRIGGER IF EXISTS zzz_1_roster_sync_t_d ON t
            DROP TRIGGER IF EXISTS roster_sync_t_d ON t
            DROP FUNCTION IF EXISTS roster_sync_t_d()
          < CREATE TRIGGER roster_sync_t_d ON t (SHARE ROW EXCLUSIVE on t)
            CREATE OR REPLACE FUNCTION roster_sync_t_d() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF TG_OP = …
            CREATE TRIGGER zzz_1_roster_sync_t_d BEFORE INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION …
            ALTER TABLE t ENABLE ALWAYS TRIGGER zzz_1_roster_sync_t_d
        - MOVE COLUMN t.a TO TRASH (ACCESS EXCLUSIVE on t)
            DO $carry$ …
            ALTER TABLE t RENAME COLUMN a TO _trash_0002_a
          < ADD COLUMN t.a (ACCESS EXCLUSIVE on t, if need be)
            ALTER TABLE t ADD COLUMN a TEXT
          < RESTORE COLUMN t.a FROM TRASH (ACCESS EXCLUSIVE on t)
            ALTER TABLE t RENAME COLUMN _trash_0002_a TO a
        purge:
        - DROP COLUMN t._trash_0002_a (ACCESS EXCLUSIVE on t)
            ALTER TABLE t DROP COLUMN _trash_0002_a
        undo contract:
        ? t.a is NOT NULL, and in some rows d converts to NULL
        """,
        sqlite="""
        expand:
        ? The revision's definition of t.a differs from the database
        ? t has triggers that call RAISE(IGNORE), which would also skip the migrator's triggers
        ? A write of t.d does not reach triggers that read or write t.a
        ? t cannot get another column, since these would fail with it
        - DROP NOT NULL t.a (ACCESS EXCLUSIVE on t)
            = CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, b INTEGER DEFAULT 1, c TEXT, CONSTRAINT ck CHECK (b >
              0))
          < SET NOT NULL t.a (ACCESS EXCLUSIVE on t)
            = CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT NOT NULL, b INTEGER DEFAULT 1, c TEXT, CONSTRAINT ck
              CHECK (b > 0))
        - ADD COLUMN t.d (ACCESS EXCLUSIVE on t)
            ALTER TABLE "t" ADD COLUMN d TEXT
          < DROP COLUMN t.d (ACCESS EXCLUSIVE on t)
            = CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, b INTEGER DEFAULT 1, c TEXT, CONSTRAINT ck CHECK (b >
              0))
        - CREATE TRIGGER roster_sync_t_d ON t (SHARE ROW EXCLUSIVE on t)
            CREATE TRIGGER roster_sync_t_d_1 AFTER INSERT ON t BEGIN UPDATE t SET d = CASE WHEN d IS NOT NULL THEN d
              ELSE a END, a = CASE WHEN d IS NOT NULL AND NOT (a IS NOT NULL) THEN d ELSE a END WHERE id = NEW.id AND
              (d COLLATE BINARY IS NOT +a); END
            CREATE TRIGGER roster_sync_t_d_2 AFTER UPDATE OF a ON t WHEN NEW.a COLLATE BINARY IS NOT +OLD.a AND NOT
              (NEW.d COLLATE BINARY IS NOT +OLD.d) BEGIN UPDATE t SET d = a WHERE id = NEW.id AND (d COLLATE BINARY IS
              NOT +a); END
            CREATE TRIGGER roster_sync_t_d_3 AFTER UPDATE OF d ON t WHEN NEW.d COLLATE BINARY IS NOT +OLD.d AND NOT
              (NEW.a COLLATE BINARY IS NOT +OLD.a) BEGIN UPDATE t SET a = d WHERE id = NEW.id AND (d COLLATE BINARY IS
              NOT +a); END
          < DROP TRIGGER roster_sync_t_d ON t (ACCESS EXCLUSIVE on t)
            DROP TRIGGER IF EXISTS roster_sync_t_d_1
            DROP TRIGGER IF EXISTS roster_sync_t_d_2
            DROP TRIGGER IF EXISTS roster_sync_t_d_3
        - BACKFILL t.d (ACCESS EXCLUSIVE on t)
            UPDATE t SET d = a WHERE d COLLATE BINARY IS NOT +a
        contract:
        ? t.a cannot be replaced by d before its dependents are dropped in contract()
        ? t.a cannot be moved to the trash, since the text of these may name it
        ? t has triggers that call RAISE(IGNORE), which would also skip the migrator's triggers
        ? A write of t.d does not reach triggers that read or write t.a
        - SET NOT NULL t.d (ACCESS EXCLUSIVE on t)
            = CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, b INTEGER DEFAULT 1, c TEXT, d TEXT NOT NULL,
              CONSTRAINT ck CHECK (b > 0))
          < DROP NOT NULL t.d (ACCESS EXCLUSIVE on t)
            = CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, b INTEGER DEFAULT 1, c TEXT, d TEXT, CONSTRAINT ck
              CHECK (b > 0))
        - DROP NOT NULL t.a (ACCESS EXCLUSIVE on t): there is nothing to do
        - BACKFILL t.a ON DOWNGRADE (none)
          < BACKFILL t.a along id
            where d COLLATE BINARY IS NOT +a
            set a = d
        - DROP TRIGGER roster_sync_t_d ON t (ACCESS EXCLUSIVE on t)
            DROP TRIGGER IF EXISTS roster_sync_t_d_1
            DROP TRIGGER IF EXISTS roster_sync_t_d_2
            DROP TRIGGER IF EXISTS roster_sync_t_d_3
          < CREATE TRIGGER roster_sync_t_d ON t (SHARE ROW EXCLUSIVE on t)
            CREATE TRIGGER roster_sync_t_d_1 AFTER INSERT ON t BEGIN UPDATE t SET d = CASE WHEN d IS NOT NULL THEN …
            CREATE TRIGGER roster_sync_t_d_2 AFTER UPDATE OF a ON t WHEN NEW.a COLLATE BINARY IS NOT +OLD.a AND …
            CREATE TRIGGER roster_sync_t_d_3 AFTER UPDATE OF d ON t WHEN NEW.d COLLATE BINARY IS NOT +OLD.d AND …
        - MOVE COLUMN t.a TO TRASH (ACCESS EXCLUSIVE on t)
            ALTER TABLE t RENAME COLUMN a TO _trash_0002_a
          < ADD COLUMN t.a (ACCESS EXCLUSIVE on t, if need be): there is nothing to do
          < RESTORE COLUMN t.a FROM TRASH (ACCESS EXCLUSIVE on t)
            ALTER TABLE t RENAME COLUMN _trash_0002_a TO a
        purge:
        - DROP COLUMN t._trash_0002_a (ACCESS EXCLUSIVE on t)
            = CREATE TABLE t (id INTEGER PRIMARY KEY, b INTEGER DEFAULT 1, c TEXT, d TEXT NOT NULL, CONSTRAINT ck
              CHECK (b > 0))
        undo contract:
        ? t.a is NOT NULL, and in some rows d converts to NULL
        undo:
        ? t.a is NOT NULL, and in some rows d converts to NULL
        """,
    ),
}


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("case", CASES)
def test_the_old_name_serves_until_the_contract(project: Project, case: str, dialect: str) -> None:
    assert CASES[case].written(project, dialect) == CASES[case].expected(dialect)
