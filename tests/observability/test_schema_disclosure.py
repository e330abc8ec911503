"""What the schema's pages must not show to every caller: machines, accounts, processes, paths and roles."""

import getpass
import os
import socket

import httpx
import pytest

from service.app import create_app
from service.migrate.errors import Refused
from service.observability.schema import name_of_change
from service.settings import Settings
from tests.alembic.store import opened
from tests.conftest import client_of
from tests.migrate.conftest import project
from tests.migrate.operations.live import live
from tests.migrate.project import Project

__all__ = ["project"]

SECRET = "admin@db1.internal:/srv/data"
FAILING = (
    f'ops.Backfill(name="t.b", table="t", left="b IS NULL", read=("id",), write=("b",), by=lambda id: int("{SECRET}"))'
)


async def shown(url: str) -> str:
    """The text of both pages."""
    roster = create_app(Settings(database_url=url))
    async with client_of(roster) as client:
        pages = [(await client.get(path)).raise_for_status() for path in ("/v1/schema", "/v1/schema/history")]
    await roster.database.close()
    return "\n".join(page.text for page in pages)


async def test_the_error_of_a_backfill_stays_on_the_machine(empty_url: str, project: Project) -> None:
    async with live(empty_url, project, backfill=FAILING) as it:
        await it.up()
        with pytest.raises(Refused, match="admin@db1"):
            await it.backfill()
        text = await shown(it.url)
    assert '"problem":"It stopped with an error: run `roster db status` to read it."' in text
    assert SECRET not in text


@pytest.mark.slow
async def test_a_definition_made_by_hand_stays_on_the_machine(fresh_url: str) -> None:
    async with opened(fresh_url) as store:
        await store.execute(f"CREATE VIEW by_hand AS SELECT '{SECRET}' AS a")
    text = await shown(fresh_url)
    assert "+ view by_hand" in text
    assert SECRET not in text


async def test_history_names_no_machine_account_or_process(client: httpx.AsyncClient) -> None:
    text = (await client.get("/v1/schema/history")).text
    assert '"steps":[{"at":' in text
    for name in (socket.gethostname(), f"{getpass.getuser()}@", f"process {os.getpid()}"):
        assert name not in text


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("+ index CREATE UNIQUE INDEX ix_a ON public.t USING btree (a)true", "+ index CREATE UNIQUE INDEX ix_a"),
        ("- column t.a integer default 3", "- column t.a"),
        ("+ constraint t ck_a CHECK (a > 1)true", "+ constraint t ck_a"),
        (
            "+ function CREATE OR REPLACE FUNCTION public.f(a int) RETURNS trigger AS $$ SET ROLE boss $$",
            "+ function CREATE OR REPLACE FUNCTION public.f",
        ),
        ('- trigger CREATE CONSTRAINT TRIGGER "a b" AFTER INSERT', '- trigger CREATE CONSTRAINT TRIGGER "a b"'),
        ("+ index ix of t: create index", "+ index ix"),
        ("+ in t: constraint ck check (a)", "+ in t: constraint ck"),
        ("- in t: a integer", "- in t: a"),
        ("+ ???", "+ an object"),
    ],
)
def test_a_change_is_named_without_its_definition(line: str, name: str) -> None:
    assert name_of_change(line) == name
