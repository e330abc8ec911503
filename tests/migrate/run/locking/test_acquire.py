"""A step that locks two tables waits for both no longer than for one, and never holds one while it waits long."""

import asyncio
import re
from typing import Any

from sqlalchemy import Engine, event

from service.migrate.entrypoints import aio, commands
from tests.alembic.store import opened
from tests.migrate.company import HOLDING, WAITING, Migrator, until
from tests.migrate.operations.live import BASE, live
from tests.migrate.project import Project

TABLES = (
    BASE
    + """
ops.create_table(
    "u",
    sa.Column("id", sa.Integer(), nullable=False),
    sa.Column("t_id", sa.Integer()),
    sa.PrimaryKeyConstraint("id", name="pk_u"),
    sa.ForeignKeyConstraint(["t_id"], ["t.id"], name="fk_u"),
)
"""
)
DROP = 'ops.drop_constraint("u", sa.ForeignKeyConstraint(["t_id"], ["t.id"], name="fk_u"))'


async def test_the_contended_table_is_waited_for_without_a_lock_on_the_other(
    empty_postgres_url: str, project: Project
) -> None:
    async with live(empty_postgres_url, project, base=TABLES, up=DROP) as it, opened(it.url) as holder:
        for contended, other in (("t", "u"), ("u", "t")):
            await holder.execute("BEGIN")
            await holder.execute(f"SELECT * FROM {contended}")
            migrator = Migrator.start(commands.upgrade, it.url)
            held = []
            for _ in range(3):
                await until(it.store, WAITING, contended)
                held.append(await it.store.value(HOLDING, other))
                await asyncio.sleep(0.06)
            await holder.execute("COMMIT")
            assert await migrator.done() == ["0002_change"]
            assert held == [0, 0, 0]
            await it.down()


async def test_the_second_lock_has_a_fraction_of_the_time(empty_postgres_url: str, project: Project) -> None:
    sent: list[str] = []

    def hear(_connection: object, _cursor: object, statement: str, *_: Any) -> None:
        if found := re.search(r"lock_timeout\W+\d+|LOCK TABLE .*|DROP CONSTRAINT .*", statement):
            # set_config('lock_timeout', '50', true) is SET LOCAL lock_timeout = 50.
            sent.append(re.sub(r"(?<=lock_timeout)\W+", " = ", found[0]))

    async with live(empty_postgres_url, project, base=TABLES, up=DROP) as it:
        event.listen(Engine, "before_cursor_execute", hear)
        try:
            await aio.upgrade(it.url, "head")
        finally:
            event.remove(Engine, "before_cursor_execute", hear)
    first = next(at for at, each in enumerate(sent) if each.startswith("LOCK TABLE"))
    before, one, second, two, third, drop = sent[first - 1 : first + 5]
    assert (before, drop) == ("lock_timeout = 50", "DROP CONSTRAINT fk_u")
    assert {one, two} == {f"LOCK TABLE ONLY {table} IN ACCESS EXCLUSIVE MODE" for table in ("t", "u")}
    assert all(1 <= int(each.rpartition(" ")[2]) <= 10 for each in (second, third))
