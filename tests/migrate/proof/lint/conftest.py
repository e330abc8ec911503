from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from service.cli import main
from service.migrate.proof.finding import Finding
from service.migrate.proof.lint.lint import Asked, lint
from tests.migrate.project import Project, copied
from tests.migrate.proof.lint.bad import BASE

Findings = list[tuple[int, str]]
Look = Callable[..., Findings]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A history of one revision, whose folder is the working folder."""
    with copied(tmp_path_factory.mktemp("lint")) as own, pytest.MonkeyPatch.context() as patch:
        patch.chdir(own.folder)
        own.clear()
        own.add_safe("0001_base", after=None, up=BASE)
        yield own


@pytest.fixture
def look(project: Project) -> Iterator[Look]:
    """Adds a revision in Alembic's plain style, and returns the line and the rule of each of its findings."""

    def look(up: str, down: str = "op.execute('SELECT 1')", **asked: Any) -> Findings:
        project.add("0002_it", after="0001_base", up=up, down=down)
        return [(each.line, each.rule) for each in lint(Asked(since="0001_base", **asked)).findings]

    yield look
    for file in project.versions.glob("*.py"):
        if not file.name.startswith("0001"):
            project.remove(file.stem)


def judged(project: Project, bodies: Mapping[str, tuple[str, str]]) -> dict[str, list[Finding]]:
    """The findings of plain revisions with these bodies of upgrade() and downgrade(), each upon the base, by name."""
    ids = {f"t{number:03}": name for number, name in enumerate(bodies)}
    for id, name in ids.items():
        project.add(id, after="0001_base", up=bodies[name][0], down=bodies[name][1])
    found: dict[str, list[Finding]] = {name: [] for name in bodies}
    for each in lint(Asked(since="0001_base", ignored=("several-heads",))).findings:
        found[ids[each.revision]].append(each)
    for id in ids:
        project.remove(id)
    return found


def execute(*statements: str) -> str:
    """A body of statements in Alembic's plain style."""
    return "\n".join(f"op.execute({each!r})" for each in statements)


def run(*arguments: str, status: int = 0) -> Result:
    result = CliRunner().invoke(main, ["db", "lint", *arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exc_info
    assert result.exit_code == status, result.output
    return result


def lines(file: Path) -> list[str]:
    return file.read_text().splitlines()
