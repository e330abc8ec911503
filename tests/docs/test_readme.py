"""The README, followed from top to bottom in a clean clone of the repository."""

import re
import socket
from pathlib import Path

import pytest

from tests.docs.clones import clone, left_running, terminal
from tests.docs.consoles import steps
from tests.programs import commands_of
from tests.project.files import read

README = read("README.md")


@pytest.mark.slow
def test_the_page_works_from_top_to_bottom_in_one_session(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    (first,) = re.findall(r"^```sh\n(make serve)\b", README, re.MULTILINE)
    folder = clone(tmp_path / "roster")
    with (
        commands_of(folder),
        left_running(f"{first} PORT={port}", folder, url),
        terminal(folder) as second,
    ):
        shown = list(steps(README.replace("http://127.0.0.1:8000", url)))
        assert len(shown) == 24
        for step in shown:
            output, status = second.run(step.command)
            assert step.is_met_by(output), f"README.md:{step.line}: $ {step.command}\n{output}"
            assert status == ("Error: " in output), f"README.md:{step.line}: $ {step.command}\n{output}"


def test_every_make_target_that_the_readme_names_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", read("Makefile"), re.MULTILINE))
    assert set(re.findall(r"^make ([a-z-]+)", README, re.MULTILINE)) <= targets


def test_every_figure_that_the_readme_gives_is_measured() -> None:
    figures = set(re.findall(r"\d{1,3}(?:,\d{3})+", README.partition("## Try it")[0]))
    assert {each for each in figures if each not in read("docs/performance.md")} == set()
