"""Upgrade of each operation, and downgrade from every state, with rows in the table."""

from dataclasses import dataclass

import pytest

from tests.migrate.operations.live import changes, live
from tests.migrate.project import Project

pytestmark = pytest.mark.slow

BASE = """
ops.create_table(
    "Order",
    sa.Column("group", sa.Integer(), nullable=False),
    sa.Column("Nr", sa.String(10), nullable=False),
    sa.Column("index", sa.Text()),
    sa.Column("b", sa.Integer(), server_default="1"),
    sa.Column("at", sa.DateTime(timezone=True), server_default=ops.now(), nullable=False),
    sa.PrimaryKeyConstraint("group", "Nr", name="pk_Order"),
    sa.CheckConstraint("b > -9", name="ck_Order_b"),
    sa.UniqueConstraint("index", "b", name="uq_Order"),
)
ops.create_index("ix_Order_b", "Order", ["b", '"index" DESC'])
ops.create_table(
    "t",
    sa.Column("id", sa.Integer(), nullable=False),
    sa.Column("a", sa.String(50), nullable=False),
    sa.Column("b", sa.Integer(), server_default="1"),
    sa.Column("g", sa.Integer()),
    sa.Column("n", sa.String(10)),
    sa.PrimaryKeyConstraint("id", name="pk_t"),
    sa.ForeignKeyConstraint(["g", "n"], ["Order.group", "Order.Nr"], name="fk_t_g_n_Order"),
)
ops.create_index("ix_t_b", "t", ["b"])
"""
ROWS = (
    """INSERT INTO "Order" ("group", "Nr", "index", b)
    VALUES (1, 'x', 'I', 5), (1, 'Y', NULL, NULL), (2, 'x', '', 7)""",
    "INSERT INTO t (id, a, b, g, n) VALUES (1, 'one', 2, 1, 'x'), (2, 'two', NULL, 1, 'Y'), (3, '007', 3, NULL, NULL)",
)
NR = '["group", "Nr"]'


@dataclass(frozen=True, kw_only=True)
class Case:
    """A change, the rows written while it is applied, and the expected rows."""

    parts: dict[str, str]
    writes: tuple[str, ...] = ()
    # What was filled stays filled.
    stays: tuple[str, ...] = ()


