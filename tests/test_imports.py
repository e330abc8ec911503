"""What a command imports: it decides how long the command takes to start."""

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {"litestar", "uvicorn", "pygments.lexers.web"}

# What only commands need that do something, or a look-up of the version in the distribution.
FOR_WORK = {"asyncio", "importlib.metadata", "msgspec", "sqlalchemy"}


@pytest.mark.parametrize("command", [[], ["db"], ["serve"]])
def test_help_imports_nothing_that_a_command_needs_to_work(command: list[str]) -> None:
    program = f"""
import atexit, sys
atexit.register(lambda: print(sorted({FOR_WORK} & sys.modules.keys())))
from service.cli import main
main({[*command, "--help"]})
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[-1] == "[]", done.stderr


@pytest.mark.slow
def test_a_command_that_serves_nothing_imports_no_http_framework_and_no_lexers(tmp_path: Path) -> None:
    program = f"""
import atexit, sys
atexit.register(lambda: print(sorted({HEAVY | {"service.users.queries"}} & sys.modules.keys())))
from service.cli import main
main(["db", "status", "--json", "--database", "sqlite:///none.db"], standalone_mode=False)
print("structlog" in sys.modules)
main(["users", "list", "--database", "sqlite:///none.db"])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=tmp_path)
    # What needs the file is refused after the imports.
    assert done.stdout.splitlines()[-2:] == ["False", "['service.users.queries']"], done.stderr
