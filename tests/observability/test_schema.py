"""/v1/schema and /readyz, in every state of a revision."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from service.app import create_app
from service.migrate.entrypoints import aio
from service.migrate.entrypoints.aio import head_revision
from service.schema_range import NEWEST, OLDEST
from service.settings import Settings
from tests.alembic import eras
from tests.alembic.store import Store, opened
from tests.cli.db.test_phases import LEFT
from tests.conftest import client_of
from tests.migrate.conftest import project, store
from tests.migrate.filling import BASE as FILLING
from tests.migrate.filling import FILLED, NOTE, held
from tests.migrate.operations.live import live
from tests.migrate.project import Project
from tests.migrate.states import CHANGE, STATES, bring
from tests.nouns import MOMENT, Document

__all__ = ["project", "store"]

RANGE = {"oldest": OLDEST, "newest": NEWEST}
NOTHING: Document = {
    "revisions": [],
    "compatibility": "empty",
    "works": False,
    "range": RANGE,
    "pending": [],
    "incomplete": [],
    "to_backfill": [],
    "to_contract": [],
    "trash": [],
    "checksum_mismatch": [],
    "backfills": [],
    "drift": [],
}
PATHS = ["/v1/schema", "/v1/schema/history"]


@asynccontextmanager
async def service_on(url: str, **settings: Any) -> AsyncIterator[httpx.AsyncClient]:
    roster = create_app(Settings(database_url=url, **settings))
    async with client_of(roster) as client:
        yield client
    await roster.database.close()


async def told(client: httpx.AsyncClient, path: str = "/v1/schema") -> Any:
    answer = await client.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json"), answer.text
    return answer.json()


async def ledger(it: Store) -> list[Any]:
    names = ("lease", "revisions", "steps", "fills", "audit", "purged", "catalog")
    return [await it.execute(f"SELECT * FROM migration_{name} ORDER BY 1, 2") for name in names]


@pytest.mark.parametrize("state", ["half filled", "half contracted", "contract undone", "purged"])
async def test_tells_what_is_left_of_a_revision_and_changes_nothing(
    empty_url: str, project: Project, state: str
) -> None:
    async with live(empty_url, project, **CHANGE) as it:
        if not it.is_sqlite:
            await it.execute("ANALYZE things")
        await bring(it, state)
        before = await it.state(), await ledger(it.store)
        async with service_on(it.url) as client:
            found = await told(client)
            assert found == await told(client)
            history = await told(client, "/v1/schema/history")
        assert (await it.state(), await ledger(it.store)) == before
        _, to_fill, to_contract, aside = LEFT[state]
        backfills = found.pop("backfills")
        assert {**found, "backfills": []} == NOTHING | {
            "revisions": ["0002_change"],
            "compatibility": "behind",
            "to_backfill": ["0002_change"] * to_fill,
            "to_contract": ["0002_change"] * to_contract,
            "trash": aside,
        }
        assert [(each["name"], each["state"], each["seen"], each["total"]) for each in backfills] == (
            [("things.slug", "running", 500, 700)] if state == "half filled" else []
        )
        assert (history["next_cursor"], [each["id"] for each in history["items"]]) == (
            None,
            ["0002_change", "0001_base"],
        )
        phases = {step["phase"] for step in history["items"][0]["steps"]}
        assert phases == {
            "expand",
            *(["backfill", "settle"] if state in STATES[2:] and not it.is_sqlite else []),
            *(["backfill"] if state in STATES[2:] else []),
            *(["contract"] if state in STATES[3:] else []),
            *(["undo contract"] if state == "contract undone" else []),
            *(["purge"] if state == "purged" else []),
        }


async def test_history_tells_what_was_done_when_and_what_it_cost(empty_url: str, project: Project) -> None:
    async with live(empty_url, project, base=CHANGE["base"], rows=CHANGE["rows"], contract=DROPPED) as it:
        await bring(it, "purged")
        async with service_on(it.url) as client:
            first, last = (await told(client, "/v1/schema/history"))["items"]
    steps = [(step.pop("phase"), step.pop("step"), step.pop("affected")) for step in first["steps"]]
    assert steps == [("contract", "MOVE TABLE olds TO TRASH", 0), ("purge", "PURGE olds", 2)]
    for step in first.pop("steps"):
        assert step.pop("seconds") > 0
        assert step == {
            "at": MOMENT,
            "outcome": "done",
            "attempts": 1,
            "longest_wait_ms": 0.0,
            "code_version": step["code_version"],
        }
    assert first == {
        "id": "0002_change",
        "title": "A test's own, in safe steps.",
        "date": "",
        "phases": ["upgrade", "contract"],
        "applied": True,
    }
    assert [step["phase"] for step in last["steps"]] == ["all"]


DROPPED = """
ops.drop_table("olds", sa.Column("id", sa.Integer(), nullable=False), sa.PrimaryKeyConstraint("id", name="pk_olds"))
"""


async def test_tells_how_far_a_backfill_is_while_it_runs(empty_url: str, project: Project) -> None:
    async with live(empty_url, project, base=FILLING, rows=FILLED, backfill=NOTE) as it:
        if not it.is_sqlite:
            await it.execute("ANALYZE t")
        await it.up()
        async with service_on(it.url) as client:
            async with held(it.url) as run:
                (fill,) = (await told(client))["backfills"]
            await run.work
            assert (await told(client))["backfills"] == []
    assert fill.pop("rows_per_second") > 0
    assert fill.pop("seconds_left") >= 0
    assert fill == {
        "revision": "0002_change",
        "name": "looked_at",
        "state": "running",
        "seen": 500,
        "total": 1700,
        "filled": 500,
        "problem": None,
    }


async def test_tells_of_a_database_at_head(client: httpx.AsyncClient) -> None:
    assert await told(client) == NOTHING | {
        "revisions": [head_revision()],
        "compatibility": "compatible",
        "works": True,
    }
    history = await told(client, "/v1/schema/history")
    assert all(each["applied"] and each["steps"] for each in history["items"])


@pytest.mark.parametrize("path", PATHS)
async def test_a_database_with_nothing_in_it_is_unavailable_and_names_the_command(empty_url: str, path: str) -> None:
    async with service_on(empty_url) as client:
        answer = await client.get(path)
    assert (answer.status_code, answer.json()["type"]) == (503, "urn:roster:problem:unavailable")
    assert int(answer.headers["retry-after"]) >= 1
    assert "`roster db upgrade`" in answer.json()["detail"]


@pytest.mark.slow
async def test_tells_of_what_others_changed_and_of_newer_code(fresh_url: str, project: Project) -> None:
    newer = f"{int(head_revision()[:4]) + 1:04}_newer"
    project.add(newer, after=head_revision())
    await aio.upgrade(fresh_url)
    file = next(project.versions.glob("*_add_age_to_users.py"))
    file.write_text(file.read_text() + "\nEDITED = True\n")
    project.remove(newer)
    async with opened(fresh_url) as store:
        await store.execute("CREATE INDEX ix_by_hand ON users (age)")
    async with service_on(fresh_url) as client:
        found = await told(client)
        ready = await client.get("/readyz")
    (drift,) = found.pop("drift")
    assert "ix_by_hand" in drift
    assert {**found, "drift": []} == NOTHING | {
        "revisions": [newer],
        "compatibility": "ahead",
        "works": True,
        "checksum_mismatch": ["0002_add_age_to_users"],
    }
    assert (ready.status_code, ready.json()["schema"]) == (200, "ahead")


@pytest.mark.parametrize("path", PATHS)
async def test_is_read_as_everything_else_is(client: httpx.AsyncClient, path: str) -> None:
    answer, head = await client.get(path), await client.head(path)
    assert (head.status_code, head.content) == (200, b"")
    headers = ("content-type", "content-length")
    assert [head.headers[name] for name in headers] == [answer.headers[name] for name in headers]
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        refused = await client.request(method, path, json={})
        assert (refused.status_code, refused.json()["type"]) == (405, "urn:roster:problem:method-not-allowed")
        assert set(refused.headers["allow"].split(", ")) == {"GET", "HEAD", "OPTIONS"}
    assert set((await client.options(path)).headers["allow"].split(", ")) == {"GET", "HEAD", "OPTIONS"}
    assert (await client.get(f"{path}?depth=1")).status_code == 422
    assert (await client.get(f"{path}/")).status_code == 404


@pytest.mark.parametrize("path", PATHS)
async def test_a_database_that_is_away_is_told(path: str) -> None:
    async with service_on("postgresql://nobody@127.0.0.1:1/none", unit_deadline_seconds=0.2) as client:
        answer = await client.get(path)
    assert (answer.status_code, answer.json()["type"]) == (503, "urn:roster:problem:unavailable")


@pytest.mark.slow
async def test_is_ready_within_its_range_when_the_rows_it_reads_are_filled(store: Store) -> None:
    await aio.upgrade(store.url, "0005")
    await eras.write(store, 0)
    async with service_on(store.url) as client:

        async def ready() -> tuple[int, str]:
            answer = await client.get("/readyz")
            return answer.status_code, answer.json().get("detail", answer.json().get("schema"))

        assert await ready() == (503, "The schema is older than this code works with: run `roster db upgrade`.")
        await aio.upgrade(store.url)
        unfilled = "0006_link_departments, 0008_fold_users, 0010_extend_records, 0011_extend_departments, "
        unfilled += "0012_extend_employees"
        assert await ready() == (503, f"Rows are still to be filled for {unfilled}: run `roster db backfill`.")
        await aio.backfill(store.url)
        assert await ready() == (200, "compatible")
        await aio.contract(store.url)
        assert await ready() == (200, "compatible")
        await aio.contract(store.url, "0006", undo=True)
        assert await ready() == (200, "compatible")
        await aio.downgrade(store.url, OLDEST)
        assert await ready() == (200, "compatible")
        await aio.downgrade(store.url, "-1")
        assert await ready() == (503, "The schema is older than this code works with: run `roster db upgrade`.")
