import re
from pathlib import Path

import pytest

from tests.docs.consoles import Session, steps
from tests.project.files import ROOT, read

pytestmark = pytest.mark.slow

PAGE = read("docs/troubleshooting.md")
MESSAGES = re.findall(r"^\| `(.+?)`", PAGE, re.MULTILINE)


def _sources() -> str:
    """All text of the service, with the strings that several lines hold joined."""
    text = "\n".join(path.read_text() for path in (ROOT / "service").rglob("*.py"))
    return re.sub(r'"\s*\n\s*f?"', "", text)


def test_every_message_of_the_page_stands_in_the_source() -> None:
    sources = _sources()
    fragments = {each.strip() for message in MESSAGES for each in message.split("…") if each.strip()}
    assert len(MESSAGES) > 20
    assert {each for each in fragments if each not in sources} == set()


def test_the_commands_of_the_page_work_one_after_the_other(tmp_path: Path) -> None:
    session = Session(tmp_path)
    for step in steps(PAGE):
        output = session.run(f"{step.command} && echo good")
        assert output.endswith("good\n"), f"$ {step.command}\n{output}"
