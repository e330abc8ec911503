import ensurepip
import importlib.util
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

# One process for several commands: each would import the service again.
CHECKS = """
import service
from service.cli import main

print(service.__file__)
for command in (["upgrade"], ["alembic", "current"], ["alembic", "check"]):
    main(["db", *command], standalone_mode=False)
"""
# What `python -m` does.
MODULES = """
import runpy
import sys

for module, *words in (["service.migrate", "upgrade"], ["alembic", "current"], ["library", "db", "status"]):
    sys.argv = [module, *words]
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as end:
        if end.code:
            raise
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
    pip = [str(folder / "bin/python"), str(_pip()), "install", "--quiet", "--no-index", "--no-deps", str(wheel)]
    subprocess.run(pip, check=True)
    (site,) = folder.glob("lib/python*/site-packages")
    lent = [each for each in sys.path if each.endswith("site-packages")]
    # Not by sitecustomize, of which Debian's Python has one that is found first.
    (site / "lent.pth").write_text(f"import sys; sys.path += {lent!r}\n")
    return folder / "bin"


def _pip() -> Path:
    """The pip that is installed for the tests, or the wheel of it that venv would unpack."""
    if found := importlib.util.find_spec("pip"):
        return Path(str(found.origin)).parent
    places = [Path(ensurepip.__file__).parent / "_bundled", sysconfig.get_config_var("WHEEL_PKG_DIR")]
    return next(wheel for place in filter(None, places) for wheel in Path(place).glob("pip-*.whl")) / "pip"


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
    upgrade, current, status = run(installed / "python", "-c", MODULES, folder=library).partition("c20d64f7e811 (head)")
    assert "The database is at c20d64f7e811" in upgrade
    assert current
    assert "is at c20d64f7e811" in status


@pytest.mark.slow
def test_an_installed_wheel_upgrades_and_serves_a_database_without_a_checkout(installed: Path, tmp_path: Path) -> None:
    where, *answers = run(installed / "python", "-c", CHECKS, folder=tmp_path).splitlines()
    assert Path(where).is_relative_to(installed.parent)
    assert "The database is at" in answers[-3]
    assert "(head)" in answers[-2]
    assert "No new upgrade" in answers[-1]
    database = f"sqlite:///{tmp_path}/roster.db"
    with serving(database, tmp_path / "log", command=[installed / "roster"]) as (base, _):
        assert loopback.get(f"{base}/readyz").json()["status"] == "ready"
        assert loopback.get(f"{base}/docs").status_code == 200
