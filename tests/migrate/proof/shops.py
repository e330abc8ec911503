"""A copy of the shop in a Git repository of its own, whose working folder has one revision more."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from service import naming
from service.migrate.plan import config
from tests.migrate.project import PLAIN, SAFE

SOURCE = Path(__file__).parent / "shop"
_WHO = ("-c", "user.name=Shop", "-c", "user.email=shop@example.org")


@dataclass(frozen=True, kw_only=True)
class Shop:
    """The folder of the repository."""

    folder: Path

    @property
    def ini(self) -> str:
        return str(self.folder / "alembic.ini")

    def git(self, *arguments: str) -> None:
        subprocess.run(["git", *_WHO, *arguments], cwd=self.folder, check=True, capture_output=True)

    def write(self, text: str) -> None:
        """Let this be the second revision."""
        (self.folder / "migrations/versions/0002_change.py").write_text(text)
        config.forget()

    def safe(self, up: str, *more: str) -> None:
        parts = "\n\n\n".join([f"def upgrade() -> None:\n    {up}", *more, "def downgrade() -> None:\n    ops.undo()"])
        self.write(SAFE.format(id="0002_change", after="0001_create_books", parts=parts))

    def plain(self, up: str, down: str) -> None:
        self.write(PLAIN.format(id="0002_change", after="0001_create_books", up=f"    {up}", down=f"    {down}"))

    def serve_columns(self, *names: str) -> None:
        """Let the new version have these columns."""
        file = self.folder / "shop.py"
        file.write_text(file.read_text().replace('COLUMNS = ("title", "pages")', f"COLUMNS = {names!r}"))

    def worktrees(self) -> list[str]:
        """What Git still knows of checkouts of other versions."""
        return [each.name for each in (self.folder / ".git").glob("worktrees/*")]


def phases(document: Any) -> list[tuple[str, str, list[str]]]:
    """The phases of a rehearsal, as --json has them."""
    return [(each["phase"], each["direction"], each["serving"]) for each in document["phases"]]


def check_costs_nothing(document: Any) -> None:
    """Every phase has requests, of which none failed, and writes, of which none is lost."""
    assert [each for each in document["phases"] if each["failed"] or each["lost"]] == []
    assert [each for each in document["phases"] if not each["seen"]["requests"]] == []
    # Every confirmed write is read back at the end; how many a phase has time for is the machine's.
    *_, last = document["phases"]
    assert sum(each["seen"]["writes"] for each in document["phases"])
    assert last["seen"]["read_back"]


@contextmanager
def shop(folder: Path) -> Iterator[Shop]:
    """Make the repository; the project of this process is Roster again afterwards."""
    made = Shop(folder=folder / "shop")
    shutil.copytree(SOURCE, made.folder, ignore=shutil.ignore_patterns("__pycache__"))
    made.git("init", "--quiet", "--initial-branch=main")
    made.git("add", "--all")
    made.git("commit", "--quiet", "--message=Open the shop")
    try:
        yield made
    finally:
        naming.use_roster()
        config.forget()