CASES = {
    "create_table and indexes": Case(
        parts={
            "up": """
                ops.create_table(
                    "new", sa.Column("id", sa.Integer(), primary_key=True), sa.Column("t_id", sa.Integer(), index=True),
                    sa.Column("kind", sa.Text(), server_default="50% :x"),
                    sa.ForeignKeyConstraint(["t_id"], ["t.id"], name="fk_new_t_id_t", ondelete="CASCADE"),
                    sa.CheckConstraint("kind LIKE '%'", name="ck_new_kind"),
                )
                ops.create_table("empty", sa.Column("id", sa.Integer(), primary_key=True))
                ops.create_index("ix_new", "Order", ["index", "lower(\\"Nr\\") DESC"], where="\\"Nr\\" <> '%:x'")
                ops.create_index("ux_new", "Order", ["index"], unique=True, where="b > 5")
                ops.create_index("ix_hash", "t", ["a"], using="hash")
                ops.drop_index("ix_Order_b", "Order", ["b", '"index" DESC'])
            """
        },
        writes=("INSERT INTO new (id, t_id) VALUES (1, 1), (2, NULL)",),
    ),
    "drop_table": Case(
        parts={
            "contract": """
                ops.drop_index("ix_t_b", "t", ["b"])
                ops.drop_table(
                    "t",
                    sa.Column("id", sa.Integer(), nullable=False),
                    sa.Column("a", sa.String(50), nullable=False),
                    sa.Column("b", sa.Integer(), server_default="1"),
                    sa.Column("g", sa.Integer()),
                    sa.Column("n", sa.String(10)),
                    sa.PrimaryKeyConstraint("id", name="pk_t"),
                    sa.ForeignKeyConstraint(["g", "n"], ["Order.group", "Order.Nr"], name="fk_t_g_n_Order"),
                )
            """
        },
    ),
    "rename_table": Case(
        parts={
            "up": f'ops.rename_table("Order", "Case", ["group", "Nr", "index", "b", "at"], key={NR})',
        },
    ),
    "add_column and defaults": Case(
        parts={
            "up": """
                ops.add_column("Order", sa.Column("select", sa.String(50)))
                ops.add_column("Order", sa.Column("on", sa.Boolean(), server_default=sa.true(), nullable=False))
                ops.add_column("t", sa.Column("at", sa.DateTime(), server_default=ops.now(), nullable=False))
                ops.add_column("t", sa.Column("made", sa.Integer()), derived=True)
                ops.set_default("t", "b", "abs(-7)", was="'1'")
                ops.set_default("Order", "index", "'50% :x'", was=None)
                ops.set_default("Order", "at", None, was=ops.now())
                ops.set_default("Order", "at", ops.now(), was=None)
            """
        },
        writes=(
            """UPDATE "Order" SET "select" = 'typed' WHERE "group" = 1""",
            "UPDATE t SET at = '2020-01-02 03:04:05'",
        ),
    ),
    "drop_column": Case(
        parts={
            "contract": """
                ops.drop_index("ix_t_b", "t", ["b"])
                ops.drop_column("t", sa.Column("b", sa.Integer(), server_default="1"))
                ops.drop_column("t", sa.Column("a", sa.String(50), nullable=False))
                ops.drop_column(
                    "Order", sa.Column("at", sa.DateTime(timezone=True), server_default=ops.now(), nullable=False)
                )
            """
        },
    ),
    "rename_column": Case(
        parts={
            "up": f"""
                ops.rename_column(
                    "t", sa.Column("a", sa.String(50), nullable=False), sa.Column("Name", sa.String(50), nullable=False)
                )
                ops.rename_column("Order", sa.Column("b", sa.Integer(), server_default="1"),
                    sa.Column("index2", sa.Integer(), server_default="1"), key={NR})
            """,
            "contract": """
                ops.drop_index("ix_Order_b", "Order", ["b", '"index" DESC'])
                ops.drop_constraint("Order", sa.UniqueConstraint("index", "b", name="uq_Order"))
                ops.drop_constraint("Order", sa.CheckConstraint("b > -9", name="ck_Order_b"))
            """,
        },
    ),
    "change_type": Case(
        parts={
            "up": """
                ops.change_type(
                    "t", sa.Column("a", sa.String(50), nullable=False), sa.Column("a", sa.Text(), nullable=False)
                )
                ops.change_type("t", sa.Column("n", sa.String(10)), sa.Column("n", sa.String(20)))
                ops.change_type("Order",
                    sa.Column("at", sa.DateTime(timezone=True), server_default=ops.now(), nullable=False),
                    sa.Column("at", sa.Text(), server_default="", nullable=False), using="CAST({} AS TEXT)",
                    back="CAST({} AS TIMESTAMP WITH TIME ZONE)" if PG else "{}", key=["group", "Nr"])
            """
        },
    ),
    "nulls": Case(
        parts={
            "up": """
                ops.set_not_null("t", "b", fill="id * 100")
                ops.drop_not_null("t", "a")
            """,
            "contract": """
                ops.drop_not_null("Order", "at")
                ops.set_not_null("Order", "at")
            """,
        },
        stays=("- t: a two, b None, g 1, id 2, n Y", "+ t: a two, b 200, g 1, id 2, n Y"),
    ),
    "constraints": Case(
        parts={
            "up": """
                ops.add_check("Order", "ck_new", "'50% :x' <> \\"Nr\\"")
                ops.add_unique("Order", "uq_new", ["Nr", "b"])
                ops.add_foreign_key("t", "fk_new", ["b"], "t", ["id"], onupdate="CASCADE")
            """
        },
    ),
    "dropped constraints": Case(
        parts={
            "up": """
                ops.replace_constraint("Order", sa.CheckConstraint("b > -9", name="ck_Order_b"),
                    sa.CheckConstraint("b > -8", name="ck_Order_b"))
                ops.replace_constraint("t",
                    sa.ForeignKeyConstraint(["g", "n"], ["Order.group", "Order.Nr"], name="fk_t_g_n_Order"),
                    sa.ForeignKeyConstraint(["g", "n"], ["Order.group", "Order.Nr"], name="fk_other",
                        ondelete="CASCADE"))
                ops.drop_constraint("Order", sa.UniqueConstraint("index", "b", name="uq_Order"))
                ops.add_unique("Order", "uq_Order", ["b", "index"])
            """,
            "contract": """
                ops.drop_constraint("Order", sa.CheckConstraint("b > -8", name="ck_Order_b"))
                ops.add_check("Order", "ck_Order_b", "b > -7")
            """,
        },
    ),
}


@pytest.mark.parametrize("name", CASES)
async def test_there_and_back(empty_url: str, project: Project, name: str) -> None:
    case = CASES[name]
    parts = {k: v.replace("if PG", f"if {'postgresql' in empty_url}") for k, v in case.parts.items()}
    async with live(empty_url, project, base=BASE, rows=ROWS, **parts) as it:
        bare = await it.catalog(with_trash=True)
        before = await it.state()
        await it.up()
        for statement in case.writes:
            await it.execute(statement)
        applied = await it.state()
        await it.down()
        assert changes(before, await it.state()) == []
        await it.up()
        assert changes(applied, await it.state()) == []
        await it.backfill()
        filled = await it.state()
        await it.contract()
        contracted = await it.state()
        await it.undo_contract()
        assert changes(filled, await it.state()) == []
        await it.contract()
        assert changes(contracted, await it.state()) == []
        await it.down()
        assert changes(before, await it.state()) == list(case.stays)
        await it.purge()
        assert changes(bare, await it.catalog(with_trash=True)) == []
