"""What has the name of an index or a constraint is looked at: another definition is refused, the same is taken."""

import pytest

from service.migrate.errors import Refused
from tests.migrate.operations.live import live
from tests.migrate.project import Project
from tests.postgres import fresh_database

BASE = """
ops.create_table("u", sa.Column("id", sa.Integer(), nullable=False), sa.PrimaryKeyConstraint("id", name="pk_u"))
ops.create_table(
    "t",
    sa.Column("id", sa.Integer(), nullable=False),
    sa.Column("a", sa.String(50)),
    sa.Column("b", sa.Integer()),
    sa.PrimaryKeyConstraint("id", name="pk_t"),
)
"""
ADD = {
    "ix": 'ops.create_index("ix", "t", ["b", "lower(a) DESC"], where="b > 0")',
    "uq": 'ops.add_unique("t", "uq", ["a", "b"])',
    "ck": 'ops.add_check("t", "ck", "b > 5 AND a <> \'it\'\'s\'")',
    "fk": 'ops.add_foreign_key("t", "fk", ["b"], "u", ondelete="CASCADE", deferrable=True, initially="DEFERRED")',
}
DROP = {
    "ix": 'ops.drop_index("ix", "t", ["b", "lower(a) DESC"], where="b > 0")',
    "uq": 'ops.drop_constraint("t", sa.UniqueConstraint("a", "b", name="uq"))',
    "ck": """ops.drop_constraint("t", sa.CheckConstraint("b > 5 AND a <> 'it''s'", name="ck"))""",
    "fk": """ops.drop_constraint("t", sa.ForeignKeyConstraint(["b"], ["u.id"], name="fk", ondelete="CASCADE",
        deferrable=True, initially="DEFERRED"))""",
}
# What has the same name, and is another thing.
OTHERS = {
    "ix": 'ops.create_index("ix", "t", ["b", "lower(a)"], where="b > 0")',
    "uq": 'ops.add_unique("t", "uq", ["a"])',
    "ck": 'ops.add_check("t", "ck", "b > 6 AND a <> \'it\'\'s\'")',
    "fk": 'ops.add_foreign_key("t", "fk", ["b"], "u", ondelete="SET NULL", deferrable=True, initially="DEFERRED")',
}


async def test_another_thing_of_the_name_is_refused_before_anything_is_changed(
    empty_url: str, project: Project
) -> None:
    async with live(empty_url, project, base=BASE + "\n".join(OTHERS.values()), rows=()) as it:
        before = await it.catalog()
        for name, declared in ADD.items():
            project.remove("0002_change")
            project.add_safe("0002_change", after="0001_base", up=declared)
            with pytest.raises(Refused, match=rf"^{name} exists already, with another definition \(1\): .*there is `"):
                await it.up()
        for name, declared in DROP.items():
            project.remove("0002_change")
            project.add_safe("0002_change", after="0001_base", up=declared)
            with pytest.raises(Refused, match=rf"The revision's definition of {name} differs from the database"):
                await it.up()
        assert await it.catalog() == before


async def test_the_same_thing_is_taken(empty_url: str, project: Project) -> None:
    added = "\n".join(ADD.values())
    async with live(empty_url, project, base=BASE + added, rows=(), up=added) as it:
        before = await it.catalog()
        await it.up()
        assert await it.catalog() == before


async def test_what_is_dropped_comes_back_as_it_was(empty_url: str, project: Project) -> None:
    async with live(
        empty_url, project, base=BASE + "\n".join(ADD.values()), rows=(), up="\n".join(DROP.values())
    ) as it:
        before = await it.catalog()
        await it.up()
        assert await it.catalog() != before
        await it.down()
        assert await it.catalog() == before


COMMENTED = (
    DROP["ck"].replace('name="ck"', 'name="ck", comment="what"')
    + """
ops.replace_index("t", sa.Index("ix", "b", sa.text("lower(a) DESC"), postgresql_where=sa.text("b > 0")),
    sa.Index("ix", "a"))
ops.create_index("iy", "t", ["b"])
"""
)


async def test_a_comment_is_declared_or_carried(postgres_admin_url: str, project: Project) -> None:
    added = "\n".join(ADD.values())
    comments = ("COMMENT ON INDEX ix IS 'why'", "COMMENT ON CONSTRAINT ck ON t IS 'what'")
    async with (
        fresh_database(postgres_admin_url) as url,
        live(url, project, base=BASE + added, rows=comments) as it,
    ):
        before = await it.catalog()
        for name, said in (("ix", "why"), ("ck", "what")):
            project.remove("0002_change")
            project.add_safe("0002_change", after="0001_base", up=DROP[name])
            with pytest.raises(
                Refused, match=f"{name}.* there is the comment '{said}', the revision says comment=None"
            ):
                await it.up()
        project.remove("0002_change")
        project.add_safe("0002_change", after="0001_base", up=COMMENTED)
        await it.up()
        assert await it.value("SELECT obj_description('iy'::regclass)") is None
        await it.down()
        assert await it.catalog() == before
        assert await it.value("SELECT obj_description('ix'::regclass)") == "why"
        assert await it.value("SELECT obj_description(oid) FROM pg_constraint WHERE conname = 'ck'") == "what"


