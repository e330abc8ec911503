"""Known faults of schema changes under traffic, each reproduced once."""

import pytest
from sqlalchemy import make_url

from service.migrate.entrypoints import aio
from service.migrate.errors import Refused
from tests.alembic.store import opened
from tests.migrate.operations.live import BASE, changes, live
from tests.migrate.project import Project

KEY = 'ops.add_column("t", sa.Column("key", sa.Text()))\n'
FOLLOW = 'ops.follow("t", "key", "a", postgresql="lower(CAST(a AS TEXT))", sqlite="lower(a)")\n'
LONG = "a_name_of_forty_bytes_and_some_more_to_it"
WAS = 'sa.Column("a", sa.String(50), nullable=False)'


@pytest.mark.parametrize(
    "now",
    [
        'sa.Column("a", sa.Text(), nullable=False)',
        'sa.Column("a", sa.JSON(), nullable=False), using="to_json({})", back="{} #>> CAST(ARRAY[] AS TEXT[])"',
    ],
)
async def test_a_session_that_ran_a_trigger_goes_on_when_the_type_of_its_column_has_changed(
    empty_postgres_url: str, project: Project, now: str
) -> None:
    async with live(empty_postgres_url, project, up=KEY + FOLLOW) as it:
        await it.up()
        await it.execute("INSERT INTO t (id, a) VALUES (7, '\"A\"')")
        project.add_safe("0003_type", after="0002_change", up=f'ops.change_type("t", {WAS}, {now})')
        await it.up()
        await it.backfill()
        await it.execute("INSERT INTO t (id, a) VALUES (8, '\"B\"')")
        await aio.downgrade(it.url, "0002")
        await it.execute("INSERT INTO t (id, a) VALUES (9, 'C')")
        found = await it.execute("SELECT a, key FROM t WHERE id > 6 ORDER BY id")
        assert [row["key"].strip('"') for row in found] == ["a", "b", "c"]


async def test_a_trigger_that_reads_a_column_goes_before_the_column(empty_url: str, project: Project) -> None:
    contract = f'ops.set_not_null("t", "key")\nops.drop_column("t", {WAS})'
    async with live(empty_url, project, up=KEY + FOLLOW, contract=contract) as it:
        await it.up()
        await it.execute("UPDATE t SET key = a")
        await it.contract()
        await it.execute("INSERT INTO t (id, key) VALUES (7, 'k')")
        titles = [
            row["title"]
            for row in await it.execute("SELECT title FROM migration_steps WHERE phase = 'contract' ORDER BY position")
        ]
        assert [title for title in titles if title.startswith(("SET NOT NULL", "DROP TRIGGER", "MOVE COLUMN"))] == [
            "SET NOT NULL t.key",
            "DROP TRIGGER roster_follow_t_key ON t",
            "MOVE COLUMN t.a TO TRASH",
        ]


async def test_who_may_use_a_table_may_use_it_under_its_old_name(empty_postgres_url: str, project: Project) -> None:
    async with live(empty_postgres_url, project, up='ops.rename_table("t", "new", ["id", "a", "b"])') as it:
        role = f"reader_{make_url(it.url).database}"
        await it.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'x'")
        try:
            await it.execute(f"GRANT SELECT, INSERT ON t TO {role}")
            await it.up()
            async with opened(make_url(it.url).set(username=role, password="x").render_as_string(False)) as reader:
                await reader.execute("INSERT INTO t (id, a) VALUES (7, 'seven')")
                assert await reader.value("SELECT a FROM t WHERE id = 7") == "seven"
                with pytest.raises(Exception, match="permission denied"):
                    await reader.execute("DELETE FROM t")
        finally:
            await it.execute(f"DROP OWNED BY {role}")
            await it.execute(f"DROP ROLE {role}")


async def test_an_index_that_a_failed_build_left_is_built_again(empty_postgres_url: str, project: Project) -> None:
    up = 'ops.add_unique("t", "uq", ["a"])\nops.create_index("ux", "t", ["a"], unique=True)'
    async with live(empty_postgres_url, project, up=up) as it:
        await it.execute("UPDATE t SET a = 'same'")
        for name in ("uq", "ux"):
            with pytest.raises(Exception, match="could not create unique index"):
                await it.execute(f"CREATE UNIQUE INDEX CONCURRENTLY {name} ON t (a)")
        await it.execute("UPDATE t SET a = id")
        await it.up()
        assert await it.value("SELECT count(*) FROM pg_index WHERE NOT indisvalid") == 0
        assert await it.value("SELECT count(*) FROM pg_constraint WHERE conname = 'uq'") == 1


