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


PREVIOUS = """
ops.create_table(
    "t",
    sa.Column("id", sa.Integer(), nullable=False),
    sa.Column("address", sa.String(50), nullable=False),
    sa.Column("note", sa.String(50)),
    sa.PrimaryKeyConstraint("id", name="pk_t"),
)
"""
RENAME = (
    'ops.rename_column("t", sa.Column("address", sa.String(50), nullable=False), '
    'sa.Column("street", sa.String(50), nullable=False))'
)


async def test_the_rollback_of_a_deploy_lets_the_previous_version_serve(empty_url: str, project: Project) -> None:
    """The procedure of docs/schema-changes.md, from the deploy of two revisions and a merge to the rollback."""
    rows = ("INSERT INTO t (id, address, note) VALUES (1, 'one', 'n')",)
    async with live(empty_url, project, base=PREVIOUS, rows=rows, up=RENAME) as it:
        project.add_safe(
            "0003_note", after="0001_base", up=EMPTY, contract='ops.drop_column("t", sa.Column("note", sa.String(50)))'
        )
        project.add_safe("0004_merge", after=("0002_change", "0003_note"), up=EMPTY)

        async def run(*arguments: str) -> str:
            result = await asyncio.to_thread(roster, *arguments, url=it.url)
            assert (arguments, result.exit_code, result.stderr) == (arguments, 0, "")
            return result.stdout

        async def serve(id: int) -> None:
            """The statements of the previous version."""
            await it.execute(f"INSERT INTO t (id, address, note) VALUES ({id}, 'new', 'x')")
            await it.execute(f"UPDATE t SET address = 'of {id}' WHERE id = {id}")
            assert await it.execute(f"SELECT address, note FROM t WHERE id = {id}") == [
                {"address": f"of {id}", "note": "x"}
            ]

        before = await it.catalog()
        await run("upgrade")
        await serve(2)
        await run("backfill")
        await run("contract")
        await it.execute("UPDATE t SET street = 'moved' WHERE id = 1")
        await it.execute("INSERT INTO t (id, street) VALUES (3, 'of new code')")
        undone = await run("contract", "--undo")
        assert [each in undone for each in ("0002_change", "0003_note")] == [True, True]
        await serve(4)
        await run("downgrade", "0001")
        await serve(5)
        assert await it.catalog() == before
        assert await it.execute("SELECT * FROM t ORDER BY id") == [
            {"id": 1, "address": "moved", "note": "n"},
            {"id": 2, "address": "of 2", "note": "x"},
            {"id": 3, "address": "of new code", "note": None},
            {"id": 4, "address": "of 4", "note": "x"},
            {"id": 5, "address": "of 5", "note": "x"},
        ]
        await run("upgrade")
        await run("backfill")
        await run("contract")
        assert len(await it.rows()) == 5
