"""SQL text of indexes: built concurrently, after an invalid index of a failed build is dropped."""

import pytest

from tests.migrate.operations.written import DIALECTS, TABLE, Case
from tests.migrate.project import Project

CASES = {
    "create_index": Case(
        up='ops.create_index("ix_t_c", "t", ["c", "a"])',
        postgresql="""
        expand:
        - CREATE INDEX CONCURRENTLY ix_t_c ON t (SHARE UPDATE EXCLUSIVE on t, alone)
            DROP INDEX CONCURRENTLY IF EXISTS ix_t_c
            CREATE INDEX CONCURRENTLY ix_t_c ON t (c, a)
          < DROP INDEX CONCURRENTLY ix_t_c ON t (SHARE UPDATE EXCLUSIVE on t, alone)
            DROP INDEX CONCURRENTLY IF EXISTS ix_t_c
        - ANALYZE t FOR ix_t_c (SHARE UPDATE EXCLUSIVE on t)
            ANALYZE t
        """,
        sqlite="""
        expand:
        - CREATE INDEX ix_t_c ON t (SHARE UPDATE EXCLUSIVE on t)
            CREATE INDEX ix_t_c ON t (c, a)
          < DROP INDEX ix_t_c ON t (SHARE UPDATE EXCLUSIVE on t)
            DROP INDEX IF EXISTS ix_t_c
        """,
    ),
    "create_index, unique and partial": Case(
        up="""
        ops.create_index("ix_t_lower", "t", ["lower(c)", "a DESC"], unique=True, where="b > 0", using="btree")
        """,
        postgresql="""
        expand:
        ? Rows of t violate UNIQUE (lower(c), a)
            SELECT lower(c), a FROM t WHERE lower(c) IS NOT NULL AND a IS NOT NULL AND (b > 0) GROUP BY lower(c), a
              HAVING count(*) > 1 ORDER BY lower(c), a
        - CREATE INDEX CONCURRENTLY ix_t_lower ON t (SHARE UPDATE EXCLUSIVE on t, alone)
            DROP INDEX CONCURRENTLY IF EXISTS ix_t_lower
            CREATE UNIQUE INDEX CONCURRENTLY ix_t_lower ON t USING btree (lower(c), a DESC) WHERE b > 0
          < DROP INDEX CONCURRENTLY ix_t_lower ON t (SHARE UPDATE EXCLUSIVE on t, alone)
            DROP INDEX CONCURRENTLY IF EXISTS ix_t_lower
        - ANALYZE t FOR ix_t_lower (SHARE UPDATE EXCLUSIVE on t)
            ANALYZE t
        """,
        sqlite="""
        expand:
        ? Rows of t violate UNIQUE (lower(c), a)
            SELECT lower(c), a FROM t WHERE lower(c) IS NOT NULL AND a IS NOT NULL AND (b > 0) GROUP BY lower(c), a
              HAVING count(*) > 1 ORDER BY lower(c), a
        - CREATE INDEX ix_t_lower ON t (SHARE UPDATE EXCLUSIVE on t)
            CREATE UNIQUE INDEX ix_t_lower ON t (lower(c), a DESC) WHERE b > 0
          < DROP INDEX ix_t_lower ON t (SHARE UPDATE EXCLUSIVE on t)
            DROP INDEX IF EXISTS ix_t_lower
        """,
    ),
    "drop_index": Case(
        tables=(
            "CREATE TABLE t (id INTEGER PRIMARY KEY, c TEXT)",
            "CREATE INDEX ix_t_c ON t (c)",
        ),
        up='ops.drop_index("ix_t_c", "t", ["c"])',
        postgresql="""
        expand:
        - DROP INDEX CONCURRENTLY ix_t_c ON t (SHARE UPDATE EXCLUSIVE on t, alone)
            DROP INDEX CONCURRENTLY IF EXISTS ix_t_c
          < CREATE INDEX CONCURRENTLY ix_t_c ON t (SHARE UPDATE EXCLUSIVE on t, alone)
            DROP INDEX CONCURRENTLY IF EXISTS ix_t_c
            CREATE INDEX CONCURRENTLY ix_t_c ON t (c)
          < ANALYZE t FOR ix_t_c (SHARE UPDATE EXCLUSIVE on t)
            ANALYZE t
        """,
        sqlite="""
        expand:
        - DROP INDEX ix_t_c ON t (SHARE UPDATE EXCLUSIVE on t)
            DROP INDEX IF EXISTS ix_t_c
          < CREATE INDEX ix_t_c ON t (SHARE UPDATE EXCLUSIVE on t)
            CREATE INDEX ix_t_c ON t (c)
        """,
    ),
    "replace_index": Case(
        tables=(TABLE, "CREATE INDEX ix_t_c ON t (c)"),
        up="""
        ops.replace_index(
            "t", sa.Index("ix_t_c", "c"), sa.Index("ix_t_c", "c", sa.text("lower(a)"), postgresql_include=["b"])
        )
        """,
        postgresql="""
        expand:
        - CREATE INDEX CONCURRENTLY ix_t_c_next ON t (SHARE UPDATE EXCLUSIVE on t, alone)
            DROP INDEX CONCURRENTLY IF EXISTS ix_t_c_next
            CREATE INDEX CONCURRENTLY ix_t_c_next ON t (c, lower(a)) INCLUDE (b)
          < DROP INDEX CONCURRENTLY ix_t_c_next ON t (SHARE UPDATE EXCLUSIVE on t, alone)
            DROP INDEX CONCURRENTLY IF EXISTS ix_t_c_next
        - REPLACE INDEX ix_t_c ON t (ACCESS EXCLUSIVE on t)
            DO $comment$ …
            DROP INDEX ix_t_c
            ALTER INDEX ix_t_c_next RENAME TO ix_t_c
          < CREATE INDEX CONCURRENTLY ix_t_c_next ON t (SHARE UPDATE EXCLUSIVE on t, alone)
            DROP INDEX CONCURRENTLY IF EXISTS ix_t_c_next
            CREATE INDEX CONCURRENTLY ix_t_c_next ON t (c)
          < REPLACE INDEX ix_t_c ON t (ACCESS EXCLUSIVE on t)
            DO $comment$ …
            DROP INDEX ix_t_c
            ALTER INDEX ix_t_c_next RENAME TO ix_t_c
        - ANALYZE t FOR ix_t_c (SHARE UPDATE EXCLUSIVE on t)
            ANALYZE t
        """,
        sqlite="""
        expand:
        - REPLACE INDEX ix_t_c ON t (SHARE UPDATE EXCLUSIVE on t)
            DROP INDEX IF EXISTS ix_t_c
            CREATE INDEX ix_t_c ON t (c, lower(a))
          < REPLACE INDEX ix_t_c ON t (SHARE UPDATE EXCLUSIVE on t)
            DROP INDEX IF EXISTS ix_t_c
            CREATE INDEX ix_t_c ON t (c)
        """,
    ),
}


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("case", CASES)
def test_indexes_are_built_and_dropped_beside_the_traffic(project: Project, case: str, dialect: str) -> None:
    assert CASES[case].written(project, dialect) == CASES[case].expected(dialect)