async def test_rows_without_a_value_are_no_duplicates(empty_url: str, project: Project) -> None:
    up = 'ops.create_index("ux", "t", ["b DESC"], unique=True)\nops.add_unique("t", "uq", ["b"])'
    async with live(empty_url, project, up=up) as it:
        await it.execute("INSERT INTO t (id, a, b) VALUES (7, 'seven', NULL)")
        await it.up()
        await it.execute("INSERT INTO t (id, a, b) VALUES (8, 'eight', NULL)")
        with pytest.raises(Exception, match=r"(?i)unique"):
            await it.execute("INSERT INTO t (id, a, b) VALUES (9, 'nine', 10)")
        assert await it.value("SELECT count(*) FROM t WHERE b IS NULL") == 3


async def test_names_of_ours_that_would_be_too_long_are_shortened(empty_url: str, project: Project) -> None:
    base = BASE.replace('"t"', f'"{"table_of_" + LONG}"').replace('"b"', f'"{LONG}"').replace("pk_t", "pk")
    table = f'"table_of_{LONG}"'
    up = f"""
ops.set_not_null({table}, "{LONG}", fill="7")
ops.rename_column({table}, {WAS}, sa.Column("new_{LONG}", sa.String(50), nullable=False))
"""
    async with live(empty_url, project, base=base, rows=(f"INSERT INTO {table} (id, a) VALUES (1, 'x')",), up=up) as it:
        before = await it.state()
        await it.up()
        await it.execute(f"INSERT INTO {table} (id, a, {LONG}) VALUES (2, 'y', NULL)")
        await it.backfill()
        await it.contract()
        assert await it.execute(f"SELECT new_{LONG} AS a, {LONG} AS b FROM {table} WHERE id = 2") == [
            {"a": "y", "b": 7}
        ]
        await it.down()
        await it.execute(f"DELETE FROM {table} WHERE id = 2")
        assert changes(before, await it.state()) == []


async def test_a_table_is_not_renamed_to_one_that_is_there(empty_url: str, project: Project) -> None:
    async with live(empty_url, project, up='ops.rename_table("t", "other", ["id", "a", "b"])') as it:
        await it.execute("CREATE TABLE other (id INTEGER)")
        before = await it.state()
        with pytest.raises(Refused, match="already exists"):
            await it.up()
        assert changes(before, await it.state()) == []


async def test_a_twin_carries_along_what_is_kept_aside_and_the_place_of_its_sequence(
    tmp_path_factory: pytest.TempPathFactory, project: Project
) -> None:
    url = f"sqlite:///{tmp_path_factory.mktemp('twin') / 'roster.db'}"
    base = (
        'ops.create_table("t", sa.Column("id", sa.Integer(), primary_key=True), sa.Column("a", sa.Text()), '
        'sa.Column("double", sa.Integer(), sa.Computed("id * 2")), sqlite_autoincrement=True)'
    )
    rows = ("INSERT INTO t (id, a) VALUES (1, 'x'), (9, 'y')", "DELETE FROM t WHERE id = 9")
    async with live(
        url, project, base=base, rows=rows, contract='ops.drop_column("t", sa.Column("a", sa.Text()))'
    ) as it:
        await it.up()
        await it.contract()
        project.add_safe("0003_rename", after="0002_change", up='ops.rename_table("t", "other", ["id", "double"])')
        await it.up()
        assert await it.execute("INSERT INTO other DEFAULT VALUES RETURNING id") == [{"id": 10}]
        assert await it.execute("INSERT INTO t DEFAULT VALUES RETURNING id") == [{"id": 11}]
        await it.contract()
        await it.down()
        assert await it.execute("SELECT id, a, double FROM t ORDER BY id") == [
            {"id": 1, "a": "x", "double": 2},
            {"id": 10, "a": None, "double": 20},
            {"id": 11, "a": None, "double": 22},
        ]


async def test_triggers_find_their_rows_in_a_table_without_rowids(
    tmp_path_factory: pytest.TempPathFactory, project: Project
) -> None:
    url = f"sqlite:///{tmp_path_factory.mktemp('rowid') / 'roster.db'}"
    base = BASE.rstrip().removesuffix(")") + "    sqlite_with_rowid=False,\n)"
    up = KEY + FOLLOW + f'ops.rename_column("t", {WAS}, sa.Column("c", sa.String(50), nullable=False))'
    async with live(url, project, base=base, up=up) as it:
        await it.up()
        await it.execute("INSERT INTO t (id, a) VALUES (7, 'Seven')")
        await it.execute("UPDATE t SET c = 'Eight' WHERE id = 7")
        assert await it.execute("SELECT a, c, key FROM t WHERE id = 7") == [
            {"a": "Eight", "c": "Eight", "key": "eight"}
        ]
