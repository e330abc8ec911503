"""A draft says what the models say: the next draft is empty, and a change replaces what was there."""

import re
from pathlib import Path

import pytest
import sqlalchemy as sa

from service.migrate.entrypoints import commands
from service.migrate.entrypoints.aio import backfill, contract, downgrade, upgrade
from tests.alembic.catalog import catalog
from tests.alembic.store import opened
from tests.migrate.entrypoints import drafted
from tests.migrate.operations.live import changes
from tests.migrate.project import Project

pytestmark = [
    pytest.mark.slow,
    # Two tables that refer to each other, whose keys the draft adds afterwards.
    pytest.mark.filterwarnings("ignore:Cannot correctly sort tables"),
]

ENV = """
from alembic import context
from service.migrate.entrypoints import environment
from service.naming import ROSTER
from tests.migrate.entrypoints.drafted import CURRENT

environment.main(context, CURRENT[0], ROSTER)
"""


@pytest.fixture
def drafts(project: Project) -> Project:
    """A project without revisions, whose models are `drafted.CURRENT`."""
    project.clear()
    (project.folder / "alembic/env.py").write_text(ENV)
    return project


async def drafted_and_run(url: str, message: str, models: sa.MetaData) -> str:
    """Draft these models, run the revision through its phases, and return its text."""
    drafted.CURRENT[0] = models
    file = commands.draft(url, message)
    assert isinstance(file, Path)
    text = file.read_text()
    await upgrade(url)
    await backfill(url)
    await contract(url)
    assert commands.differences(url) == []
    return text


async def test_models_are_drafted_whole_changed_and_dropped(empty_url: str, drafts: Project) -> None:
    database = empty_url.partition(":")[0].partition("+")[0]
    await drafted_and_run(empty_url, "first", drafted.models(database))
    async with opened(empty_url) as store:
        first = await catalog(store)
        text = await drafted_and_run(empty_url, "second", drafted.models(database, changed=True))
        changed = re.findall(r"ops\.(?:drop|add)_(?:index|constraint|unique|foreign_key|check).*?(?:ck_\w+)?", text)
        assert [each.split("(")[0] for each in changed] == ["ops.add_check", "ops.drop_constraint"]
        second = await catalog(store)
        assert first != second
        await downgrade(empty_url, "0001")
        assert changes(first, await catalog(store)) == []
        await upgrade(empty_url)
        await backfill(empty_url)
        await contract(empty_url)
        assert changes(second, await catalog(store)) == []
        await drafted_and_run(empty_url, "third", sa.MetaData())
        await downgrade(empty_url, "0002")
        assert changes(second, await catalog(store)) == []
