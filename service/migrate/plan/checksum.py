"""What a revision's file says, in a form that comments, blank lines and the docstring do not change."""

import ast
from functools import cache
from hashlib import sha256
from pathlib import Path

from alembic.script import Script

# Names of `ops` that were renamed, by the name that the checksums of applied revisions were made with.
_RENAMED = {"ops.Backfill(": "ops.Fill("}


@cache
def content(script: Script) -> str:
    """The digest of the code; equal on every Python, since it is made of text and not of a parse."""
    source = Path(script.path).read_text(encoding="utf-8")
    body = ast.parse(source).body
    first = body[0] if body else None
    is_docstring = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    start = (first.end_lineno or 0) if first is not None and is_docstring else 0
    lines = (line.rstrip() for line in source.splitlines()[start:])
    code = "\n".join(line for line in lines if line and not line.lstrip().startswith("#"))
    for now, before in _RENAMED.items():
        code = code.replace(now, before)
    return sha256(code.encode()).hexdigest()


def edited(applied: dict[str, str], scripts: list[Script]) -> list[str]:
    """The revisions whose file says something else than when they were applied."""
    return [
        script.revision
        for script in scripts
        if script.revision in applied and applied[script.revision] != content(script)
    ]
