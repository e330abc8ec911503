import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from service.migrate import naming
from service.migrate.__main__ import main
from service.naming import use_roster

PROJECT = Path(__file__).parent / "project"
Run = Callable[..., Result]


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The library's folder, copied, as the working folder of a process in which nothing is Roster's."""
    folder = tmp_path / "library"
    shutil.copytree(PROJECT, folder, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.chdir(folder)
    for name in os.environ:
        if name.startswith("ROSTER_") or name in ("ALEMBIC_CONFIG", "DATABASE_URL"):
            monkeypatch.delenv(name)
    monkeypatch.setattr(sys, "path", [*sys.path])
    naming.use(naming.Naming())
    naming.use_files()
    yield folder
    use_roster()
    for name in [each for each in sys.modules if each.partition(".")[0] == "library"]:
        del sys.modules[name]


@pytest.fixture
def run(library: Path) -> Iterator[Run]:
    """Runs `python -m service.migrate` in that folder; what it printed in a test has nothing of Roster's."""
    printed: list[str] = []

    def invoke(*arguments: str, status: int = 0, **environment: str) -> Result:
        result = CliRunner().invoke(main, arguments, env=environment, prog_name="python -m service.migrate")
        # The tests' own database may have the name.
        printed.append(result.output.replace(environment.get("LIBRARY_DATABASE_URL") or str(library), ""))
        assert result.exit_code == status, (result.output, result.exc_info)
        return result

    yield invoke
    text = "\n".join(printed)
    assert "roster" not in text.lower(), text
