"""A database that the version before the rename to Backfill migrated works under this version.

The files beside this one were written by the code of commit e8d3eb6: `upgrade` and `contract` are databases whose
migrator was killed halfway, `head` is the ledger of one at 0016 with contracts up to 0013.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from service.migrate.entrypoints.aio import backfill, contract, downgrade, upgrade
from service.migrate.entrypoints.status import status
from service.migrate.plan import config
from tests.alembic import eras
from tests.alembic.catalog import catalog
from tests.alembic.store import Store
from tests.migrate.project import Project

FOLDER = Path(__file__).parent
MOMENT = "2026-11-28 08:25:37.437974"


@pytest.fixture
def history(project: Project) -> Project:
    """The revisions of the killed migrators, in which `ops.Fill` has its new name."""
    project.clear()
    for file in FOLDER.glob("000*.txt"):
        text = file.read_text().replace("ops.Fill(", "ops.Backfill(")
        (project.versions / f"{file.stem}.py").write_text(text)
    config.forget()
    return project


async def restore(store: Store, name: str) -> None:
    """Load the database that was dumped."""
    script = (FOLDER / f"{name}.{store.backend}.sql").read_text()
    if store.backend == "sqlite":
        store.connection.executescript(script)
    else:
        await store.connection.execute(script)


async def replace_ledger(store: Store) -> None:
    """Give a database the ledger that the earlier version had written of its revisions; later ones stay recorded."""
    ledger: dict[str, Any] = json.loads((FOLDER / f"head.{store.backend}.json").read_text())
    earlier = ", ".join(f"'{revision}'" for revision in ledger["checksums"])
    await store.execute(f"DELETE FROM migration_revisions WHERE revision IN ({earlier})")
    await store.execute(f"DELETE FROM migration_steps WHERE revision IN ({earlier})")
    for revision, checksum in ledger["checksums"].items():
        values = f"'{revision}', '{checksum}', '{MOMENT}', '0.1.0'"
        await store.execute(
            f"INSERT INTO migration_revisions (revision, content, changed_at, code_version) VALUES ({values})"
        )
    for revision, phases in ledger["steps"].items():
        for phase, titles in phases.items():
            for position, title in enumerate(titles):
                values = f"'{revision}', '{phase}', {position}, '{title}', FALSE, '{MOMENT}'"
                await store.execute(
                    f"INSERT INTO migration_steps (revision, phase, position, title, half, done_at) VALUES ({values})"
                )


@pytest.mark.slow
async def test_a_database_of_the_earlier_version_reports_no_edited_revision_and_goes_on(store: Store) -> None:
    await upgrade(store.url, "0005")
    await eras.write(store, 0)
    schema, rows = await catalog(store), await eras.read(store)
    await upgrade(store.url)
    await backfill(store.url)
    await contract(store.url, "0013")
    expected = await status(store.url)
    await replace_ledger(store)
    found = await status(store.url)
    assert (found.is_sound, found.phases) == (True, expected.phases)
    assert await contract(store.url) == list(expected.phases.contract)
    await contract(store.url, "0008", undo=True)
    await downgrade(store.url, "0005")
    assert (await catalog(store), await eras.read(store)) == (schema, rows)


async def test_a_killed_upgrade_of_the_earlier_version_is_completed(store: Store, history: Project) -> None:
    await restore(store, "upgrade")
    assert (await status(store.url)).phases.checksum_mismatch == ()
    assert await upgrade(store.url) == ["0002_all"]
    await backfill(store.url)
    await contract(store.url)
    assert (await status(store.url)).is_sound
    assert await store.execute("SELECT id, slug, kind, tag FROM things ORDER BY id") == [
        {"id": 1, "slug": "one", "kind": "plain", "tag": "a"},
        {"id": 2, "slug": "two", "kind": "plain", "tag": None},
        {"id": 3, "slug": "three", "kind": "plain", "tag": "c"},
    ]


async def test_a_killed_upgrade_of_the_earlier_version_is_taken_back(store: Store, history: Project) -> None:
    await restore(store, "upgrade")
    await downgrade(store.url, "0001_base")
    assert (await status(store.url)).phases.incomplete == ()
    assert not [line for line in await catalog(store) if "slug" in line or "parts" in line]


async def test_a_killed_contract_of_the_earlier_version_is_completed_and_taken_back(
    store: Store, history: Project
) -> None:
    await restore(store, "contract")
    assert (await status(store.url)).phases.checksum_mismatch == ()
    assert await contract(store.url) == ["0002_all"]
    assert (await status(store.url)).phases.trash == ("things.label", "things.legacy", "olds")
    await downgrade(store.url, "0001_base")
    assert await store.execute("SELECT id, label, legacy FROM things ORDER BY id") == [
        {"id": 1, "label": "a", "legacy": "x"},
        {"id": 2, "label": None, "legacy": "y"},
        {"id": 3, "label": "c", "legacy": "z"},
    ]
