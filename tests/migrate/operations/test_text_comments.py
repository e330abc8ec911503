"""SQL text of set_comment: PostgreSQL stores comments, SQLite has none."""

import pytest

from tests.migrate.operations.written import DIALECTS, Case
from tests.migrate.project import Project

CASES = {
    "set_comment": Case(
        up="""
        ops.set_comment("t", "it's", was=None, column="a")
        ops.set_comment("t", None, was="all")
        """,
        postgresql="""
        expand:
        - COMMENT ON t.a (SHARE UPDATE EXCLUSIVE on t)
            COMMENT ON COLUMN t.a IS 'it''s'
          < COMMENT ON t.a (SHARE UPDATE EXCLUSIVE on t)
            COMMENT ON COLUMN t.a IS NULL
        - COMMENT ON t (SHARE UPDATE EXCLUSIVE on t)
            COMMENT ON TABLE t IS NULL
          < COMMENT ON t (SHARE UPDATE EXCLUSIVE on t)
            COMMENT ON TABLE t IS 'all'
        """,
        sqlite="""

        """,
    ),
}


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("case", CASES)
def test_a_comment_is_set_and_set_back(project: Project, case: str, dialect: str) -> None:
    assert CASES[case].written(project, dialect) == CASES[case].expected(dialect)
