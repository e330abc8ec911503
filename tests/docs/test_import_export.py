from pathlib import Path

import pytest

from tests.docs.consoles import Session, steps
from tests.project.files import read

pytestmark = pytest.mark.slow


def test_the_commands_of_import_and_export_give_what_is_shown(tmp_path: Path) -> None:
    session = Session(tmp_path)
    for step in steps(read("docs/import-export.md")):
        output = session.run(step.command)
        assert step.is_met_by(output), f"line {step.line}: $ {step.command}\n{output}"
