import subprocess
from pathlib import Path

import pytest

from tests.docs.followed import follow
from tests.project.files import read

pytestmark = pytest.mark.slow


def test_a_column_that_is_added_by_the_page_passes_tests_and_lint(tmp_path: Path) -> None:
    folder = follow(read("docs/adding-a-column.md"), tmp_path / "roster", "add_pronouns_to_users")
    subprocess.run([folder / ".venv/bin/ruff", "check", "--quiet", "."], cwd=folder, check=True)
