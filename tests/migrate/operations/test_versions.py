"""Each kind of change, up and down, on every installed version of PostgreSQL."""

import re
from collections.abc import Iterator

import pytest

from tests.migrate.operations.change_type.test_narrowing import FILE, KINDS, TABLES
from tests.migrate.operations.change_type.test_narrowing import ROWS as FEW
from tests.migrate.operations.change_type.test_narrowing import UP as WIDER
from tests.migrate.operations.crossing import BASE, CONTRACT, ROWS, UP
from tests.migrate.operations.live import changes, live
from tests.migrate.project import Project
from tests.postgres import ephemeral_server, fresh_database, installed_versions

pytestmark = [pytest.mark.postgresql, pytest.mark.slow]

MORE = """
ops.create_table("new", sa.Column("id", sa.Integer(), primary_key=True), sa.Column("t_id", sa.Integer(), index=True),
                 sa.ForeignKeyConstraint(["t_id"], ["t.id"], name="fk_new_t_id_t", ondelete="CASCADE"))
ops.add_column("t", sa.Column("on", sa.Boolean(), server_default=sa.true(), nullable=False))
ops.set_default("t", "Name", "'nobody'", was=None)
ops.add_check("t", "ck_t_id", "id > -1")
ops.add_foreign_key("t", "fk_t_seconds", ["seconds"], "t")
ops.create_index("ix_t_name", "t", ["lower(\\"Name\\")", "id DESC"], where="id > 0")
ops.function("nothing", "CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'")
ops.trigger("nothing", "t",
            postgresql="CREATE TRIGGER nothing BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION nothing()")
ops.execute("Nothing is locked by a comment.", postgresql=["COMMENT ON TABLE t IS 'x'"],
            undo_postgresql=["COMMENT ON TABLE t IS NULL"])
"""
DROPS = """
ops.drop_not_null("Person", "name")
ops.set_not_null("t", "key")
ops.drop_constraint("t", sa.CheckConstraint("id > -1", name="ck_t_id"))
ops.drop_index("ix_t_name", "t", ["lower(\\"Name\\")", "id DESC"], where="id > 0")
ops.drop_trigger("nothing", "t",
                 postgresql="CREATE TRIGGER nothing BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION nothing()")
ops.drop_column("t", sa.Column("Name", sa.Text()))
ops.drop_column("t", sa.Column("kind", sa.Text(), nullable=False))
"""


@pytest.fixture(scope="module", params=installed_versions())
def version(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture(scope="module")
def admin_url(version: int) -> Iterator[str]:
    """The URL of a server of this version."""
    with ephemeral_server(version=version) as server:
        yield server.url


async def test_there_and_back(version: int, admin_url: str, project: Project) -> None:
    async with (
        fresh_database(admin_url) as url,
        live(url, project, base=BASE, rows=ROWS, up=UP + MORE, contract=CONTRACT + DROPS) as it,
    ):
        assert (await it.value("SHOW server_version")).startswith(str(version))
        bare, before = await it.catalog(with_trash=True), await it.state()
        await it.up()
        await it.backfill()
        filled = await it.state()
        await it.contract()
        await it.execute("""INSERT INTO t (id, code, key) VALUES (7, 8, 'k')""")
        await it.execute("DELETE FROM t WHERE id = 7")
        contracted = await it.state()
        await it.undo_contract()
        assert changes(filled, await it.state()) == []
        await it.contract()
        assert changes(contracted, await it.state()) == []
        await it.down()
        # What was filled stays filled.
        back = [re.sub("kind kind of [^,]*", "kind None", line) for line in await it.state()]
        assert changes(before, back) == []
        await it.purge()
        assert changes(bare, await it.catalog(with_trash=True)) == []


async def test_a_wider_type_is_taken_back_with_all_that_is_on_it(admin_url: str, project: Project) -> None:
    things = [
        each for kind in ("all", "expression", "partial", "classes") for each in KINDS[kind] if "CHECK" not in each
    ]
    things = [re.sub(r"INDEX ix\b", f"INDEX ix{number}", each) for number, each in enumerate(things)]
    async with (
        fresh_database(admin_url) as url,
        live(url, project, base="pass", rows=(*TABLES, *FEW, *things), up=WIDER.format(wide="Text()")) as it,
    ):
        before, file = await it.state(), await it.value(FILE)
        await it.up()
        await it.down()
        assert changes(before, await it.state()) == []
        assert await it.value(FILE) == file