COLUMNS = {
    "another type": ('ops.add_column("t", sa.Column("b", sa.String(9)))', r"t\.b exists already, with another"),
    "another default": (
        'ops.add_column("t", sa.Column("b", sa.Integer(), server_default="7"))',
        r"t\.b exists already, with another definition \(1\): the column b, there is `",
    ),
    "a rename": (
        'ops.rename_column("t", sa.Column("a", sa.String(50)), sa.Column("b", sa.String(50)))',
        r"t\.b exists already, and its values would be overwritten",
    ),
    "a table": (
        """
ops.create_table("u", sa.Column("id", sa.Integer(), nullable=False), sa.Column("x", sa.Text()),
    sa.PrimaryKeyConstraint("id", name="pk_u"))
""",
        r"The table u exists already, with other columns \(1\): the table u, x is `None`, the revision says `(x TE|te)",
    ),
}
SAME = """
ops.add_column("t", sa.Column("b", sa.Integer()))
ops.create_table("u", sa.Column("id", sa.Integer(), nullable=False), sa.PrimaryKeyConstraint("id", name="pk_u"))
"""


async def test_another_column_or_table_of_the_name_is_refused(empty_url: str, project: Project) -> None:
    async with live(empty_url, project, base=BASE, rows=()) as it:
        before = await it.catalog()
        for declared, why in COLUMNS.values():
            project.remove("0002_change")
            project.add_safe("0002_change", after="0001_base", up=declared)
            with pytest.raises(Refused, match=why):
                await it.up()
        assert await it.catalog() == before
        project.remove("0002_change")
        project.add_safe("0002_change", after="0001_base", up=SAME)
        await it.up()
        assert await it.catalog() == before


MARKS = {
    "ALTER TABLE t CLUSTER ON i": "ALTER TABLE t SET WITHOUT CLUSTER",
    "ALTER TABLE t REPLICA IDENTITY USING INDEX i": "ALTER TABLE t REPLICA IDENTITY DEFAULT",
    "ALTER TABLE t CLUSTER ON uq": "ALTER TABLE t SET WITHOUT CLUSTER",
    "COMMENT ON INDEX uq IS 'why'": "COMMENT ON INDEX uq IS NULL",
    "ALTER INDEX uq SET (fillfactor = 50)": "ALTER INDEX uq RESET (fillfactor)",
    "ALTER INDEX e ALTER COLUMN 1 SET STATISTICS 7": "ALTER INDEX e ALTER COLUMN 1 SET STATISTICS -1",
}
MARKED = (
    "ALTER TABLE t ALTER b SET NOT NULL",
    "CREATE UNIQUE INDEX i ON t (b)",
    "CREATE INDEX e ON t (lower(a))",
    "ALTER TABLE t ADD CONSTRAINT uq UNIQUE (a)",
)
DROPS_MARKED = """
ops.drop_index("i", "t", ["b"], unique=True)
ops.drop_index("e", "t", ["lower(a)"])
ops.drop_constraint("t", sa.UniqueConstraint("a", name="uq"))
"""


async def test_what_an_undo_would_not_give_back_to_an_index_is_refused(
    postgres_admin_url: str, project: Project
) -> None:
    async with (
        fresh_database(postgres_admin_url) as url,
        live(url, project, base=BASE, rows=MARKED, up=DROPS_MARKED) as it,
    ):
        for mark, without in MARKS.items():
            await it.execute(mark)
            with pytest.raises(
                Refused, match=r"differs from the database \(1\): the index \w+, (which (is|has)|there is)"
            ):
                await it.up()
            await it.execute(without)
        before = await it.catalog()
        await it.up()
        await it.down()
        assert await it.catalog() == before


RENAMES = """
ops.rename_column("t", sa.Column("a", sa.Numeric(20, 2)), sa.Column("c", sa.Numeric(20, 2)))
"""


async def test_a_rename_does_not_change_the_type_by_mistake(empty_url: str, project: Project) -> None:
    async with live(empty_url, project, base=BASE, rows=(), up=RENAMES) as it:
        before = await it.catalog()
        with pytest.raises(
            Refused, match=r"of t\.a differs from the database \(1\): the type is .*50\), the revision says"
        ):
            await it.up()
        assert await it.catalog() == before
