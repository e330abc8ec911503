import subprocess
from pathlib import Path

import pytest

from tests.docs.followed import follow
from tests.project.files import read

pytestmark = pytest.mark.slow


def test_a_noun_that_is_added_by_the_page_passes_tests_and_lint(tmp_path: Path) -> None:
    folder = follow(read("docs/adding-a-noun.md"), tmp_path / "roster", "create_rooms")
    subprocess.run([folder / ".venv/bin/ruff", "check", "--quiet", "."], cwd=folder, check=True)
