"""squawk-cli beside the linter: installed in a folder of its own, and asked about each statement by itself."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.lint.corpus import Statement

FOLDER = Path(".tools/squawk")
# Its rules about locks, rewrites and scans; the others are about compatibility, style, or advise timeouts everywhere.
LOCKS = frozenset(
    (
        "adding-field-with-default",
        "adding-foreign-key-constraint",
        "adding-not-nullable-field",
        "adding-required-field",
        "adding-serial-primary-key-field",
        "ban-alter-domain-with-add-constraint",
        "changing-column-type",
        "constraint-missing-not-valid",
        "disallowed-unique-constraint",
        "require-concurrent-index-creation",
        "require-concurrent-index-deletion",
        "require-concurrent-partition-detach",
        "require-concurrent-reindex",
    )
)


def installed() -> Path:
    """The program, which is installed from the package index unless it is there."""
    program = FOLDER / "bin/squawk"
    if not program.exists():
        subprocess.run([sys.executable, "-m", "venv", str(FOLDER)], check=True)
        subprocess.run([str(FOLDER / "bin/pip"), "install", "--quiet", "squawk-cli"], check=True)
    return program


def version(program: Path) -> str:
    """The name and version of the program."""
    return subprocess.run([str(program), "--version"], check=True, capture_output=True, text=True).stdout.strip()


def rules(program: Path, statements: dict[str, Statement], postgresql: int) -> dict[str, set[str]]:
    """The rules that squawk reports for each statement."""
    found: dict[str, set[str]] = {name: set() for name in statements}
    with tempfile.TemporaryDirectory(prefix="squawk-") as folder:
        for alone in (False, True):
            own = {name: each for name, each in statements.items() if each.alone is alone}
            for name, each in own.items():
                Path(folder, f"{name}.sql").write_text("".join(f"{sql};\n" for sql in each.sql))
            options = [f"--pg-version={postgresql}", "--reporter=json", *([] if alone else ["--assume-in-transaction"])]
            files = [f"{name}.sql" for name in own]
            done = subprocess.run(
                [str(program.resolve()), *options, *files], check=False, cwd=folder, capture_output=True, text=True
            )
            for each in json.loads(done.stdout):
                found[Path(each["file"]).stem].add(each["rule_name"])
    return found
