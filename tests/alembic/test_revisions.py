"""Rules for revision files, and the schema at head."""

import ast
import re
from pathlib import Path

import pytest
from alembic.script import Script
from sqlalchemy import MetaData

from service.db import folding
from service.db.engine import Purpose, create_engine
from service.migrate.entrypoints import commands
from service.migrate.entrypoints.aio import head_revision, upgrade
from service.migrate.plan.config import scripts
from service.models import Base
from service.schema_range import NEWEST
from tests.alembic.catalog import catalog
from tests.alembic.store import opened

ALL = list(scripts().walk_revisions())
TEXTS = ["", "Ann", "ÅSE Straße", "ﬁﬂ", "İı", "ΣΑΣ", "K", "①", "a" * 600, "\u0345", "Ǆ"]


@pytest.mark.slow
async def test_the_newest_revision_is_the_models(fresh_url: str, request: pytest.FixtureRequest) -> None:
    async with opened(fresh_url) as store:
        migrated = await catalog(store)
        await upgrade(fresh_url)
        engine = create_engine(fresh_url, Purpose.MIGRATE)
        async with engine.begin() as connection:
            found = MetaData()
            await connection.run_sync(found.reflect)
            await connection.run_sync(found.drop_all)
            await connection.run_sync(Base.metadata.create_all)
        await engine.dispose()
        assert await catalog(store) == migrated


async def test_autogenerate_finds_nothing_to_write(fresh_url: str) -> None:
    assert commands.differences(fresh_url) == []
    assert commands.draft(fresh_url, "nothing") is None


async def test_autogenerate_finds_what_someone_changed(fresh_url: str) -> None:
    async with opened(fresh_url) as store:
        await store.execute("DROP INDEX ix_users_name_key_id")
        await store.execute("CREATE TABLE stray (id INTEGER)")
    assert sorted(kind for kind, *_ in commands.differences(fresh_url)) == ["add_index", "remove_table"]


def test_the_history_is_one_line() -> None:
    assert [script.down_revision for script in ALL] == [script.revision for script in ALL[1:]] + [None]
    assert head_revision() == ALL[0].revision == NEWEST


def test_revisions_fold_as_the_service_does() -> None:
    folding_revisions = {script.revision: script.module for script in ALL if hasattr(script.module, "fold")}
    assert len(folding_revisions) >= 4
    folded = {revision: [module.fold(text) for text in TEXTS] for revision, module in folding_revisions.items()}
    assert folded == {name: [folding.fold(text) for text in TEXTS] for name in folded}


@pytest.mark.parametrize("script", ALL, ids=lambda script: script.revision)
class TestEachRevision:
    def test_is_named_by_its_number_and_what_it_does(self, script: Script) -> None:
        assert re.fullmatch(r"\d{4}_[a-z_]+", script.revision)
        assert len(script.revision) <= 32
        assert int(script.revision[:4]) == len(ALL) - ALL.index(script)
        assert re.fullmatch(r"\d{4}_\d\d_\d\d_\d{4}_[a-z_]+\.py", Path(script.path).name)

    def test_says_what_changes_and_what_traffic_feels(self, script: Script) -> None:
        title, _, reason = (script.longdoc or "").partition("\n\n")
        assert title.endswith(".")
        assert len(reason) > 60

    def test_imports_nothing_that_will_change_under_it(self, script: Script) -> None:
        tree = ast.parse(Path(script.path).read_text())
        modules = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        modules |= {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
        allowed = ("alembic", "sqlalchemy", "service.migrate", "unicodedata")
        assert [module for module in modules if not module.startswith(allowed)] == []
