"""SQL text of dropped and replaced constraints, which the downgrade restores."""

import pytest

from tests.migrate.operations.written import DIALECTS, Case
from tests.migrate.project import Project

CASES = {
    "drop_constraint, a check": Case(
        up='ops.drop_constraint("t", sa.CheckConstraint("b > 0", name="ck"))',
        postgresql="""
        expand:
        - DROP CONSTRAINT ck ON t (ACCESS EXCLUSIVE on t)
            ALTER TABLE t DROP CONSTRAINT ck
          < ADD CONSTRAINT ck ON t NOT VALID (ACCESS EXCLUSIVE on t)
            ALTER TABLE t ADD CONSTRAINT ck CHECK (b > 0) NOT VALID
          < VALIDATE CONSTRAINT ck ON t (SHARE UPDATE EXCLUSIVE on t)
            ALTER TABLE t VALIDATE CONSTRAINT ck
        undo:
        ? Rows of t violate CHECK (b > 0)
        """,
        sqlite="""
        expand:
        - DROP CONSTRAINT ck ON t (ACCESS EXCLUSIVE on t)
            = CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT NOT NULL, b INTEGER DEFAULT 1, c TEXT)
          < ADD CONSTRAINT ck ON t (ACCESS EXCLUSIVE on t)
            = CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT NOT NULL, b INTEGER DEFAULT 1, c TEXT, CONSTRAINT ck
              CHECK (b > 0))
        undo:
        ? Rows of t violate CHECK (b > 0)
        """,
    ),
    "drop_constraint, a unique one": Case(
        tables=("CREATE TABLE t (id INTEGER PRIMARY KEY, c TEXT, CONSTRAINT uq UNIQUE (c))",),
        up='ops.drop_constraint("t", sa.UniqueConstraint("c", name="uq"))',
        postgresql="""
        expand:
        ? uq of t cannot be dropped before its dependents
        - DROP CONSTRAINT uq ON t (ACCESS EXCLUSIVE on t)
            ALTER TABLE t DROP CONSTRAINT uq
          < CREATE UNIQUE INDEX CONCURRENTLY uq ON t (SHARE UPDATE EXCLUSIVE on t, alone)
            DROP INDEX CONCURRENTLY IF EXISTS uq
            CREATE UNIQUE INDEX CONCURRENTLY uq ON t (c)
          < ADD CONSTRAINT uq ON t USING INDEX (ACCESS EXCLUSIVE on t)
            ALTER TABLE t ADD CONSTRAINT uq UNIQUE USING INDEX uq
        undo:
        ? Rows of t violate UNIQUE (c)
            SELECT c FROM t WHERE c IS NOT NULL GROUP BY c HAVING count(*) > 1 ORDER BY c
        """,
        sqlite="""
        expand:
        ? uq of t cannot be dropped before its dependents
        - DROP CONSTRAINT uq ON t (ACCESS EXCLUSIVE on t)
            = CREATE TABLE t (id INTEGER PRIMARY KEY, c TEXT)
          < ADD CONSTRAINT uq ON t (ACCESS EXCLUSIVE on t)
            = CREATE TABLE t (id INTEGER PRIMARY KEY, c TEXT, CONSTRAINT uq UNIQUE (c))
        undo:
        ? Rows of t violate UNIQUE (c)
            SELECT c FROM t WHERE c IS NOT NULL GROUP BY c HAVING count(*) > 1 ORDER BY c
        """,
    ),
    "drop_constraint, a foreign key": Case(
        tables=(
            "CREATE TABLE u (id INTEGER PRIMARY KEY)",
            "CREATE TABLE t (id INTEGER PRIMARY KEY, u_id INTEGER, CONSTRAINT fk FOREIGN KEY (u_id) REFERENCES u (id))",
        ),
        up='ops.drop_constraint("t", sa.ForeignKeyConstraint(["u_id"], ["u.id"], name="fk"))',
        postgresql="""
        expand:
        - DROP CONSTRAINT fk ON t (ACCESS EXCLUSIVE on t, u)
            ALTER TABLE t DROP CONSTRAINT fk
          < ADD CONSTRAINT fk ON t NOT VALID (SHARE ROW EXCLUSIVE on t, u)
            ALTER TABLE t ADD CONSTRAINT fk FOREIGN KEY(u_id) REFERENCES u (id) NOT VALID
          < VALIDATE CONSTRAINT fk ON t (SHARE UPDATE EXCLUSIVE on t)
            ALTER TABLE t VALIDATE CONSTRAINT fk
        undo:
        ? Rows of t violate FOREIGN KEY (u_id) REFERENCES u
            SELECT child.u_id FROM t AS child WHERE child.u_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM u AS parent
              WHERE parent.id = child.u_id) ORDER BY child.u_id
        """,
        sqlite="""
        expand:
        - DROP CONSTRAINT fk ON t (ACCESS EXCLUSIVE on t, u)
            = CREATE TABLE t (id INTEGER PRIMARY KEY, u_id INTEGER)
          < ADD CONSTRAINT fk ON t (ACCESS EXCLUSIVE on t)
            = CREATE TABLE t (id INTEGER PRIMARY KEY, u_id INTEGER, CONSTRAINT fk FOREIGN KEY(u_id) REFERENCES u
              (id))
        undo:
        ? Rows of t violate FOREIGN KEY (u_id) REFERENCES u
            SELECT child.u_id FROM t AS child WHERE child.u_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM u AS parent
              WHERE parent.id = child.u_id) ORDER BY child.u_id
        """,
    ),
    "replace_constraint, a check": Case(
        up="""
        ops.replace_constraint("t", sa.CheckConstraint("b > 0", name="ck"), sa.CheckConstraint("b >= 0", name="ck"))
        """,
        postgresql="""
        expand:
        ? Rows of t violate CHECK (b >= 0)
        - REPLACE CONSTRAINT ck ON t (ACCESS EXCLUSIVE on t)
            ALTER TABLE t DROP CONSTRAINT ck
            ALTER TABLE t ADD CONSTRAINT ck CHECK (b >= 0) NOT VALID
          < REPLACE CONSTRAINT ck ON t (ACCESS EXCLUSIVE on t)
            ALTER TABLE t DROP CONSTRAINT ck
            ALTER TABLE t ADD CONSTRAINT ck CHECK (b > 0) NOT VALID
          < VALIDATE CONSTRAINT ck ON t (SHARE UPDATE EXCLUSIVE on t)
            ALTER TABLE t VALIDATE CONSTRAINT ck
        - VALIDATE CONSTRAINT ck ON t (SHARE UPDATE EXCLUSIVE on t)
            ALTER TABLE t VALIDATE CONSTRAINT ck
        undo:
        ? Rows of t violate CHECK (b > 0)
        """,
        sqlite="""
        expand:
        ? Rows of t violate CHECK (b >= 0)
        - REPLACE CONSTRAINT ck ON t (ACCESS EXCLUSIVE on t)
            = CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT NOT NULL, b INTEGER DEFAULT 1, c TEXT, CONSTRAINT ck
              CHECK (b >= 0))
          < REPLACE CONSTRAINT ck ON t (ACCESS EXCLUSIVE on t)
            = CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT NOT NULL, b INTEGER DEFAULT 1, c TEXT, CONSTRAINT ck
              CHECK (b > 0))
        undo:
        ? Rows of t violate CHECK (b > 0)
        """,
    ),
    "replace_constraint, a foreign key": Case(
        tables=(
            "CREATE TABLE u (id INTEGER PRIMARY KEY)",
            "CREATE TABLE t (id INTEGER PRIMARY KEY, u_id INTEGER, CONSTRAINT fk FOREIGN KEY (u_id) REFERENCES u (id))",
        ),
        up="""
        ops.replace_constraint(
            "t",
            sa.ForeignKeyConstraint(["u_id"], ["u.id"], name="fk"),
            sa.ForeignKeyConstraint(["u_id"], ["u.id"], name="fk_t_u_id_u", ondelete="CASCADE"),
        )
        """,
        postgresql="""
        expand:
        ? Rows of t violate FOREIGN KEY (u_id) REFERENCES u
            SELECT child.u_id FROM t AS child WHERE child.u_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM u AS parent
              WHERE parent.id = child.u_id) ORDER BY child.u_id
        - REPLACE CONSTRAINT fk ON t BY fk_t_u_id_u (ACCESS EXCLUSIVE on t, u)
            ALTER TABLE t DROP CONSTRAINT fk
            ALTER TABLE t ADD CONSTRAINT fk_t_u_id_u FOREIGN KEY(u_id) REFERENCES u (id) ON DELETE CASCADE NOT VALID
          < REPLACE CONSTRAINT fk_t_u_id_u ON t BY fk (ACCESS EXCLUSIVE on t, u)
            ALTER TABLE t DROP CONSTRAINT fk_t_u_id_u
            ALTER TABLE t ADD CONSTRAINT fk FOREIGN KEY(u_id) REFERENCES u (id) NOT VALID
          < VALIDATE CONSTRAINT fk ON t (SHARE UPDATE EXCLUSIVE on t)
            ALTER TABLE t VALIDATE CONSTRAINT fk
        - VALIDATE CONSTRAINT fk_t_u_id_u ON t (SHARE UPDATE EXCLUSIVE on t)
            ALTER TABLE t VALIDATE CONSTRAINT fk_t_u_id_u
        undo:
        ? Rows of t violate FOREIGN KEY (u_id) REFERENCES u
            SELECT child.u_id FROM t AS child WHERE child.u_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM u AS …
        """,
        sqlite="""
        expand:
        ? Rows of t violate FOREIGN KEY (u_id) REFERENCES u
            SELECT child.u_id FROM t AS child WHERE child.u_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM u AS parent
              WHERE parent.id = child.u_id) ORDER BY child.u_id
        - REPLACE CONSTRAINT fk ON t BY fk_t_u_id_u (ACCESS EXCLUSIVE on t, u)
            = CREATE TABLE t (id INTEGER PRIMARY KEY, u_id INTEGER, CONSTRAINT fk_t_u_id_u FOREIGN KEY(u_id)
              REFERENCES u (id) ON DELETE CASCADE)
          < REPLACE CONSTRAINT fk_t_u_id_u ON t BY fk (ACCESS EXCLUSIVE on t, u)
            = CREATE TABLE t (id INTEGER PRIMARY KEY, u_id INTEGER, CONSTRAINT fk FOREIGN KEY(u_id) REFERENCES u
              (id))
        undo:
        ? Rows of t violate FOREIGN KEY (u_id) REFERENCES u
            SELECT child.u_id FROM t AS child WHERE child.u_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM u AS …
        """,
    ),
    "replace_constraint of unique values": Case(
        tables=("CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, c TEXT, CONSTRAINT uq UNIQUE (c))",),
        up="""
        ops.replace_constraint(
            "t",
            sa.UniqueConstraint("c", name="uq"),
            sa.UniqueConstraint("c", "a", name="uq", postgresql_nulls_not_distinct=True),
        )
        """,
        postgresql="""
        expand:
        ? uq of t cannot be dropped before its dependents
        ? Rows of t violate UNIQUE (c, a)
            SELECT c, a FROM t GROUP BY c, a HAVING count(*) > 1 ORDER BY c, a
        - CREATE UNIQUE INDEX CONCURRENTLY uq_next ON t (SHARE UPDATE EXCLUSIVE on t, alone)
            DROP INDEX CONCURRENTLY IF EXISTS uq_next
            CREATE UNIQUE INDEX CONCURRENTLY uq_next ON t (c, a) NULLS NOT DISTINCT
          < DROP INDEX CONCURRENTLY uq_next ON t (SHARE UPDATE EXCLUSIVE on t, alone)
            DROP INDEX CONCURRENTLY IF EXISTS uq_next
        - REPLACE CONSTRAINT uq ON t (ACCESS EXCLUSIVE on t)
            ALTER TABLE t DROP CONSTRAINT uq, ADD CONSTRAINT uq UNIQUE USING INDEX uq_next
          < CREATE UNIQUE INDEX CONCURRENTLY uq_next ON t (SHARE UPDATE EXCLUSIVE on t, alone)
            DROP INDEX CONCURRENTLY IF EXISTS uq_next
            CREATE UNIQUE INDEX CONCURRENTLY uq_next ON t (c)
          < REPLACE CONSTRAINT uq ON t (ACCESS EXCLUSIVE on t)
            ALTER TABLE t DROP CONSTRAINT uq, ADD CONSTRAINT uq UNIQUE USING INDEX uq_next
        undo:
        ? Rows of t violate UNIQUE (c)
            SELECT c FROM t WHERE c IS NOT NULL GROUP BY c HAVING count(*) > 1 ORDER BY c
        ? uq of t cannot be dropped before its dependents
        """,
        sqlite="""
        expand:
        ? uq of t cannot be dropped before its dependents
        ? Rows of t violate UNIQUE (c, a)
            SELECT c, a FROM t WHERE c IS NOT NULL AND a IS NOT NULL GROUP BY c, a HAVING count(*) > 1 ORDER BY c, a
        - REPLACE CONSTRAINT uq ON t (ACCESS EXCLUSIVE on t)
            = CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, c TEXT, CONSTRAINT uq UNIQUE (c, a))
          < REPLACE CONSTRAINT uq ON t (ACCESS EXCLUSIVE on t)
            = CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, c TEXT, CONSTRAINT uq UNIQUE (c))
        undo:
        ? Rows of t violate UNIQUE (c)
            SELECT c FROM t WHERE c IS NOT NULL GROUP BY c HAVING count(*) > 1 ORDER BY c
        ? uq of t cannot be dropped before its dependents
        """,
    ),
}


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("case", CASES)
def test_constraints_go_in_a_moment_and_come_back_in_two_parts(project: Project, case: str, dialect: str) -> None:
    assert CASES[case].written(project, dialect) == CASES[case].expected(dialect)
