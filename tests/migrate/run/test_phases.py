"""The phases of a revision in order, and the downgrade from each state."""

import asyncio

import pytest
from alembic import command

from service.migrate.entrypoints import aio, commands
from service.migrate.entrypoints.status import status
from service.migrate.errors import Refused
from service.migrate.plan.config import configuration
from tests.migrate.operations.live import changes, live
from tests.migrate.project import Project
from tests.migrate.states import CHANGE, STATES, bring, gone_before, values

pytestmark = pytest.mark.slow

UNFILLED = "0002_change cannot be contracted: the backfill of things.slug and things.kind is not complete. "
UNFILLED += "Run `roster db backfill`."
UNFINISHED = "0002_change is not {}: what that leaves behind would be taken for changes. "
UNFINISHED += "Run `roster db backfill` and `roster db contract` first."
# What `contract`, `purge` and `revision` say in each state; nothing where they do their work.
SAID: dict[str, tuple[str | None, str | None, str]] = {
    "expanded": (UNFILLED, None, UNFINISHED.format("backfilled")),
    "half filled": (UNFILLED, None, UNFINISHED.format("backfilled")),
    "filled": (None, None, UNFINISHED.format("contracted")),
    "half contracted": (
        None,
        "0002_change cannot be purged: its contract is incomplete. Run `roster db contract`.",
        UNFINISHED.format("contracted"),
    ),
    "contract undone": (None, None, UNFINISHED.format("contracted")),
}


@pytest.mark.parametrize("state", STATES[:-1])
async def test_the_way_back_from_every_state_brings_back_schema_and_values_and_leads_up_again(
    empty_url: str, project: Project, state: str
) -> None:
    async with live(empty_url, project, **CHANGE) as it:
        schema, rows = await it.catalog(), await values(it)
        await bring(it, state)
        reached = await it.state()
        await it.down()
        assert changes(schema, await it.catalog()) == []
        assert await values(it) == rows
        assert (await status(it.url)).current == ("0001_base",)
        found = (await status(it.url)).phases
        assert (found.active_run, found.incomplete, found.backfills, found.drift) == (None, (), (), ())
        if state in ("half filled", "contracted"):
            await bring(it, state)
            assert changes(reached, await it.state()) == []


async def test_the_way_back_from_what_was_purged_is_refused_with_what_is_gone_and_touches_nothing(
    empty_url: str, project: Project
) -> None:
    async with live(empty_url, project, **CHANGE) as it:
        await bring(it, "purged")
        project.add_safe("0003_more", after="0002_change", up='ops.add_column("things", sa.Column("c", sa.Text()))')
        await it.up()
        before = await it.state()
        today = (await it.execute("SELECT purged_at FROM migration_purged"))[0]["purged_at"]
        for back in (it.down, it.undo_contract):
            with pytest.raises(Refused) as refused:
                await back()
            assert str(refused.value) == (
                "0002_change cannot be undone: its trash was purged: "
                f"olds (2, on {str(today)[:10]}), things.legacy (700, on {str(today)[:10]})."
            )
            assert changes(before, await it.state()) == []
        assert (await status(it.url)).current == ("0003_more",)
        await aio.downgrade(it.url, "-1")
        assert (await status(it.url)).current == ("0002_change",)


@pytest.mark.parametrize("statement", ["ix_things_legacy", "_trash_0002_legacy", "_trash_0002_olds"])
async def test_a_contract_that_was_left_halfway_is_taken_back_whole(
    empty_url: str, project: Project, statement: str
) -> None:
    async with live(empty_url, project, **CHANGE) as it:
        schema, rows = await it.catalog(), await values(it)
        await bring(it, "filled")
        filled = await it.state()
        for back, expected in ((it.undo_contract, filled), (it.down, None)):
            with gone_before(statement):
                await it.contract()
            await back()
            assert expected is None or changes(expected, await it.state()) == []
        assert (changes(schema, await it.catalog()), await values(it)) == ([], rows)


@pytest.mark.parametrize("state", SAID)
async def test_a_phase_is_refused_while_what_it_depends_on_is_unfinished_and_changes_nothing_then(
    empty_url: str, project: Project, state: str
) -> None:
    async with live(empty_url, project, **CHANGE) as it:
        await bring(it, state)
        before = await it.state(), await it.catalog(with_trash=True)

        async def draft() -> None:
            await asyncio.to_thread(commands.draft, it.url, "more")

        verbs = list(zip(SAID[state], (it.contract, it.purge, draft), strict=True))
        for said, verb in verbs:
            if said is not None:
                with pytest.raises(Refused) as refused:
                    await verb()
                assert str(refused.value) == said
                assert (await it.state(), await it.catalog(with_trash=True)) == before
        for said, verb in verbs:
            if said is None:
                await verb()


async def test_alembic_s_own_upgrade_expands_and_leaves_the_rest(empty_url: str, project: Project) -> None:
    async with live(empty_url, project, **CHANGE) as it:
        rows = await values(it)
        project.add_safe("0003_more", after="0002_change", up='ops.set_not_null("things", "size", fill="7")')
        await asyncio.to_thread(command.upgrade, configuration(url=it.url), "head")
        assert await values(it) == rows
        assert await it.value("SELECT count(*) FROM things WHERE slug IS NULL") == len(rows[0])
        phases = await it.execute("SELECT DISTINCT phase, revision FROM migration_steps ORDER BY revision")
        assert [tuple(row.values()) for row in phases][1:] == [("expand", "0002_change"), ("expand", "0003_more")]
        found = (await status(it.url)).phases
        assert found.backfill == ("0002_change", "0003_more")
        assert found.contract == ("0002_change", "0003_more")


async def test_what_is_left_of_several_revisions_is_done_in_their_order_and_undone_the_other_way_round(
    empty_url: str, project: Project
) -> None:
    contract = 'ops.drop_column("things", sa.Column("size", sa.Integer()))'
    base = CHANGE | {"contract": CONTRACT_OF_TWO}
    async with live(empty_url, project, **base) as it:
        project.add_safe("0003_more", after="0002_change", contract=contract)
        before = await it.state()
        await it.up()
        with pytest.raises(Refused, match="0002_change cannot be contracted"):
            await it.contract()
        assert (await status(it.url)).phases.contract == ("0002_change", "0003_more")
        assert await aio.backfill(it.url) == ["0002_change"]
        assert await aio.contract(it.url, "0002") == ["0002_change"]
        assert (await status(it.url)).phases.trash == ("things.legacy",)
        assert await aio.contract(it.url) == ["0003_more"]
        assert (await status(it.url)).phases.trash == ("things.legacy", "things.size")
        assert await aio.contract(it.url, "0002", undo=True) == ["0003_more", "0002_change"]
        assert (await status(it.url)).phases.contract == ("0002_change", "0003_more")
        assert await aio.contract(it.url) == ["0002_change", "0003_more"]
        assert await aio.downgrade(it.url, "0001") == ["0003_more", "0002_change"]
        assert changes(before, await it.state()) == []


CONTRACT_OF_TWO = """
ops.drop_constraint("things", sa.CheckConstraint("size >= 0", name="ck_things_size"))
ops.drop_index("ix_things_legacy", "things", ["legacy"])
ops.drop_column("things", sa.Column("legacy", sa.String(9), nullable=False))
"""
