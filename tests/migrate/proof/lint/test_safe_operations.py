from collections.abc import Iterator

import pytest

from service.migrate.proof.lint.lint import Asked, lint
from tests.migrate.operations.every import CASES
from tests.migrate.project import Project, copied

# Two tables have no primary key, some keys no index, and a text becomes an integer under its old name.
TRUE = {"table-without-primary-key", "changes-python-type", "foreign-key-without-index"}


@pytest.fixture
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    with copied(tmp_path_factory.mktemp("safe")) as own:
        own.clear()
        yield own


@pytest.mark.slow
def test_no_safe_operation_raises_a_false_alarm(project: Project) -> None:
    project.add_safe("0001_base", after=None)
    for number, case in enumerate(CASES.values(), start=2):
        project.add_safe(f"{number:04}_it", after="0001_base", **case.parts)
    found = lint(Asked(ignored=("several-heads", *TRUE))).findings
    assert [(list(CASES)[int(each.revision[:4]) - 2], each.rule, each.what) for each in found] == []
