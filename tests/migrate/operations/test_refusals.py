"""Declarations that a revision is refused for, without a database, and the reason in the message."""

import pytest

from service.migrate.entrypoints.aio import upgrade
from service.migrate.errors import Refused
from tests.migrate.operations.live import live
from tests.migrate.operations.written import planned
from tests.migrate.project import Project

LONG = "x" * 52

# The call in upgrade(), and the message.
UPGRADES = {
    "volatile default": (
        'ops.add_column("t", sa.Column("c", sa.Uuid(), server_default=sa.text("gen_random_uuid()")))',
        r"t\.c has the volatile default gen_random_uuid\(\): .* then call ops\.set_not_null",
    ),
    "default of a sequence": (
        """ops.add_column("t", sa.Column("c", sa.Integer(), server_default=sa.text("nextval('s')")))""",
        r"t\.c has the volatile default nextval\('s'\)",
    ),
    "volatile default of a renamed column": (
        """
ops.rename_column("t", sa.Column("a", sa.Float()), sa.Column("c", sa.Float(), server_default=sa.text("random()")))
""",
        r"t\.c has the volatile default random\(\)",
    ),
    "identity": (
        'ops.add_column("t", sa.Column("c", sa.Integer(), sa.Identity()))',
        r"t\.c is generated, an identity or a primary key: PostgreSQL would rewrite the table .* ops\.Backfill",
    ),
    "computed": (
        'ops.add_column("t", sa.Column("c", sa.Integer(), sa.Computed("b + 1")))',
        r"t\.c is generated, an identity or a primary key",
    ),
    "not null without a default": (
        'ops.add_column("t", sa.Column("c", sa.Integer(), nullable=False))',
        r"t\.c is NOT NULL without a default: .* Give it a server_default, or add it nullable and call",
    ),
    "inline foreign key": (
        'ops.add_column("t", sa.Column("c", sa.Integer(), sa.ForeignKey("u.id")))',
        r"t\.c is declared with a constraint or an index, .* Add the column alone, then call ops\.add_check",
    ),
    "inline unique": (
        'ops.add_column("t", sa.Column("c", sa.Integer(), unique=True))',
        r"t\.c is declared with a constraint",
    ),
    "inline index": (
        'ops.add_column("t", sa.Column("c", sa.Integer(), index=True))',
        r"t\.c is declared with a constraint",
    ),
    "inline check": (
        'ops.add_column("t", sa.Column("c", sa.Integer(), sa.CheckConstraint("c > 0")))',
        r"t\.c is declared with a constraint",
    ),
    "check of a type": (
        'ops.add_column("t", sa.Column("c", sa.Boolean(create_constraint=True)))',
        r"t\.c is declared with a constraint",
    ),
    "enum": (
        'ops.add_column("t", sa.Column("c", sa.Enum("a", "b", name="kind")))',
        r"t\.c has a native enum type: .* Use a text type",
    ),
    "enum of a new table": (
        'ops.create_table("u", sa.Column("c", sa.Enum("a", "b", name="kind")))',
        r"u\.c has a native enum type",
    ),
    "column name too long for the trash": (
        f'ops.add_column("t", sa.Column("{LONG}", sa.Integer()))',
        rf"The name _trash_0002_{LONG} has 64 bytes, and PostgreSQL keeps 63\. Use a shorter name",
    ),
    "table name too long for the trash": (
        f'ops.create_table("{LONG}", sa.Column("c", sa.Integer()))',
        r"PostgreSQL keeps 63",
    ),
    "unnamed constraint": (
        'ops.drop_constraint("t", sa.CheckConstraint("a > 0"))',
        r"A constraint of t has no name\. Pass name=… to the constraint",
    ),
    "unnamed foreign key of a new table": (
        'ops.create_table("u", sa.Column("t_id", sa.Integer(), sa.ForeignKey("t.id")))',
        r"A constraint of u has no name",
    ),
    "primary key": (
        'ops.drop_constraint("t", sa.PrimaryKeyConstraint("id", name="pk_t"))',
        r"pk_t of t is a PrimaryKeyConstraint; only CHECK, UNIQUE and FOREIGN KEY constraints can be altered",
    ),
    "unique constraint in place of a check": (
        """
ops.replace_constraint("t", sa.CheckConstraint("a > 0", name="uq"), sa.UniqueConstraint("a", "b", name="uq"))
""",
        r"t: a unique constraint cannot replace a constraint of another kind\. Add the new one, then call",
    ),
    "index in place of another": (
        'ops.replace_index("t", sa.Index("ix", "a"), sa.Index("ix_t_a", "a"))',
        r"ix and ix_t_a are two indexes of t\. Call ops\.create_index for the new one",
    ),
    "index without a name": (
        'ops.replace_index("t", sa.Index(None, "a"), sa.Index(None, "b"))',
        r"An index of t has no name\. Name it in sa\.Index",
    ),
    "index on half an expression": (
        'ops.create_index("ix", "t", ["a || b"])',
        r"The index expression 'a \|\| b' is neither a column nor a function call\. Write it in parentheses",
    ),
    "type and nullability": (
        'ops.change_type("t", sa.Column("a", sa.Text()), sa.Column("a", sa.Integer(), nullable=False))',
        r"The two definitions of t\.a differ in nullability: .* Call ops\.set_not_null or",
    ),
    "column dropped under the old version": (
        'ops.drop_column("t", sa.Column("a", sa.Text()))',
        r"0002_change: DropColumn in upgrade\(\) would remove what the old version still uses",
    ),
    "table dropped under the old version": (
        'ops.drop_table("t", sa.Column("a", sa.Text()))',
        r"0002_change: DropTable in upgrade\(\) would remove .* Call it in contract\(\)",
    ),
    "two backfills of one name": (
        'ops.set_not_null("t", "a", fill="1")\nops.set_not_null("t", "a", fill="2")',
        r"0002_change: two backfills are named t\.a",
    ),
}
CONTRACTS = {
    "rename_column": (
        'ops.rename_column("t", sa.Column("a", sa.Text()), sa.Column("c", sa.Text()))',
        r"0002_change: RenameColumn has a backfill or contract steps\. Call it in upgrade\(\)",
    ),
    "rename_table": ('ops.rename_table("t", "u", ["id"])', r"RenameTable has a backfill or contract steps"),
    "set_not_null with fill": ('ops.set_not_null("t", "a", fill="1")', r"SetNotNull has a backfill or contract steps"),
    "follow": ('ops.follow("t", "a", "b", postgresql="b", sqlite="b")', r"Follow has a backfill or contract steps"),
    "change_type": (
        'ops.change_type("t", sa.Column("a", sa.Text()), sa.Column("a", sa.Integer()))',
        r"ChangeType has a backfill or contract steps",
    ),
}
BACKFILL = 'ops.Backfill(name="t.a", table="t", left="a IS NULL", assign={"a": "1"})'


