import re
from pathlib import Path

import pytest

from tests.project.files import ROOT, read, read_yaml, schema_findings

DECISIONS = sorted((ROOT / "docs/decisions").glob("[0-9]*.md"))


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
    files = (ROOT / ".github").rglob("*.yml")
    # An action of this repository comes with the commit itself.
    used = [each for file in files for each in re.findall(r"uses: (?!\./)(\S+)(.*)", file.read_text())]
    loose = [name for name, note in used if not re.search(r"@[0-9a-f]{40}$", name) or not re.match(r" # v\d", note)]
    assert used
    assert loose == []


def test_pre_commit_runs_a_target_of_the_makefile() -> None:
    (repository,) = read_yaml(".pre-commit-config.yaml")["repos"]
    (hook,) = repository["hooks"]
    assert hook["entry"].removeprefix("make ") in re.findall(r"^([a-z-]+):", read("Makefile"), re.MULTILINE)


def test_the_index_of_decisions_lists_each_page_with_title_status_and_date() -> None:
    rows = [line for line in read("docs/decisions/README.md").splitlines() if re.match(r"\| \d", line)]
    assert rows == [_row(page) for page in DECISIONS]


def _row(page: Path) -> str:
    """The row that the page's own heading and status make."""
    text = page.read_text()
    heading = re.match(r"# (\d+)\. (.+)", text)
    status = re.search(r"^\*\*Status\.\*\* (\w+), (\d{4}-\d\d-\d\d)", text, re.MULTILINE)
    assert heading, f"{page.name} begins with no numbered heading"
    assert status, f"{page.name} has no line of its status and date"
    assert int(page.name[:4]) == int(heading[1])
    return f"| {heading[1]} | [{heading[2]}]({page.name}) | {status[1].lower()} | {status[2]} |"
