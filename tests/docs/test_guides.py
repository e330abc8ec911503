import re
from pathlib import Path

import pytest

from tests.docs.consoles import Session, steps
from tests.project.files import read

GUIDES = ["docs/ci.md", "docs/development.md", "docs/operations.md"]


@pytest.mark.parametrize("guide", GUIDES)
def test_every_make_target_of_the_guides_exists(guide: str) -> None:
    targets = set(re.findall(r"^([a-z-]+):", read("Makefile"), re.MULTILINE))
    named = {step.command.split()[1] for step in steps(read(guide)) if step.command.startswith("make ")}
    assert named <= targets


@pytest.mark.slow
def test_the_commands_for_ci_work_one_after_the_other(tmp_path: Path) -> None:
    session = Session(tmp_path)
    for step in steps(read("docs/ci.md")):
        if step.command.startswith("export "):
            continue
        output = session.run(f"{step.command} && echo good")
        assert output.endswith("good\n"), f"$ {step.command}\n{output}"


def test_the_guide_to_operations_tells_every_setting_and_its_default() -> None:
    from service.settings import PREFIX, Settings

    row = re.compile(r"^\| `(ROSTER_[A-Z0-9_]+)` \| (?:`([^`]*)`)? ?\|", re.MULTILINE)
    told = dict(row.findall(read("docs/operations.md")))
    settings = Settings()
    defaults = {f"{PREFIX}{name.upper()}": getattr(settings, name) for name in Settings.__dataclass_fields__}
    assert told == {name: _written(value) for name, value in defaults.items()}


def _written(value: object) -> str:
    if isinstance(value, tuple):
        return ",".join(value)
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)
