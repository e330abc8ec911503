"""Checksums of revision files, independent of comments, blank lines and the module docstring."""

import ast
import re
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

from alembic.script import Script

# Ledgers hold checksums of files with earlier names of `ops` functions: the checksum uses the earlier name.
_EARLIER_NAMES = {"Backfill": "Fill"}
_RENAMED = re.compile(rf"\bops\.({'|'.join(_EARLIER_NAMES)})\b")


def checksum(script: Script) -> str:
    """The SHA-256 of the code as text: an AST would differ between Python versions."""
    return _checksum(Path(script.path).read_text(encoding="utf-8"))


@lru_cache(maxsize=1000)
def _checksum(source: str) -> str:
    body = ast.parse(source).body
    first = body[0] if body else None
    is_docstring = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    start = (first.end_lineno or 0) if first is not None and is_docstring else 0
    lines = (line.rstrip() for line in source.splitlines()[start:])
    code = "\n".join(line for line in lines if line and not line.lstrip().startswith("#"))
    code = _RENAMED.sub(lambda found: f"ops.{_EARLIER_NAMES[found[1]]}", code)
    return sha256(code.encode()).hexdigest()


def mismatches(applied: dict[str, str], scripts: list[Script]) -> list[str]:
    """The revisions whose checksum differs from the checksum recorded when they were applied."""
    return [
        script.revision
        for script in scripts
        if script.revision in applied and applied[script.revision] != checksum(script)
    ]
