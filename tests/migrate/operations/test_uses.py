"""A column or table with dependents is not dropped or moved, and the message names the dependents."""

import pytest

from service.migrate.errors import Refused
from tests.migrate.operations.live import changes, live
from tests.migrate.project import Project

BASE = """
ops.create_table(
    "Parent",
    sa.Column("id", sa.Integer(), primary_key=True),
    sa.Column("a", sa.Text(), nullable=False),
    sa.Column("b", sa.Integer()),
    sa.Column("c", sa.Integer(), sa.Computed("b + 1", persisted=True)),
    sa.Column("d", sa.Integer()),
    sa.Column("e", sa.Integer()),
    sa.Column("f", sa.Text()),
    sa.UniqueConstraint("a", name="uq_Parent_a"),
    sa.CheckConstraint("b > 0", name="ck_Parent_b"),
)
ops.create_index("ix_Parent_b", "Parent", ["b", "d"])
ops.create_index("ix_Parent_lower", "Parent", ["lower(a)"])
ops.create_table(
    "child",
    sa.Column("parent", sa.Text()),
    sa.ForeignKeyConstraint(["parent"], ["Parent.a"], name="fk_child"),
)
"""
ROWS = (
    'CREATE VIEW seen AS SELECT a, e AS d FROM "Parent"',
    """INSERT INTO "Parent" (id, a, b) VALUES (1, 'a', 1)""",
)
TRIGGERS = {
    "postgresql": (
        "CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$",
        'CREATE TRIGGER told BEFORE UPDATE OF d ON "Parent" FOR EACH ROW EXECUTE FUNCTION nothing()',
    ),
    "sqlite": (
        'CREATE TRIGGER told BEFORE UPDATE OF d ON "Parent" BEGIN SELECT 1; END',
        'CREATE TRIGGER elsewhere AFTER INSERT ON child BEGIN DELETE FROM "Parent" WHERE 0; END',
    ),
}
COLUMNS = {
    "a": "the constraint fk_child of child; the constraint uq_Parent_a of Parent; "
    "the index ix_Parent_lower; the view seen",
    "b": "the column c; the constraint ck_Parent_b of Parent; the index ix_Parent_b",
    "d": "the index ix_Parent_b; the trigger told",
    "e": "the view seen",
}
DROP = 'ops.drop_column("Parent", sa.Column("{}", sa.Text(), nullable={}))'
DROP_CONSTRAINTS = """
ops.drop_index("ix_Parent_b", "Parent", ["b", "d"])
ops.drop_constraint("Parent", sa.CheckConstraint("b > 0", name="ck_Parent_b"))
"""


async def refusal(url: str, project: Project, **change: str) -> str:
    """The refusal of the change, which leaves the database unchanged."""
    async with live(url, project, base=BASE, rows=(*ROWS, *TRIGGERS[url.split(":", maxsplit=1)[0]]), **change) as it:
        refused = it.up
        if "contract" in change:
            await it.up()
            await it.backfill()
            refused = it.contract
        before = await it.state()
        with pytest.raises(Refused) as error:
            await refused()
        assert changes(before, await it.state()) == []
        return str(error.value).lower()


@pytest.mark.parametrize("name", COLUMNS)
async def test_a_column_that_is_used_is_not_dropped(empty_url: str, project: Project, name: str) -> None:
    told = await refusal(empty_url, project, contract=DROP.format(name, name != "a"))
    uses = COLUMNS[name].lower()
    assert told == (f"parent.{name} cannot be dropped before its dependents ({uses.count(';') + 1}): {uses}.")


async def test_what_the_contract_drops_before_does_not_count(empty_url: str, project: Project) -> None:
    contract = DROP_CONSTRAINTS + 'ops.drop_column("Parent", sa.Column("b", sa.Integer()))'
    assert (await refusal(empty_url, project, contract=contract)).endswith("before its dependents (1): the column c.")


async def test_a_column_that_is_used_does_not_give_way_to_its_new_name(empty_url: str, project: Project) -> None:
    up = 'ops.rename_column("Parent", sa.Column("b", sa.Integer()), sa.Column("n", sa.Integer()))'
    assert (await refusal(empty_url, project, up=up, contract=DROP_CONSTRAINTS)) == (
        "parent.b cannot be replaced by n before its dependents are dropped in contract() (1): the column c."
    )


