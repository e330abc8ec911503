"""`contract --undo`: without a revision it undoes what the last contract contracted, and says what is left."""

import asyncio

from service.migrate.entrypoints import aio
from tests.cli.db.test_migrating import roster
from tests.migrate.operations.live import live
from tests.migrate.project import Project

BASE = """
ops.create_table(
    "t",
    sa.Column("id", sa.Integer(), nullable=False),
    *(sa.Column(name, sa.Integer()) for name in "abcd"),
    sa.PrimaryKeyConstraint("id", name="pk_t"),
)
"""
ROWS = ("INSERT INTO t (id, a, b, c, d) VALUES (1, 1, 2, 3, 4)",)
DROP = 'ops.drop_column("t", sa.Column("{}", sa.Integer()))'
EMPTY = "pass"


async def test_it_undoes_what_the_last_contract_contracted(empty_url: str, project: Project) -> None:
    async with live(empty_url, project, base=BASE, rows=ROWS, up=EMPTY, contract=DROP.format("a")) as it:
        project.add_safe("0003_b", after="0002_change", up=EMPTY, contract=DROP.format("b"))
        project.add_safe("0004_c", after="0003_b", up=EMPTY, contract=DROP.format("c"))
        project.add_safe("0005_d", after="0003_b", up=EMPTY, contract=DROP.format("d"))
        project.add_safe("0006_merge", after=("0004_c", "0005_d"), up=EMPTY)

        async def call(*arguments: str) -> tuple[int, str]:
            result = await asyncio.to_thread(roster, *arguments, url=it.url)
            return result.exit_code, result.stdout + result.stderr

        async def columns() -> str:
            return "".join(sorted((await it.rows())[0])).replace("id", "")

        await it.up()
        assert await aio.contract(it.url, "0002") == ["0002_change"]
        assert sorted(await aio.contract(it.url)) == ["0003_b", "0004_c", "0005_d"]
        assert await columns() == ""
        status, said = await call("contract", "--undo")
        assert status == 0
        assert [f"Contract of {each} undone." in said for each in ("0003_b", "0004_c", "0005_d")] == [True] * 3
        assert "earlier runs: 0002_change. To undo these too, run `roster db contract --undo --to 0002_change`." in said
        assert await columns() == "bcd"
        assert "Undone 0002_change" in (await call("contract", "--undo"))[1]
        assert await call("contract", "--undo") == (0, "No contract is to be undone.\n")
        await aio.contract(it.url)
        assert "Undone" in (await call("contract", "--undo", "--to", "0004"))[1]
        assert await columns() == "c"
        assert await aio.contract(it.url, undo=True) == ["0005_d", "0003_b", "0002_change"]
        assert await columns() == "abcd"
        for arguments in (("--to", "0004"), ("0003", "--undo", "--to", "0004")):
            status, said = await call("contract", *arguments)
            assert (status, said) == (2, "Error: --to is for --undo alone: `roster db contract --undo --to 0004`.\n")
