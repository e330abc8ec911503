"""docs/other-projects.md shows the files of the library, and what its commands print."""

import re
from pathlib import Path

from tests.docs.consoles import steps
from tests.migrate.foreign.conftest import PROJECT, Run
from tests.project.files import read

PAGE = read("docs/other-projects.md")
BLOCKS = re.compile(
    r"`(?P<file>[\w./]+)`[^`]*?(?:`\w+`[^`]*?)*\n\n```(?:ini|python|mako)\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE
)


def test_the_page_shows_the_files_of_the_library() -> None:
    shown = {block["file"]: block["text"] for block in BLOCKS.finditer(PAGE)}
    assert shown.keys() == {
        "alembic.ini",
        "migrations/env.py",
        "migrations/script.py.mako",
        "migrations/versions/0d72be58c6e1_give_each_shelf_a_room.py",
        "library/__main__.py",
        "library/schema.py",
    }
    assert len(shown) == len(re.findall("^```(?:ini|python|mako)$", PAGE, re.MULTILINE))
    assert shown == {file: (PROJECT / file).read_text() for file in shown}


def test_the_commands_of_the_page_print_what_it_shows(run: Run) -> None:
    for step in steps(PAGE):
        words = step.command.removeprefix("python -m service.migrate ").split()
        assert step.is_met_by(run(*words).output), step


def test_the_page_has_every_name_of_a_project_with_its_default() -> None:
    from service.migrate.naming import Naming

    rows = re.findall(r"^\| `(\w+)` \| .* \| (?:`(.*)`)? ?\|$", PAGE, re.MULTILINE)
    naming = Naming()
    defaults = {name: getattr(naming, name) for name in Naming.__dataclass_fields__}
    assert dict(rows) == {name: str(value) if value or value is False else "" for name, value in defaults.items()}


def test_the_example_is_about_twenty_lines() -> None:
    code = [line for line in Path(PROJECT / "migrations/env.py").read_text().splitlines() if line.strip()]
    assert len(code) <= 20