@pytest.mark.parametrize("case", UPGRADES)
def test_what_cannot_be_done_beside_traffic_is_refused(project: Project, case: str) -> None:
    up, why = UPGRADES[case]
    with pytest.raises(Refused, match=why):
        planned(project, "postgresql", up)


@pytest.mark.parametrize("case", CONTRACTS)
def test_what_has_phases_of_its_own_is_refused_in_contract(project: Project, case: str) -> None:
    contract, why = CONTRACTS[case]
    with pytest.raises(Refused, match=why):
        planned(project, "postgresql", contract=contract)


def test_a_backfill_of_one_s_own_and_an_operation_s_have_two_names(project: Project) -> None:
    with pytest.raises(Refused, match=r"two backfills are named t\.a"):
        planned(project, "postgresql", 'ops.set_not_null("t", "a", fill="1")', backfill=BACKFILL)


def test_a_backfill_is_declared_as_one(project: Project) -> None:
    with pytest.raises(
        Refused, match=r"0002_change: backfill must be an ops\.Backfill\(…\), a list of them, or a function"
    ):
        planned(project, "postgresql", backfill='["UPDATE t SET a = 1"]')
    assert [fill.name for fill in planned(project, "postgresql", backfill=f"[{BACKFILL}]").backfills] == ["t.a"]


def test_a_file_that_is_only_read_is_for_no_database(project: Project) -> None:
    with pytest.raises(
        Refused, match=r"ops\.either\(…\) must be called in upgrade\(\), contract\(\), downgrade\(\) or a function"
    ):
        planned(project, "postgresql", backfill='ops.either(postgresql="1", sqlite="2")')


def test_a_downgrade_undoes_everything_or_says_what_to_do(project: Project) -> None:
    with pytest.raises(Refused, match=r"0002_change: downgrade\(\) calls ops\.undo\(\) and other operations"):
        planned(project, "postgresql", down='ops.undo()\nops.drop_not_null("t", "a")')
    planned(project, "postgresql", down='ops.refuse_if_any("SELECT 1", "Rows")\nops.undo()')


@pytest.mark.parametrize(
    ("id", "tag"),
    [("0017_x", "0017"), ("9042ab12cd34", "9042ab12cd34"), ("e6a077a2804d", "e6a077a2804d"), ("mine", "4d94a9b2b5f1")],
)
async def test_a_revision_of_any_id_keeps_aside_brings_back_and_purges(
    empty_url: str, project: Project, id: str, tag: str
) -> None:
    async with live(empty_url, project, up="pass") as it:
        project.remove("0002_change")
        project.add_safe(
            id, after="0001_base", contract='ops.drop_column("t", sa.Column("b", sa.Integer(), server_default="1"))'
        )
        before = await it.rows()
        await it.up()
        await it.contract()
        if id != "mine":
            assert f"_trash_{tag}_b" in str(await it.catalog(with_trash=True))
        await it.down()
        assert await it.rows() == before
        await it.up()
        await it.contract()
        assert await it.purge() == ["t.b"]


async def test_a_revision_of_the_plain_style_calls_no_operation(empty_url: str, project: Project) -> None:
    project.clear()
    project.add("0001_plain", after=None, up='ops.add_column("t", sa.Column("c", sa.Integer()))')
    with pytest.raises(Refused, match=r"ops\.add_column is called in a revision that imports Alembic's op"):
        await upgrade(empty_url)
