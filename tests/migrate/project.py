"""A folder of migrations that a test may write into."""

import textwrap
from dataclasses import dataclass
from pathlib import Path

from service.migrate import config

REVISION = '''"""A test's own."""

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


@dataclass(frozen=True, kw_only=True)
class Project:
    """A copy of alembic.ini and alembic/."""

    folder: Path

    @property
    def versions(self) -> Path:
        return self.folder / "alembic/versions"

    def clear(self) -> None:
        """Forget the whole history."""
        for file in self.versions.glob("*.py"):
            file.unlink()
        config.scripts.cache_clear()

    def remove(self, id: str) -> None:
        """Take away what `add` wrote."""
        (self.versions / f"{id}.py").unlink()
        config.scripts.cache_clear()

    def add(self, id: str, *, after: str | None, up: str = "pass", down: str = "pass") -> None:
        """Write one revision more."""
        indented = {"up": textwrap.indent(up, "    "), "down": textwrap.indent(down, "    ")}
        (self.versions / f"{id}.py").write_text(REVISION.format(id=id, after=after, **indented))
        config.scripts.cache_clear()
