from collections.abc import AsyncIterator

import pytest

from tests.alembic.store import Store, opened
from tests.copies import copy

__all__ = ["copy"]


@pytest.fixture
async def store(empty_url: str) -> AsyncIterator[Store]:
    """An empty database of this test's own."""
    async with opened(empty_url) as store:
        yield store
