"""SQL text of triggers, functions and ops.execute."""

import pytest

from tests.migrate.operations.written import DIALECTS, Case
from tests.migrate.project import Project

CASES = {
    "function": Case(
        up="""
        ops.function(
            "t_told",
            "CREATE FUNCTION t_told() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$",
        )
        """,
        postgresql="""
        expand:
        ? The revision creates the function t_told, which exists already
        - CREATE FUNCTION t_told (none)
            CREATE FUNCTION t_told() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$
          < DROP FUNCTION t_told (none)
            DROP FUNCTION t_told()
        """,
        sqlite="",
    ),
    "drop_function": Case(
        up="""
        ops.drop_function(
            "t_told",
            "CREATE FUNCTION t_told() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$",
        )
        """,
        postgresql="""
        expand:
        ? The function t_told cannot be dropped before its dependents
        ? The function t_told cannot be dropped, since the text of these may call it
        - DROP FUNCTION t_told (none)
            DROP FUNCTION t_told()
          < CREATE FUNCTION t_told (none)
            CREATE FUNCTION t_told() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$
        """,
        sqlite="",
    ),
    "trigger": Case(
        up="""
        ops.trigger(
            "t_told",
            "t",
            postgresql="CREATE TRIGGER t_told AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION t_told()",
            sqlite="CREATE TRIGGER t_told AFTER INSERT ON t BEGIN DELETE FROM t WHERE b < 0; END",
        )
        """,
        postgresql="""
        expand:
        ? The revision creates the trigger t_told, which exists already
        - CREATE TRIGGER t_told ON t (SHARE ROW EXCLUSIVE on t)
            CREATE TRIGGER t_told AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION t_told()
          < DROP TRIGGER t_told ON t (ACCESS EXCLUSIVE on t)
            DROP TRIGGER t_told ON t
        """,
        sqlite="""
        expand:
        ? The revision creates the trigger t_told, which exists already
        - CREATE TRIGGER t_told ON t (SHARE ROW EXCLUSIVE on t)
            CREATE TRIGGER t_told AFTER INSERT ON t BEGIN DELETE FROM t WHERE b < 0; END
          < DROP TRIGGER t_told ON t (ACCESS EXCLUSIVE on t)
            DROP TRIGGER t_told
        """,
    ),
    "trigger of one database": Case(
        up="""
        ops.trigger(
            "t_told", "t", sqlite="CREATE TRIGGER t_told AFTER INSERT ON t BEGIN DELETE FROM t WHERE b < 0; END"
        )
        """,
        postgresql="",
        sqlite="""
        expand:
        ? The revision creates the trigger t_told, which exists already
        - CREATE TRIGGER t_told ON t (SHARE ROW EXCLUSIVE on t)
            CREATE TRIGGER t_told AFTER INSERT ON t BEGIN DELETE FROM t WHERE b < 0; END
          < DROP TRIGGER t_told ON t (ACCESS EXCLUSIVE on t)
            DROP TRIGGER t_told
        """,
    ),
    "drop_trigger": Case(
        tables=(
            "CREATE TABLE t (id INTEGER PRIMARY KEY, b INTEGER)",
            "CREATE TRIGGER t_told AFTER INSERT ON t BEGIN DELETE FROM t WHERE b < 0; END",
        ),
        up="""
        ops.drop_trigger(
            "t_told",
            "t",
            postgresql="CREATE TRIGGER t_told AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION t_told()",
            sqlite="CREATE TRIGGER t_told AFTER INSERT ON t BEGIN DELETE FROM t WHERE b < 0; END",
        )
        """,
        postgresql="""
        expand:
        - DROP TRIGGER t_told ON t (ACCESS EXCLUSIVE on t)
            DROP TRIGGER t_told ON t
          < CREATE TRIGGER t_told ON t (SHARE ROW EXCLUSIVE on t)
            CREATE TRIGGER t_told AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION t_told()
        """,
        sqlite="""
        expand:
        - DROP TRIGGER t_told ON t (ACCESS EXCLUSIVE on t)
            DROP TRIGGER t_told
          < CREATE TRIGGER t_told ON t (SHARE ROW EXCLUSIVE on t)
            CREATE TRIGGER t_told AFTER INSERT ON t BEGIN DELETE FROM t WHERE b < 0; END
        """,
    ),
    "follow": Case(
        up="""
        ops.follow(
            "t",
            "c",
            "a",
            postgresql="split_part(a, ' ', 1)",
            sqlite="substr(a, 1, instr(a || ' ', ' ') - 1)",
        )
        """,
        postgresql="""
        expand:
        ? t has triggers that may change a row after zzz_2_roster_follow_t_c has read it
        - CREATE TRIGGER roster_follow_t_c ON t (SHARE ROW EXCLUSIVE on t)
            CREATE OR REPLACE FUNCTION roster_follow_t_c() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.c IS
              NULL OR (TG_OP = 'UPDATE' AND record_image_ne(ROW(NEW.a), ROW(OLD.a)) AND NOT
              record_image_ne(ROW(NEW.c), ROW(OLD.c))) THEN BEGIN NEW.c := (SELECT split_part(a, ' ', 1) FROM (SELECT
              NEW.*) AS written); EXCEPTION WHEN OTHERS THEN IF SQLSTATE LIKE '40%' THEN RAISE; END IF; NEW.c := NULL;
              END; END IF; RETURN NEW; END $$
            CREATE TRIGGER zzz_2_roster_follow_t_c BEFORE INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION
              roster_follow_t_c()
            ALTER TABLE t ENABLE ALWAYS TRIGGER zzz_2_roster_follow_t_c
          < DROP TRIGGER roster_follow_t_c ON t (ACCESS EXCLUSIVE on t)
            DROP TRIGGER IF EXISTS zzz_2_roster_follow_t_c ON t
            DROP TRIGGER IF EXISTS roster_follow_t_c ON t
            DROP FUNCTION IF EXISTS roster_follow_t_c()
        contract:
        ? t has triggers that may change a row after zzz_2_roster_follow_t_c has read it
        - DROP TRIGGER roster_follow_t_c ON t (ACCESS EXCLUSIVE on t)
            DROP TRIGGER IF EXISTS zzz_2_roster_follow_t_c ON t
            DROP TRIGGER IF EXISTS roster_follow_t_c ON t
            DROP FUNCTION IF EXISTS roster_follow_t_c()
          < CREATE TRIGGER roster_follow_t_c ON t (SHARE ROW EXCLUSIVE on t)
            CREATE OR REPLACE FUNCTION roster_follow_t_c() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.c …
            CREATE TRIGGER zzz_2_roster_follow_t_c BEFORE INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION …
            ALTER TABLE t ENABLE ALWAYS TRIGGER zzz_2_roster_follow_t_c
        """,
        sqlite="""
        expand:
        ? t has triggers that call RAISE(IGNORE), which would also skip the migrator's triggers
        - CREATE TRIGGER roster_follow_t_c ON t (SHARE ROW EXCLUSIVE on t)
            CREATE TRIGGER roster_follow_t_c_1 AFTER INSERT ON t WHEN NEW.c IS NULL BEGIN UPDATE t SET c = substr(a,
              1, instr(a || ' ', ' ') - 1) WHERE id = NEW.id AND (c IS NULL); END
            CREATE TRIGGER roster_follow_t_c_2 AFTER UPDATE OF a ON t WHEN (NEW.a COLLATE BINARY IS NOT OLD.a OR
              typeof(NEW.a) <> typeof(OLD.a)) AND NOT (NEW.c COLLATE BINARY IS NOT OLD.c OR typeof(NEW.c) <>
              typeof(OLD.c)) BEGIN UPDATE t SET c = substr(a, 1, instr(a || ' ', ' ') - 1) WHERE id = NEW.id; END
          < DROP TRIGGER roster_follow_t_c ON t (ACCESS EXCLUSIVE on t)
            DROP TRIGGER IF EXISTS roster_follow_t_c_1
            DROP TRIGGER IF EXISTS roster_follow_t_c_2
        contract:
        ? t has triggers that call RAISE(IGNORE), which would also skip the migrator's triggers
        - DROP TRIGGER roster_follow_t_c ON t (ACCESS EXCLUSIVE on t)
            DROP TRIGGER IF EXISTS roster_follow_t_c_1
            DROP TRIGGER IF EXISTS roster_follow_t_c_2
          < CREATE TRIGGER roster_follow_t_c ON t (SHARE ROW EXCLUSIVE on t)
            CREATE TRIGGER roster_follow_t_c_1 AFTER INSERT ON t WHEN NEW.c IS NULL BEGIN UPDATE t SET c = …
            CREATE TRIGGER roster_follow_t_c_2 AFTER UPDATE OF a ON t WHEN (NEW.a COLLATE BINARY IS NOT OLD.a OR …
        """,
    ),
    "execute": Case(
        up="""
        ops.execute(
            "Send whole rows to whoever follows the changes",
            postgresql=["ALTER TABLE t REPLICA IDENTITY FULL"],
            undo_postgresql=["ALTER TABLE t REPLICA IDENTITY DEFAULT"],
            tables=["t"],
        )
        """,
        postgresql="""
        expand:
        - Send whole rows to whoever follows the changes (ACCESS EXCLUSIVE on t)
            ALTER TABLE t REPLICA IDENTITY FULL
          < UNDO: Send whole rows to whoever follows the changes (ACCESS EXCLUSIVE on t)
            ALTER TABLE t REPLICA IDENTITY DEFAULT
        """,
        sqlite="",
    ),
    "execute on both databases": Case(
        up="""
        ops.execute(
            "One row that the new code refers to",
            postgresql=["INSERT INTO t (id, a) VALUES (0, 'nobody')"],
            sqlite=["INSERT INTO t (id, a) VALUES (0, 'nobody')"],
            undo_postgresql=["DELETE FROM t WHERE id = 0"],
            undo_sqlite=["DELETE FROM t WHERE id = 0"],
            lock=ops.Lock.NONE,
        )
        """,
        postgresql="""
        expand:
        - One row that the new code refers to (none)
            INSERT INTO t (id, a) VALUES (0, 'nobody')
          < UNDO: One row that the new code refers to (none)
            DELETE FROM t WHERE id = 0
        """,
        sqlite="""
        expand:
        - One row that the new code refers to (none)
            INSERT INTO t (id, a) VALUES (0, 'nobody')
          < UNDO: One row that the new code refers to (none)
            DELETE FROM t WHERE id = 0
        """,
    ),
}


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("case", CASES)
def test_programs_are_made_as_they_are_written(project: Project, case: str, dialect: str) -> None:
    assert CASES[case].written(project, dialect) == CASES[case].expected(dialect)
