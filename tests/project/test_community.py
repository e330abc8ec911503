import re

import pytest

from tests.project.files import read, read_yaml, schema_findings


@pytest.mark.parametrize(
    ("schema", "path"),
    [
        ("vendor.dependabot", ".github/dependabot.yml"),
        ("vendor.github-issue-forms", ".github/ISSUE_TEMPLATE/bug.yml"),
        ("vendor.github-issue-forms", ".github/ISSUE_TEMPLATE/feature.yml"),
    ],
)
def test_github_can_read_its_files(schema: str, path: str) -> None:
    assert schema_findings(schema, path) == ""


def test_every_action_is_pinned_by_its_commit_and_names_its_version() -> None:
    used = re.findall(r"uses: (\S+)(.*)", read(".github/workflows/ci.yml"))
    loose = [name for name, note in used if not re.search(r"@[0-9a-f]{40}$", name) or not re.match(r" # v\d", note)]
    assert used
    assert loose == []


def test_pre_commit_runs_a_target_of_the_makefile() -> None:
    (repository,) = read_yaml(".pre-commit-config.yaml")["repos"]
    (hook,) = repository["hooks"]
    assert hook["entry"].removeprefix("make ") in re.findall(r"^([a-z-]+):", read("Makefile"), re.MULTILINE)
