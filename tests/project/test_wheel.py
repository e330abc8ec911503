import ensurepip
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from service import __version__
from tests import loopback
from tests.cli.servers import serving
from tests.project.files import ROOT

# One process: each would import the service again.
CHECKS = """
import service
from service.cli import main

print(service.__file__)
for command in ("current", "check"):
    main(["db", "alembic", command], standalone_mode=False)
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder], cwd=ROOT, check=True)
    (file,) = folder.glob("*.whl")
    return file


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The commands of an environment with the wheel; its dependencies come from the environment of the tests."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder)
    # The pip that venv would unpack, which takes longer than all the rest, runs from its wheel.
    places = [Path(ensurepip.__file__).parent / "_bundled", sysconfig.get_config_var("WHEEL_PKG_DIR")]
    program = next(wheel for place in filter(None, places) for wheel in Path(place).glob("pip-*.whl")) / "pip"
    pip = [str(folder / "bin/python"), str(program), "install", "--quiet", "--no-index", "--no-deps", str(wheel)]
    subprocess.run(pip, check=True)
    (site,) = folder.glob("lib/python*/site-packages")
    lent = [each for each in sys.path if each.endswith("site-packages")]
    # Not by sitecustomize, of which Debian's Python has one that is found first.
    (site / "lent.pth").write_text(f"import sys; sys.path += {lent!r}\n")
    return folder / "bin"


def run(command: Path, *words: str, folder: Path) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("ROSTER_", "PYTHON"))}
    done = subprocess.run([command, *words], cwd=folder, env=environment, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_wheel_holds_every_revision_below_the_package(wheel: Path) -> None:
    held = set(zipfile.ZipFile(wheel).namelist())
    revisions = {f"service/{each.relative_to(ROOT)}" for each in (ROOT / "alembic").rglob("*.py")}
    assert revisions | {"service/alembic.ini", "service/alembic/script.py.mako"} <= held
    assert {name.partition("/")[0] for name in held} == {"service", f"roster-{__version__}.dist-info"}


@pytest.mark.slow
def test_an_installed_wheel_migrates_the_database_of_another_project(installed: Path, tmp_path: Path) -> None:
    """Not Roster's, whose revisions are in the wheel too."""
    library = shutil.copytree(ROOT / "tests/migrate/foreign/project", tmp_path / "library")
    assert "The database is at c20d64f7e811" in run(
        installed / "python", "-m", "service.migrate", "upgrade", folder=library
    )
    assert "c20d64f7e811 (head)" in run(installed / "python", "-m", "alembic", "current", folder=library)
    assert "is at c20d64f7e811" in run(installed / "python", "-m", "library", "db", "status", folder=library)


@pytest.mark.slow
def test_an_installed_wheel_upgrades_and_serves_a_database_without_a_checkout(installed: Path, tmp_path: Path) -> None:
    assert "The database is at" in run(installed / "roster", "db", "upgrade", folder=tmp_path)
    where, *answers = run(installed / "python", "-c", CHECKS, folder=tmp_path).splitlines()
    assert Path(where).is_relative_to(installed.parent)
    assert "(head)" in answers[0]
    assert "No new upgrade" in answers[-1]
    database = f"sqlite:///{tmp_path}/roster.db"
    with serving(database, tmp_path / "log", executable=installed / "python") as (base, _):
        assert loopback.get(f"{base}/readyz").json()["status"] == "ready"
        assert loopback.get(f"{base}/docs").status_code == 200
