"""docs/lint.md lists the rules as the registry has them."""

import re
from pathlib import Path

import pytest

from service.migrate.proof.lint.lint import listed
from service.migrate.proof.lint.rule import Family
from tests.migrate.proof.lint.conftest import run

PAGE = Path(__file__).parents[4] / "docs/lint.md"
MARK = "## The rules\n"
NAMES = {"postgresql": "PostgreSQL", "sqlite": "SQLite"}


def tables() -> str:
    """What stands below the heading: a table for each family."""
    lines = []
    for family in Family:
        lines += [
            "",
            f"### {family}",
            "",
            "| rule | level | on | what users feel | the safe way |",
            "|---|---|---|---|---|",
        ]
        for each in (rule for rule in listed() if rule.family is family):
            on = ", ".join(NAMES[name] for name in each.databases)
            advice = f"{each.advice}. Since: {each.versions}" if each.versions else each.advice
            cells = [f"`{each.id}`", str(each.level), on, each.effect, advice]
            lines.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
    return "\n".join(lines) + "\n"


def test_the_page_lists_every_rule() -> None:
    """After a change of a rule, write `tables()` below the heading of the page."""
    assert PAGE.read_text().partition(MARK)[2] == tables()


@pytest.mark.slow
def test_the_command_of_the_page_prints_what_the_page_shows() -> None:
    ((command, output),) = re.findall(r"^\$ roster db lint ?(.*)\n(.*)$", PAGE.read_text(), re.MULTILINE)
    assert re.fullmatch(output.replace(".", r"\.").replace("…", r"\d+") + "\n", run(*command.split()).stdout)
