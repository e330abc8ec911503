"""SQL text of added constraints: NOT VALID first, then validated."""

import pytest

from tests.migrate.operations.written import DIALECTS, Case
from tests.migrate.project import Project

CASES = {
    "add_check": Case(
        up="""ops.add_check("t", "ck_t_c", "c <> ''")""",
        postgresql="""
        expand:
        ? Rows of t violate CHECK (c <> '')
        - ADD CONSTRAINT ck_t_c ON t NOT VALID (ACCESS EXCLUSIVE on t)
            ALTER TABLE t ADD CONSTRAINT ck_t_c CHECK (c <> '') NOT VALID
          < DROP CONSTRAINT ck_t_c ON t (ACCESS EXCLUSIVE on t)
            ALTER TABLE t DROP CONSTRAINT ck_t_c
        - VALIDATE CONSTRAINT ck_t_c ON t (SHARE UPDATE EXCLUSIVE on t)
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
        """,
    ),
    "add_unique": Case(
        up='ops.add_unique("t", "uq_t_a_c", ["a", "c"])',
        postgresql="""
        expand:
        ? Rows of t violate UNIQUE (a, c)
            SELECT a, c FROM t WHERE a IS NOT NULL AND c IS NOT NULL GROUP BY a, c HAVING count(*) > 1 ORDER BY a, c
        - CREATE UNIQUE INDEX CONCURRENTLY uq_t_a_c ON t (SHARE UPDATE EXCLUSIVE on t, alone)
            DROP INDEX CONCURRENTLY IF EXISTS uq_t_a_c
            CREATE UNIQUE INDEX CONCURRENTLY uq_t_a_c ON t (a, c)
          < DROP INDEX CONCURRENTLY uq_t_a_c ON t (SHARE UPDATE EXCLUSIVE on t, alone)
            DROP INDEX CONCURRENTLY IF EXISTS uq_t_a_c
        - ADD CONSTRAINT uq_t_a_c ON t USING INDEX (ACCESS EXCLUSIVE on t)
            ALTER TABLE t ADD CONSTRAINT uq_t_a_c UNIQUE USING INDEX uq_t_a_c
          < DROP CONSTRAINT uq_t_a_c ON t (ACCESS EXCLUSIVE on t)
            ALTER TABLE t DROP CONSTRAINT uq_t_a_c
        undo:
        ? uq_t_a_c of t cannot be dropped before its dependents
        """,
        sqlite="""
        expand:
        ? Rows of t violate UNIQUE (a, c)
            SELECT a, c FROM t WHERE a IS NOT NULL AND c IS NOT NULL GROUP BY a, c HAVING count(*) > 1 ORDER BY a, c
        - ADD CONSTRAINT uq_t_a_c ON t (ACCESS EXCLUSIVE on t)
            = CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT NOT NULL, b INTEGER DEFAULT 1, c TEXT, CONSTRAINT ck
              CHECK (b > 0), CONSTRAINT uq_t_a_c UNIQUE (a, c))
          < DROP CONSTRAINT uq_t_a_c ON t (ACCESS EXCLUSIVE on t)
            = CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT NOT NULL, b INTEGER DEFAULT 1, c TEXT, CONSTRAINT ck
              CHECK (b > 0))
        undo:
        ? uq_t_a_c of t cannot be dropped before its dependents
        """,
    ),
    "add_foreign_key": Case(
        tables=(
            "CREATE TABLE u (id INTEGER PRIMARY KEY)",
            "CREATE TABLE t (id INTEGER PRIMARY KEY, u_id INTEGER)",
        ),
        up='ops.add_foreign_key("t", "fk_t_u_id_u", ["u_id"], "u")',
        postgresql="""
        expand:
        ? Rows of t violate FOREIGN KEY (u_id) REFERENCES u
            SELECT child.u_id FROM t AS child WHERE child.u_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM u AS parent
              WHERE parent.id = child.u_id) ORDER BY child.u_id
        - ADD CONSTRAINT fk_t_u_id_u ON t NOT VALID (SHARE ROW EXCLUSIVE on t, u)
            ALTER TABLE t ADD CONSTRAINT fk_t_u_id_u FOREIGN KEY(u_id) REFERENCES u (id) NOT VALID
          < DROP CONSTRAINT fk_t_u_id_u ON t (ACCESS EXCLUSIVE on t, u)
            ALTER TABLE t DROP CONSTRAINT fk_t_u_id_u
        - VALIDATE CONSTRAINT fk_t_u_id_u ON t (SHARE UPDATE EXCLUSIVE on t)
            ALTER TABLE t VALIDATE CONSTRAINT fk_t_u_id_u
        """,
        sqlite="""
        expand:
        ? Rows of t violate FOREIGN KEY (u_id) REFERENCES u
            SELECT child.u_id FROM t AS child WHERE child.u_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM u AS parent
              WHERE parent.id = child.u_id) ORDER BY child.u_id
        - ADD CONSTRAINT fk_t_u_id_u ON t (ACCESS EXCLUSIVE on t)
            = CREATE TABLE t (id INTEGER PRIMARY KEY, u_id INTEGER, CONSTRAINT fk_t_u_id_u FOREIGN KEY(u_id)
              REFERENCES u (id))
          < DROP CONSTRAINT fk_t_u_id_u ON t (ACCESS EXCLUSIVE on t)
            = CREATE TABLE t (id INTEGER PRIMARY KEY, u_id INTEGER)
        """,
    ),
    "add_foreign_key to the same table": Case(
        up='ops.add_foreign_key("t", "fk_t_b_t", ["b"], "t", onupdate="CASCADE")',
        postgresql="""
        expand:
        ? Rows of t violate FOREIGN KEY (b) REFERENCES t
            SELECT child.b FROM t AS child WHERE child.b IS NOT NULL AND NOT EXISTS (SELECT 1 FROM t AS parent WHERE
              parent.id = child.b) ORDER BY child.b
        - ADD CONSTRAINT fk_t_b_t ON t NOT VALID (SHARE ROW EXCLUSIVE on t)
            ALTER TABLE t ADD CONSTRAINT fk_t_b_t FOREIGN KEY(b) REFERENCES t (id) ON UPDATE CASCADE NOT VALID
          < DROP CONSTRAINT fk_t_b_t ON t (ACCESS EXCLUSIVE on t)
            ALTER TABLE t DROP CONSTRAINT fk_t_b_t
        - VALIDATE CONSTRAINT fk_t_b_t ON t (SHARE UPDATE EXCLUSIVE on t)
            ALTER TABLE t VALIDATE CONSTRAINT fk_t_b_t
        """,
        sqlite="""
        expand:
        ? Rows of t violate FOREIGN KEY (b) REFERENCES t
            SELECT child.b FROM t AS child WHERE child.b IS NOT NULL AND NOT EXISTS (SELECT 1 FROM t AS parent WHERE
              parent.id = child.b) ORDER BY child.b
        - ADD CONSTRAINT fk_t_b_t ON t (ACCESS EXCLUSIVE on t)
            = CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT NOT NULL, b INTEGER DEFAULT 1, c TEXT, CONSTRAINT ck
              CHECK (b > 0), CONSTRAINT fk_t_b_t FOREIGN KEY(b) REFERENCES t (id) ON UPDATE CASCADE)
          < DROP CONSTRAINT fk_t_b_t ON t (ACCESS EXCLUSIVE on t)
            = CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT NOT NULL, b INTEGER DEFAULT 1, c TEXT, CONSTRAINT ck
              CHECK (b > 0))
        """,
    ),
    "add_column and add_foreign_key": Case(
        tables=(
            "CREATE TABLE u (id INTEGER PRIMARY KEY)",
            "CREATE TABLE t (id INTEGER PRIMARY KEY)",
        ),
        up="""
        ops.add_column("t", sa.Column("u_id", sa.Integer()))
        ops.add_foreign_key("t", "fk_t_u_id_u", ["u_id"], "u", ondelete="SET NULL")
        """,
        postgresql="""
        expand:
        ? t cannot get another column, since these would fail with it
        - RESTORE COLUMN t.u_id FROM TRASH (ACCESS EXCLUSIVE on t, if need be)
            ALTER TABLE t RENAME COLUMN _trash_0002_u_id TO u_id
          < MOVE COLUMN t.u_id TO TRASH (ACCESS EXCLUSIVE on t)
            ALTER TABLE t RENAME COLUMN u_id TO _trash_0002_u_id
          < DROP COLUMN t.u_id (ACCESS EXCLUSIVE on t, if need be)
            ALTER TABLE t DROP COLUMN u_id
        - ADD COLUMN t.u_id (ACCESS EXCLUSIVE on t)
            ALTER TABLE t ADD COLUMN u_id INTEGER
            DO $columns$ …
          < MOVE COLUMN t.u_id TO TRASH (ACCESS EXCLUSIVE on t)
            ALTER TABLE t RENAME COLUMN u_id TO _trash_0002_u_id
          < DROP COLUMN t.u_id (ACCESS EXCLUSIVE on t, if need be)
            ALTER TABLE t DROP COLUMN u_id
        - ADD CONSTRAINT fk_t_u_id_u ON t NOT VALID (SHARE ROW EXCLUSIVE on t, u)
            ALTER TABLE t ADD CONSTRAINT fk_t_u_id_u FOREIGN KEY(u_id) REFERENCES u (id) ON DELETE SET NULL NOT
              VALID
          < DROP CONSTRAINT fk_t_u_id_u ON t (ACCESS EXCLUSIVE on t, u)
            ALTER TABLE t DROP CONSTRAINT fk_t_u_id_u
        - APPLY ON DELETE OF u TO t (none, if need be)
            UPDATE t AS child SET u_id = NULL WHERE child.u_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM u AS parent
              WHERE parent.id = child.u_id)
        - VALIDATE CONSTRAINT fk_t_u_id_u ON t (SHARE UPDATE EXCLUSIVE on t)
            ALTER TABLE t VALIDATE CONSTRAINT fk_t_u_id_u
        """,
        sqlite="""
        expand:
        ? t cannot get another column, since these would fail with it
        - RESTORE COLUMN t.u_id FROM TRASH (ACCESS EXCLUSIVE on t, if need be): there is nothing to do
          < MOVE COLUMN t.u_id TO TRASH (ACCESS EXCLUSIVE on t): there is nothing to do
          < DROP COLUMN t.u_id (ACCESS EXCLUSIVE on t, if need be): there is nothing to do
        - ADD COLUMN t.u_id (ACCESS EXCLUSIVE on t)
            ALTER TABLE "t" ADD COLUMN u_id INTEGER
          < MOVE COLUMN t.u_id TO TRASH (ACCESS EXCLUSIVE on t): there is nothing to do
          < DROP COLUMN t.u_id (ACCESS EXCLUSIVE on t, if need be)
            = CREATE TABLE t (id INTEGER PRIMARY KEY)
        - APPLY ON DELETE OF u TO t (none, if need be)
            UPDATE t AS child SET u_id = NULL WHERE child.u_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM u AS parent
              WHERE parent.id = child.u_id)
        - ADD CONSTRAINT fk_t_u_id_u ON t (ACCESS EXCLUSIVE on t)
            = CREATE TABLE t (id INTEGER PRIMARY KEY, u_id INTEGER, CONSTRAINT fk_t_u_id_u FOREIGN KEY(u_id)
              REFERENCES u (id) ON DELETE SET NULL)
          < DROP CONSTRAINT fk_t_u_id_u ON t (ACCESS EXCLUSIVE on t)
            = CREATE TABLE t (id INTEGER PRIMARY KEY, u_id INTEGER)
        """,
    ),
}


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("case", CASES)
def test_constraints_are_added_in_two_parts(project: Project, case: str, dialect: str) -> None:
    assert CASES[case].written(project, dialect) == CASES[case].expected(dialect)