async def test_a_table_that_is_used_is_not_dropped(empty_url: str, project: Project) -> None:
    contract = (
        'ops.drop_table("Parent", sa.Column("id", sa.Integer()), sa.Index("ix_Parent_lower", sa.text("lower(a)")))'
    )
    told = await refusal(empty_url, project, contract=contract)
    elsewhere = "the trigger elsewhere; " if "sqlite" in empty_url else ""
    count = 5 if elsewhere else 4
    assert told == (
        f"parent cannot be dropped before its dependents ({count}): "
        f"the constraint fk_child of child; the index ix_parent_b; {elsewhere}the trigger told; the view seen."
    )


@pytest.mark.parametrize(
    ("up", "why"),
    [
        (
            """
            ops.change_type("Parent", sa.Column("d", sa.Integer()), sa.Column("d", sa.Text()),
                            back="CAST({} AS INTEGER)")
            """,
            "before its dependents are dropped (2): the index ix_parent_b; the trigger told.",
        ),
        (
            """
            ops.change_type("Parent", sa.Column("a", sa.String(), nullable=False),
                            sa.Column("a", sa.Text(), nullable=False))
            """,
            "parent.a cannot change its type before its dependents are dropped (1): the view seen.",
        ),
        (
            """
            ops.change_type("Parent", sa.Column("f", sa.String()), sa.Column("f", sa.Text()))
            ops.rename_table("Parent", "Other", ["id"])
            """,
            (
                "parent has columns that ops.rename_table does not list, so that the old version would lose them (6): "
                "a; b; c; d; e; …"
            ),
        ),
    ],
)
async def test_a_column_that_is_used_keeps_its_type(
    empty_postgres_url: str, project: Project, up: str, why: str
) -> None:
    assert why.rstrip(".") in await refusal(empty_postgres_url, project, up=up)


async def test_a_unique_constraint_that_a_foreign_key_uses_is_not_dropped(empty_url: str, project: Project) -> None:
    unique = """ops.drop_constraint("Parent", sa.UniqueConstraint("a", name="uq_Parent_a"))"""
    message = await refusal(empty_url, project, contract=unique)
    assert message.startswith("uq_parent_a of parent cannot be dropped before its dependents (1): ")
    assert "the constraint fk_child of child" in message


async def test_a_unique_constraint_goes_after_the_foreign_key(empty_url: str, project: Project) -> None:
    unique = """ops.drop_constraint("Parent", sa.UniqueConstraint("a", name="uq_Parent_a"))"""
    key = """ops.drop_constraint("child", sa.ForeignKeyConstraint(["parent"], ["Parent.a"], name="fk_child"))"""
    async with live(empty_url, project, base=BASE, contract=f"{key}\n{unique}", rows=()) as it:
        await it.up()
        await it.contract()
        assert not any("uq_Parent_a" in line for line in await it.catalog())


INDEXED = """
ops.create_table("parent", sa.Column("id", sa.Integer(), primary_key=True), sa.Column("code", sa.Integer()))
ops.create_table("child", sa.Column("id", sa.Integer(), primary_key=True), sa.Column("code", sa.Integer()))
"""
KEYED = """
ops.create_index("Ux", "parent", ["code"], unique=True)
ops.add_foreign_key("child", "fk_child", ["code"], "parent", ["code"])
"""
WIDER = 'sa.Index("Ux", "code", unique=True), sa.Index("Ux", "code", "id", unique=True)'


@pytest.mark.parametrize(
    "contract",
    [
        'ops.drop_index("Ux", "parent", ["code"], unique=True)',
        f'ops.replace_index("parent", {WIDER})',
    ],
)
async def test_a_unique_index_that_a_foreign_key_uses_is_kept(empty_url: str, project: Project, contract: str) -> None:
    async with live(empty_url, project, base=INDEXED + KEYED, rows=(), contract=contract) as it:
        await it.up()
        before = await it.state()
        with pytest.raises(
            Refused, match=r"Ux of parent cannot be dropped before its dependents \(1\): the constraint"
        ):
            await it.contract()
        assert changes(before, await it.state()) == []


async def test_an_undo_keeps_a_unique_index_for_the_key_of_another(empty_url: str, project: Project) -> None:
    """The key that the revision itself adds goes before the index."""
    async with live(empty_url, project, base=INDEXED, rows=(), up=KEYED) as it:
        await it.up()
        key = "CONSTRAINT fk_other FOREIGN KEY (code) REFERENCES parent (code)"
        await it.execute(f"CREATE TABLE other (code integer, {key})")
        before = await it.state()
        with pytest.raises(Refused, match=r"Ux of parent cannot .* \(1\): the constraint fk_other of other"):
            await it.down()
        assert changes(before, await it.state()) == []
        await it.execute("DROP TABLE other")
        await it.down()
