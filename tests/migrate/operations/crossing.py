"""A database in each state of a revision, which the old and the new version write to."""

import asyncio
from typing import Any

from service.migrate.entrypoints import commands
from service.migrate.run.backfill.runner import Progress
from tests.migrate.operations.live import Live

BASE = """
DOCUMENT = sa.JSON().with_variant(sa.dialects.postgresql.JSONB(), "postgresql")
ops.create_table(
    "Order",
    sa.Column("group", sa.Integer(), nullable=False),
    sa.Column("Nr", sa.Integer(), nullable=False),
    sa.Column("user", sa.String(50), nullable=False),
    sa.Column("b", sa.Integer(), server_default="1"),
    sa.Column("flag", sa.Boolean(), server_default=sa.true(), nullable=False),
    sa.Column("at", sa.DateTime(timezone=True), server_default=ops.now(), nullable=False),
    sa.Column("doc", DOCUMENT, server_default="{}"),
    sa.Column("raw", sa.JSON()),
    sa.Column("code", sa.String(10)),
    sa.Column("seconds", sa.Integer()),
    sa.PrimaryKeyConstraint("group", "Nr", name="pk_Order"),
    sa.UniqueConstraint("user", name="uq_Order_user"),
)
ops.create_table(
    "t",
    sa.Column("id", sa.Integer(), primary_key=True),
    sa.Column("wide", sa.String(5)),
    sa.Column("code", sa.Text(), server_default="0", nullable=False),
    sa.Column("seconds", sa.Integer()),
    sa.Column("kind", sa.Text()),
    sa.Column("Name", sa.Text()),
    sa.Column("key", sa.Text()),
)
ops.create_table(
    "people",
    sa.Column("id", sa.Integer(), primary_key=True),
    sa.Column("name", sa.Text(), nullable=False),
    sa.Column("age", sa.Integer(), server_default="7"),
    sa.UniqueConstraint("name", name="uq_people_name"),
)
"""
# More rows than one batch takes.
MANY = "WITH RECURSIVE n (n) AS (SELECT 1000 UNION ALL SELECT n + 1 FROM n WHERE n < 1599) "
ROWS = (
    f"""INSERT INTO "Order" ("group", "Nr", "user", code, seconds) {MANY} SELECT 0, n, 'u' || n, '00' || n, n FROM n""",
    f"""INSERT INTO t (id, wide, code, "Name", key) {MANY} SELECT n, 'w', '00' || n, 'N' || n, 'n' || n FROM n""",
    "INSERT INTO people (id, name) VALUES (1000, 'Old')",
)
UP = """
DOCUMENT = sa.JSON().with_variant(sa.dialects.postgresql.JSONB(), "postgresql")
KEY = ["group", "Nr"]
ops.rename_column("Order", sa.Column("user", sa.String(50), nullable=False),
                  sa.Column("Owner", sa.String(50), nullable=False), key=KEY)
ops.add_unique("Order", "uq_Order_Owner", ["Owner"])
ops.rename_column("Order", sa.Column("b", sa.Integer(), server_default="1"),
                  sa.Column("c", sa.Integer(), server_default="1"), key=KEY)
ops.rename_column("Order", sa.Column("flag", sa.Boolean(), server_default=sa.true(), nullable=False),
                  sa.Column("on", sa.Boolean(), server_default=sa.true(), nullable=False), key=KEY)
ops.rename_column("Order", sa.Column("at", sa.DateTime(timezone=True), server_default=ops.now(), nullable=False),
                  sa.Column("when", sa.DateTime(timezone=True), server_default=ops.now(), nullable=False), key=KEY)
ops.rename_column("Order", sa.Column("doc", DOCUMENT, server_default="{}"),
                  sa.Column("data", DOCUMENT, server_default="{}"), key=KEY)
ops.rename_column("Order", sa.Column("raw", sa.JSON()), sa.Column("text", sa.JSON()), key=KEY)
ops.rename_column("Order", sa.Column("code", sa.String(10)), sa.Column("number", sa.Integer()), key=KEY,
                  up="CAST({} AS INTEGER)", down="CAST({} AS VARCHAR(10))")
ops.rename_column("Order", sa.Column("seconds", sa.Integer()), sa.Column("ms", sa.Integer()), key=KEY,
                  up="{} * 1000", down="{} / 1000")
ops.change_type("t", sa.Column("wide", sa.String(5)), sa.Column("wide", sa.Text()))
ops.change_type("t", sa.Column("code", sa.Text(), server_default="0", nullable=False),
                sa.Column("code", sa.Integer(), server_default="0", nullable=False),
                using="CAST({} AS INTEGER)", back="CAST({} AS TEXT)")
ops.set_not_null("t", "kind", fill="'kind of ' || \\"Name\\"")
ops.follow("t", "key", "Name", postgresql='lower("Name")', sqlite='lower("Name")')
ops.rename_table("people", "Person", ["id", "name", "age"])
"""
CONTRACT = 'ops.drop_constraint("Order", sa.UniqueConstraint("user", name="uq_Order_user"))'
STATES = ("expanded", "half filled", "filled", "contracted and undone")


class Enough(Exception):
    """The migrator is gone after a batch."""


async def bring(it: Live, state: str) -> None:
    """The database with the change in this state."""
    await it.reach("expanded", it.up)
    if state == "half filled":
        try:
            await asyncio.to_thread(commands.backfill, it.url, watch=_stop)
        except Enough:
            return
    if state in ("filled", "contracted and undone"):
        await it.reach("filled", it.backfill)
    if state == "contracted and undone":
        await it.contract()
        await it.execute("""INSERT INTO "Order" ("group", "Nr", "Owner", number, ms) VALUES (1, 1, 'After', 8, 1500)""")
        await it.execute("""UPDATE "Order" SET "Owner" = 'v' || "Nr" WHERE "Nr" = 1001""")
        await it.execute("""UPDATE "Order" SET number = 9, ms = 2500 WHERE "Nr" = 1002""")
        await it.execute("INSERT INTO t (id, code, kind) VALUES (1, 8, 'k')")
        await it.execute("UPDATE t SET code = 9 WHERE id = 1002")
        await it.execute("""INSERT INTO "Person" (id, name) VALUES (1, 'After')""")
        await it.undo_contract()


def _stop(_progress: Progress) -> None:
    raise Enough


async def one(it: Live, table: str, **key: Any) -> dict[str, Any]:
    """The row with this key."""
    where = " AND ".join(f'"{name}" = {value!r}' for name, value in key.items())
    (row,) = await it.execute(f'SELECT * FROM "{table}" WHERE {where}')
    return {name: value for name, value in row.items() if not name.startswith(("_trash_", "_next_"))}
