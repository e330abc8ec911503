"""A temporary folder of revisions for a test."""

import shutil
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import pytest

from service import naming
from service.migrate.entrypoints.aio import head_revision
from service.migrate.plan import config


def following(name: str, steps: int = 1) -> str:
    """The id of a revision so many steps after the newest of Roster's own."""
    return f"{int(head_revision()[:4]) + steps:04}_{name}"


PLAIN = '''"""A test's own."""

import os
import time

import sqlalchemy as sa
from alembic import op

from service.migrate import ops

revision = {id!r}
down_revision = {after!r}
branch_labels = None
depends_on = None


def upgrade() -> None:
{up}


def downgrade() -> None:
{down}
'''


SAFE = '''"""A test's own, in safe steps."""

import sqlalchemy as sa

from service.migrate import ops

revision = {id!r}
down_revision = {after!r}
branch_labels = None
depends_on = None

{parts}
'''


@dataclass(frozen=True, kw_only=True)
class Project:
    """A copy of alembic.ini and alembic/."""

    folder: Path

    @property
    def versions(self) -> Path:
        return self.folder / "alembic/versions"

    def digest(self) -> str:
        """A hash of all that decides what an upgrade does, apart from Roster's own code."""
        files = (self.folder / "alembic.ini", self.folder / "alembic/env.py", *sorted(self.versions.glob("*.py")))
        return sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()

    def clear(self) -> None:
        """Forget the whole history."""
        for file in self.versions.glob("*.py"):
            file.unlink()
        config.forget()

    def remove(self, id: str) -> None:
        """Take away what `add` wrote."""
        (self.versions / f"{id}.py").unlink()
        config.forget()

    def add(self, id: str, *, after: str | None, up: str = "pass", down: str = "pass") -> None:
        """Write one revision more, in Alembic's plain style."""
        indented = {"up": textwrap.indent(up, "    "), "down": textwrap.indent(down, "    ")}
        (self.versions / f"{id}.py").write_text(PLAIN.format(id=id, after=after, **indented))
        config.forget()

    def add_safe(
        self,
        id: str,
        *,
        after: str | tuple[str, ...] | None,
        up: str = "pass",
        contract: str | None = None,
        backfill: str | None = None,
        down: str = "ops.undo()",
    ) -> None:
        """Write one revision more with `service.migrate.ops`; `backfill` is an expression, the others are bodies."""
        bodies = {"upgrade": up, "contract": contract, "downgrade": down}
        parts = [
            *([f"backfill = {backfill}"] if backfill else []),
            *(f"def {name}() -> None:\n{textwrap.indent(body, '    ')}" for name, body in bodies.items() if body),
        ]
        (self.versions / f"{id}.py").write_text(SAFE.format(id=id, after=after, parts="\n\n\n".join(parts)))
        config.forget()


@contextmanager
def copied(folder: Path) -> Iterator[Project]:
    """Copy the revisions to a folder, which this process uses until the end of the block."""
    (root,) = (each for each in naming.folders() if (each / "alembic.ini").exists())
    # With what Python compiled, which holds for files of the same size and time.
    shutil.copytree(root / "alembic", folder / "alembic")
    for name in ("alembic.ini", "pyproject.toml"):
        shutil.copy(root / name, folder)
    with pytest.MonkeyPatch.context() as patch:
        # Python takes a file for the one that it compiled, if both have one size and were written in one second.
        patch.setattr(sys, "dont_write_bytecode", True)
        patch.setattr(naming, "folders", lambda: [folder])
        naming.use_roster()
        config.forget()
        yield Project(folder=folder)
    naming.use_roster()
    config.forget()
