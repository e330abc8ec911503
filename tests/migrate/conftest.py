from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.alembic.store import Store, opened
from tests.migrate.project import Project, copied


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """A copy of the migrations, to which a test may add its own."""
    with copied(tmp_path / "project") as project:
        yield project


@pytest.fixture
async def store(empty_url: str) -> AsyncIterator[Store]:
    """An empty database of this test's own, as a program of another make sees it."""
    async with opened(empty_url) as store:
        yield store
