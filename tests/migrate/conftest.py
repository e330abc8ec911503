import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.migrate import commands, config
from tests.migrate.project import Project

ROOT = Path(commands.__file__).parents[2]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    """A copy of the migrations, to which a test may add its own."""
    folder = tmp_path / "project"
    shutil.copytree(ROOT / "alembic", folder / "alembic", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("alembic.ini", "pyproject.toml"):
        shutil.copy(ROOT / name, folder)
    monkeypatch.setattr(config, "folders", lambda: [folder])
    config.scripts.cache_clear()
    yield Project(folder=folder)
    config.scripts.cache_clear()
