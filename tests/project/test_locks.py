import re
import tomllib
from importlib.metadata import PackageNotFoundError, requires, version
from itertools import chain

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from service import __version__
from tests.project.files import read

LOCKS = ["requirements.lock", "requirements-dev.lock", "requirements-build.lock"]
PROJECT = tomllib.loads(read("pyproject.toml"))["project"]


def pins(lock: str) -> dict[str, str]:
    """Each package's name and the version that stands behind it."""
    return dict(re.findall(r"(?m)^([a-z0-9.-]+)(?:\[[a-z,]+\])?==(\S+)", read(lock)))


@pytest.mark.parametrize("lock", LOCKS)
def test_every_package_is_pinned_and_hashed(lock: str) -> None:
    packages = re.sub(r"\\\n\s*", "", read(lock)).splitlines()
    assert packages
    assert [
        line
        for line in packages
        if not re.fullmatch(r"[a-z0-9.-]+(\[[a-z,]+\])?==[^;]+?( ; .+?)?( ?--hash=sha256:\w{64})+", line)
    ] == []


@pytest.mark.parametrize("lock", LOCKS)
def test_no_lock_names_an_index_or_a_path(lock: str) -> None:
    assert re.findall(r"https?:|file:|-index|--find-links|\s/", read(lock)) == []


def test_the_locks_hold_what_the_project_asks_for() -> None:
    optional = PROJECT["optional-dependencies"]
    asked = {
        "requirements.lock": PROJECT["dependencies"],
        "requirements-dev.lock": [
            *PROJECT["dependencies"],
            *chain(*(optional[name] for name in ("test", "check", "build"))),
        ],
        "requirements-build.lock": optional["build"],
    }
    for lock, requirements in asked.items():
        pinned = pins(lock)
        for requirement in map(Requirement, requirements):
            assert requirement.specifier.contains(pinned[canonicalize_name(requirement.name)]), (lock, str(requirement))


def test_what_is_tested_is_what_is_deployed() -> None:
    tested = pins("requirements-dev.lock").items()
    assert pins("requirements.lock").items() <= tested
    assert pins("requirements-build.lock").items() <= tested


@pytest.mark.parametrize("lock", LOCKS)
def test_extras_that_packages_ask_of_one_another_are_pinned_with_them(lock: str) -> None:
    # pip takes the newest release for such a requirement, finds no hash for it, and gives up.
    asked = {
        requirement.name: requirement.extras
        for name in pins(lock)
        for requirement in map(Requirement, _requirements(name))
        if requirement.extras and (requirement.marker is None or requirement.marker.evaluate({"extra": ""}))
    }
    missing = [name for name, extras in asked.items() if f"\n{name}[{','.join(sorted(extras))}]==" not in read(lock)]
    assert missing == []


def _requirements(name: str) -> list[str]:
    try:
        return requires(name) or []
    except PackageNotFoundError:
        # Another platform's or another Python's.
        return []


def test_the_installed_version_is_the_projects() -> None:
    assert version("roster") == __version__
