"""Constraints as text: new rows are held to them first, then all of them beside the traffic."""

import pytest

from tests.migrate.operations.written import DIALECTS, Case
from tests.migrate.project import Project

CASES = {
    "add_check": Case(
        up="""ops.add_check("t", "ck_t_c", "c <> ''")""",
        postgresql="""
        expand:
        ? Some rows of t are not so that c <> ''
        - hold new rows of t to ck_t_c (ACCESS EXCLUSIVE on t)
            ALTER TABLE t ADD CONSTRAINT ck_t_c CHECK (c <> '') NOT VALID
          < drop ck_t_c of t (ACCESS EXCLUSIVE on t)
            ALTER TABLE t DROP CONSTRAINT ck_t_c
        - hold all rows of t to ck_t_c (SHARE UPDATE EXCLUSIVE on t)
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
        """,
    ),
    "add_unique": Case(
        up='ops.add_unique("t", "uq_t_a_c", ["a", "c"])',
        postgresql="""
        expand:
        ? Several rows of t have one a and c
            SELECT a, c FROM t WHERE a IS NOT NULL AND c IS NOT NULL GROUP BY a, c HAVING count(*) > 1 ORDER BY a, c
        - build the unique index uq_t_a_c of t (SHARE UPDATE EXCLUSIVE on t, alone)
            DROP INDEX CONCURRENTLY IF EXISTS uq_t_a_c
            CREATE UNIQUE INDEX CONCURRENTLY uq_t_a_c ON t (a, c)
          < drop the index uq_t_a_c of t (SHARE UPDATE EXCLUSIVE on t, alone)
            DROP INDEX CONCURRENTLY IF EXISTS uq_t_a_c
        - make uq_t_a_c a constraint of t (ACCESS EXCLUSIVE on t)
            ALTER TABLE t ADD CONSTRAINT uq_t_a_c UNIQUE USING INDEX uq_t_a_c
          < drop uq_t_a_c of t (ACCESS EXCLUSIVE on t)
            ALTER TABLE t DROP CONSTRAINT uq_t_a_c
        """,
        sqlite="""
        expand:
        ? Several rows of t have one a and c
            SELECT a, c FROM t WHERE a IS NOT NULL AND c IS NOT NULL GROUP BY a, c HAVING count(*) > 1 ORDER BY a, c
        - add uq_t_a_c to t (ACCESS EXCLUSIVE on t)
            = CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT NOT NULL, b INTEGER DEFAULT 1, c TEXT, CONSTRAINT ck
              CHECK (b > 0), CONSTRAINT uq_t_a_c UNIQUE (a, c))
          < drop uq_t_a_c of t (ACCESS EXCLUSIVE on t)
            = CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT NOT NULL, b INTEGER DEFAULT 1, c TEXT, CONSTRAINT ck
              CHECK (b > 0))
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
        ? Some rows of t have a u_id that u has not
            SELECT child.u_id FROM t AS child WHERE child.u_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM u AS parent
              WHERE parent.id = child.u_id) ORDER BY child.u_id
        - hold new rows of t to fk_t_u_id_u (SHARE ROW EXCLUSIVE on t, u)
            ALTER TABLE t ADD CONSTRAINT fk_t_u_id_u FOREIGN KEY(u_id) REFERENCES u (id) NOT VALID
          < drop fk_t_u_id_u of t (ACCESS EXCLUSIVE on t, u)
            ALTER TABLE t DROP CONSTRAINT fk_t_u_id_u
        - hold all rows of t to fk_t_u_id_u (SHARE UPDATE EXCLUSIVE on t)
            ALTER TABLE t VALIDATE CONSTRAINT fk_t_u_id_u
        """,
        sqlite="""
        expand:
        ? Some rows of t have a u_id that u has not
            SELECT child.u_id FROM t AS child WHERE child.u_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM u AS parent
              WHERE parent.id = child.u_id) ORDER BY child.u_id
        - add fk_t_u_id_u to t (ACCESS EXCLUSIVE on t)
            = CREATE TABLE t (id INTEGER PRIMARY KEY, u_id INTEGER, CONSTRAINT fk_t_u_id_u FOREIGN KEY(u_id)
              REFERENCES u (id))
          < drop fk_t_u_id_u of t (ACCESS EXCLUSIVE on t)
            = CREATE TABLE t (id INTEGER PRIMARY KEY, u_id INTEGER)
        """,
    ),
    "add_foreign_key to the same table": Case(
        up='ops.add_foreign_key("t", "fk_t_b_t", ["b"], "t", onupdate="CASCADE")',
        postgresql="""
        expand:
        ? Some rows of t have a b that t has not
            SELECT child.b FROM t AS child WHERE child.b IS NOT NULL AND NOT EXISTS (SELECT 1 FROM t AS parent WHERE
              parent.id = child.b) ORDER BY child.b
        - hold new rows of t to fk_t_b_t (SHARE ROW EXCLUSIVE on t)
            ALTER TABLE t ADD CONSTRAINT fk_t_b_t FOREIGN KEY(b) REFERENCES t (id) ON UPDATE CASCADE NOT VALID
          < drop fk_t_b_t of t (ACCESS EXCLUSIVE on t)
            ALTER TABLE t DROP CONSTRAINT fk_t_b_t
        - hold all rows of t to fk_t_b_t (SHARE UPDATE EXCLUSIVE on t)
            ALTER TABLE t VALIDATE CONSTRAINT fk_t_b_t
        """,
        sqlite="""
        expand:
        ? Some rows of t have a b that t has not
            SELECT child.b FROM t AS child WHERE child.b IS NOT NULL AND NOT EXISTS (SELECT 1 FROM t AS parent WHERE
              parent.id = child.b) ORDER BY child.b
        - add fk_t_b_t to t (ACCESS EXCLUSIVE on t)
            = CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT NOT NULL, b INTEGER DEFAULT 1, c TEXT, CONSTRAINT ck
              CHECK (b > 0), CONSTRAINT fk_t_b_t FOREIGN KEY(b) REFERENCES t (id) ON UPDATE CASCADE)
          < drop fk_t_b_t of t (ACCESS EXCLUSIVE on t)
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
        - bring t.u_id back (ACCESS EXCLUSIVE on t, if need be)
            ALTER TABLE t RENAME COLUMN _trash_0002_u_id TO u_id
          < keep t.u_id aside (ACCESS EXCLUSIVE on t)
            ALTER TABLE t RENAME COLUMN u_id TO _trash_0002_u_id
          < drop the column t.u_id (ACCESS EXCLUSIVE on t, if need be)
            ALTER TABLE t DROP COLUMN u_id
        - add the column t.u_id (ACCESS EXCLUSIVE on t)
            ALTER TABLE t ADD COLUMN u_id INTEGER
          < keep t.u_id aside (ACCESS EXCLUSIVE on t)
            ALTER TABLE t RENAME COLUMN u_id TO _trash_0002_u_id
          < drop the column t.u_id (ACCESS EXCLUSIVE on t, if need be)
            ALTER TABLE t DROP COLUMN u_id
        - hold new rows of t to fk_t_u_id_u (SHARE ROW EXCLUSIVE on t, u)
            ALTER TABLE t ADD CONSTRAINT fk_t_u_id_u FOREIGN KEY(u_id) REFERENCES u (id) ON DELETE SET NULL NOT
              VALID
          < drop fk_t_u_id_u of t (ACCESS EXCLUSIVE on t, u)
            ALTER TABLE t DROP CONSTRAINT fk_t_u_id_u
        - let rows of t follow what u lost while they were kept aside (none, if need be)
            UPDATE t AS child SET u_id = NULL WHERE child.u_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM u AS parent
              WHERE parent.id = child.u_id)
        - hold all rows of t to fk_t_u_id_u (SHARE UPDATE EXCLUSIVE on t)
            ALTER TABLE t VALIDATE CONSTRAINT fk_t_u_id_u
        """,
        sqlite="""
        expand:
        - bring t.u_id back (ACCESS EXCLUSIVE on t, if need be): there is nothing to do
          < keep t.u_id aside (ACCESS EXCLUSIVE on t): there is nothing to do
          < drop the column t.u_id (ACCESS EXCLUSIVE on t, if need be): there is nothing to do
        - add the column t.u_id (ACCESS EXCLUSIVE on t)
            ALTER TABLE "t" ADD COLUMN u_id INTEGER
          < keep t.u_id aside (ACCESS EXCLUSIVE on t): there is nothing to do
          < drop the column t.u_id (ACCESS EXCLUSIVE on t, if need be)
            = CREATE TABLE t (id INTEGER PRIMARY KEY)
        - let rows of t follow what u lost while they were kept aside (none, if need be)
            UPDATE t AS child SET u_id = NULL WHERE child.u_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM u AS parent
              WHERE parent.id = child.u_id)
        - add fk_t_u_id_u to t (ACCESS EXCLUSIVE on t)
            = CREATE TABLE t (id INTEGER PRIMARY KEY, u_id INTEGER, CONSTRAINT fk_t_u_id_u FOREIGN KEY(u_id)
              REFERENCES u (id) ON DELETE SET NULL)
          < drop fk_t_u_id_u of t (ACCESS EXCLUSIVE on t)
            = CREATE TABLE t (id INTEGER PRIMARY KEY, u_id INTEGER)
        """,
    ),
}


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("case", CASES)
def test_constraints_are_added_in_two_parts(project: Project, case: str, dialect: str) -> None:
    assert CASES[case].written(project, dialect) == CASES[case].expected(dialect)
