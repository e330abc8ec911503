import os
import re
import subprocess
from pathlib import Path

from tests.project.files import ROOT, read

TARGETS = {
    "serve",
    "test",
    "test-quick",
    "test-slow",
    "check",
    "fmt",
    "migration",
    "bench",
    "bench-lint",
    "bench-migrate",
    "bench-scale",
    "clean",
    "install",
    "lock",
    "rehearse",
}


def make(*words: str, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    # A make that runs the tests passes its flags to child processes, which would change the result.
    environ = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    command = ["make", "--no-print-directory", f"--file={ROOT / 'Makefile'}", *words]
    return subprocess.run(command, cwd=folder, env=environ, check=False, capture_output=True, text=True)


def test_make_alone_lists_every_target_with_what_it_does() -> None:
    listed = re.findall(r"(?m)^  make ([a-z-]+) +\S.+$", make().stdout)
    assert set(listed) == TARGETS
    assert len(listed) == len(TARGETS)


def test_no_target_is_mistaken_for_a_file() -> None:
    assert set(re.findall(r"(?m)^\.PHONY: ([a-z-]+)$", read("Makefile"))) == TARGETS | {"help"}


def test_an_old_python_is_refused_with_the_cure(tmp_path: Path) -> None:
    (tmp_path / "requirements-dev.lock").touch()
    (tmp_path / "pyproject.toml").touch()
    old = tmp_path / "python3.9"
    old.write_text('#!/bin/sh\n[ "$1" = --version ] && echo Python 3.9.2\nexit 1\n')
    old.chmod(0o755)
    refused = make("install", f"PYTHON={old}", folder=tmp_path)
    assert refused.returncode == 2
    assert "Roster needs Python 3.11 or newer" in refused.stderr
    assert "is Python 3.9.2." in refused.stderr
    assert "make PYTHON=python3.13" in refused.stderr
    assert not (tmp_path / ".venv").exists()


def test_a_revision_without_a_name_is_refused_with_an_example() -> None:
    refused = make("migration")
    assert refused.returncode == 2
    assert 'make migration m="add age"' in refused.stderr


def test_the_port_of_the_local_server_can_be_chosen() -> None:
    assert "roster serve --upgrade --port=8000" in make("serve", "--dry-run").stdout
    assert "roster serve --upgrade --port=8001" in make("serve", "--dry-run", "PORT=8001").stdout
