import re
from pathlib import Path

import pytest

from tests.project.files import ROOT

PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_page_and_heading_that_a_page_links_to_is_there(page: Path) -> None:
    text = re.sub(r"```.*?```|`[^`\n]*`", "", page.read_text(), flags=re.DOTALL)
    dead = []
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        name, _, heading = target.partition("#")
        there = page.parent / name if name else page
        if not re.match(r"https?:|mailto:", target) and not (there.exists() and _has(there, heading)):
            dead.append(target)
    assert dead == []


def _has(page: Path, anchor: str) -> bool:
    """Whether a page has the heading that an anchor names, as GitHub spells anchors."""
    if not anchor or page.suffix != ".md":
        return True
    titles = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return anchor in {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}
