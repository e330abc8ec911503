"""A revision file that was edited after its upgrade is reported, and its downgrade is refused."""

import asyncio

import pytest
from click.testing import CliRunner

from service.cli import main
from service.cli.db import db
from service.migrate.errors import Refused
from service.migrate.plan import config
from service.observability.schema import name_of_change
from tests.migrate.company import serving
from tests.migrate.operations.live import Live, live
from tests.migrate.project import Project

main.add_command(db)

UP = """
ops.add_column("t", sa.Column("c", sa.Integer()))  # the first
ops.create_index("ix_t_c", "t", ["c"])
"""
CONTRACT = 'ops.drop_column("t", sa.Column("b", sa.Integer(), server_default="1"))'


def edit(it: Live, was: str, now: str) -> None:
    """Change the file, as a later process finds it."""
    file = it.project.versions / "0002_change.py"
    text = file.read_text()
    assert was in text
    file.write_text(text.replace(was, now))
    config.forget()


async def schema(url: str) -> dict[str, object]:
    """The answer of /v1/schema."""
    async with serving(url) as client:
        found: dict[str, object] = (await client.get("/v1/schema")).json()
        return found


async def status(url: str) -> tuple[int, str]:
    """What `roster db status` prints, and how it exits."""
    result = await asyncio.to_thread(CliRunner().invoke, main, ["db", "status"], env={"ROSTER_DATABASE_URL": url})
    return result.exit_code, result.stdout


EDITS = {
    "another column": ('sa.Column("c", sa.Integer())', 'sa.Column("d", sa.Integer())'),
    "a step less": ('ops.create_index("ix_t_c", "t", ["c"])', "pass"),
    "a step more": ('ops.create_index("ix_t_c"', 'ops.drop_not_null("t", "a")\n    ops.create_index("ix_t_c"'),
    "another way back": ("ops.undo()", "pass"),
}


# What says the same.
REMARKS = {
    "docstring": ("A test's own, in safe steps.", "Another\ndocstring."),
    "comment": ("import sqlalchemy", "# A comment.\nimport sqlalchemy"),
    "blank line": ("\n    ops.create_index", "\n\n    ops.create_index"),
}


async def test_a_file_that_was_edited_is_told_by_the_command_and_by_the_service(
    empty_url: str, project: Project
) -> None:
    async with live(empty_url, project, up=UP) as it:
        await it.up()
        for was, now in EDITS.values():
            edit(it, was, now)
            code, told = await status(it.url)
            assert code == 1
            assert "0002_change was edited since it was applied (checksum mismatch).\n" in told
            edit(it, now, was)
        edit(it, was, now)
        assert (await schema(it.url))["checksum_mismatch"] == ["0002_change"]
        edit(it, now, was)
        assert await status(it.url) == (0, told.splitlines()[0] + "\n")


async def test_its_docstring_comments_and_blank_lines_may_change(empty_url: str, project: Project) -> None:
    async with live(empty_url, project, up=UP) as it:
        await it.up()
        for was, now in REMARKS.values():
            edit(it, was, now)
            assert (await status(it.url))[0] == 0
        await it.down()


async def test_one_whose_steps_are_not_those_that_were_done_is_not_taken_back(empty_url: str, project: Project) -> None:
    async with live(empty_url, project, up=UP) as it:
        before = await it.state()
        await it.up()
        there = await it.state()
        for name, step in (
            ("another column", "RESTORE COLUMN t.c FROM TRASH"),
            ("a step less", "CREATE INDEX (CONCURRENTLY )?ix_t_c ON t"),
        ):
            was, now = EDITS[name]
            edit(it, was, now)
            told = rf"^0002_change was edited since it was applied: step \d of its expand phase was {step}\. Restore"
            with pytest.raises(Refused, match=told):
                await it.down()
            assert await it.state() == there
            edit(it, now, was)
        await it.down()
        assert await it.state() == before


async def test_one_whose_contract_was_edited_is_not_contracted_further(empty_url: str, project: Project) -> None:
    async with live(empty_url, project, up=UP, contract=CONTRACT) as it:
        await it.up()
        await it.contract()
        there = await it.state()
        edit(
            it, 'ops.drop_column("t", sa.Column("b", sa.Integer(), server_default="1"))', 'ops.drop_not_null("t", "a")'
        )
        for way_back in (it.undo_contract, it.down):
            with pytest.raises(Refused, match=r"step 1 of its contract phase was MOVE COLUMN t\.b TO TRASH"):
                await way_back()
        assert await it.state() == there


async def test_an_upgrade_that_was_begun_is_not_ended_by_other_steps(empty_url: str, project: Project) -> None:
    failing = 'ops.execute("fail", postgresql=["SELECT 1 / 0"], sqlite=["INSERT INTO nowhere VALUES (1)"])'
    async with live(empty_url, project, up=f"{UP}\n{failing}") as it:
        with pytest.raises(Refused, match="fail failed"):
            await it.up()
        there = await it.state()
        edit(it, *EDITS["another column"])
        with pytest.raises(Refused, match=r"edited since"):
            await it.up()
        assert await it.state() == there
        edit(it, *reversed(EDITS["another column"]))
        edit(it, failing, "pass")
        await it.up()
        assert (await status(it.url))[0] == 0


async def test_what_others_changed_is_told_line_by_line_until_it_is_changed_back(
    empty_url: str, project: Project
) -> None:
    async with live(empty_url, project, up=UP) as it:
        await it.up()
        assert (await schema(it.url))["drift"] == []
        await it.execute("CREATE INDEX by_hand ON t (a)")
        await it.execute("DROP INDEX ix_t_c")
        code, told = await status(it.url)
        assert code == 1
        first, second = [line.strip() for line in told.splitlines() if line.startswith("  ")]
        assert "2 changes were made by other means than migrations:" in told
        assert first.startswith("- index ")
        assert "ix_t_c" in first
        assert first.endswith(("(c)", "( c )"))
        assert second.startswith("+ index ")
        assert "by_hand" in second
        assert (await schema(it.url))["drift"] == [name_of_change(first), name_of_change(second)]
        await it.execute("DROP INDEX by_hand")
        await it.execute("CREATE INDEX ix_t_c ON t (c)")
        assert (await status(it.url))[0] == 0
