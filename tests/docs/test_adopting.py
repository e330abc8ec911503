from pathlib import Path

import pytest

from tests.docs.consoles import Session, steps
from tests.migrate.project import copied
from tests.project.files import read

pytestmark = pytest.mark.slow


def test_the_page_works_from_top_to_bottom(tmp_path: Path) -> None:
    with copied(tmp_path / "project") as project:
        session = Session(project.folder)
        for step in steps(read("docs/adopting.md")):
            output = session.run(step.command)
            assert step.is_met_by(output), f"line {step.line}: $ {step.command}\n{output}"
