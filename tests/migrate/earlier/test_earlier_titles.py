"""Step titles in ledgers of commit e8d3eb6, for the cases of test_text_*, are still recognised."""

from pathlib import Path

import pytest

from service.migrate.state.titles import current, is_same
from tests.migrate.operations.every import CASES, sequences
from tests.migrate.operations.written import DIALECTS
from tests.migrate.project import Project

# Operations that the earlier version did not have.
NEW = {"replace_index", "replace_constraint of unique values", "set_comment"}


@pytest.mark.parametrize("dialect", DIALECTS)
def test_an_earlier_title_is_read_as_the_title_of_its_step(dialect: str, project: Project) -> None:
    earlier = (Path(__file__).parent / f"titles.{dialect}.txt").read_text().splitlines()
    today = {
        action.title
        for name, case in CASES.items()
        if name not in NEW
        for actions in sequences(case.planned(project, dialect))
        for action in actions
    }
    assert {current(title, dialect) for title in earlier} == today
    assert {current(title, dialect) for title in today} == today


def test_the_reason_of_an_execute_is_not_mistaken_for_an_earlier_title() -> None:
    assert is_same("drop the index ix of t", "drop the index ix of t", "sqlite")
    assert is_same("drop the index ix of t", "DROP INDEX CONCURRENTLY ix ON t", "postgresql")
    assert not is_same("drop the index ix of t", "DROP INDEX CONCURRENTLY iy ON t", "postgresql")
