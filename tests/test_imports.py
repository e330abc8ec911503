"""What a command imports: it decides how long the command takes to start."""

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {"litestar", "uvicorn", "pygments.lexers.web"}


@pytest.mark.slow
def test_a_command_that_serves_nothing_imports_no_http_framework_and_no_lexers(tmp_path: Path) -> None:
    program = f"""
import atexit, sys
atexit.register(lambda: print(sorted({HEAVY | {"service.users.queries"}} & sys.modules.keys())))
from service.cli import main
main(["users", "list", "--database", "sqlite:///none.db"])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=tmp_path)
    # What needs the file is refused after the imports.
    assert done.stdout == "['service.users.queries']\n", done.stderr
