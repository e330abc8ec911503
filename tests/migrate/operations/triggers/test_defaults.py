"""A value that was written wins under either name; a row that was written under neither has one value."""

import pytest

from service.migrate.errors import Refused
from tests.migrate.operations.live import Live, changes, live
from tests.migrate.project import Project

# By column: the type, the default, whether NULL is a value, the new default; the new name ends in 2.
STEADY = {
    "plain": ("sa.Text()", '"x"', True, "None"),
    "same": ("sa.Text()", '"x"', True, '"x"'),
    "bare": ("sa.Text()", "None", True, "None"),
    "moment": ("sa.DateTime(timezone=True)", "ops.now()", True, "ops.now()"),
    "needed": ("sa.Integer()", '"7"', False, "None"),
}
EACH = {
    "token": ("sa.String(40)", 'sa.text("gen_random_uuid()::text")', True, "None"),
    "number": ("sa.BigInteger()", "sa.text(\"nextval('numbers')\")", False, "sa.text(\"nextval('numbers')\")"),
    "clock": ("sa.DateTime(timezone=True)", 'sa.text("clock_timestamp()")', True, 'sa.text("clock_timestamp()")'),
    "kind": ("sa.Uuid()", 'sa.text("gen_random_uuid()")', True, "None"),
}
WRITTEN = {
    "moment": "'2020-02-29 12:00:00+00'",
    "clock": "'2020-02-29 12:00:00+00'",
    "number": "77",
    "needed": "77",
    "kind": "'11111111-2222-4333-8444-555555555555'",
}


def column(name: str, kind: str, default: str, *, nullable: bool) -> str:
    return f'sa.Column("{name}", {kind}, server_default={default}, nullable={nullable})'


def base(columns: dict[str, tuple[str, str, bool, str]]) -> str:
    made = [column(name, kind, default, nullable=null) for name, (kind, default, null, _) in columns.items()]
    return f'ops.create_table("t", sa.Column("id", sa.Integer(), primary_key=True), {", ".join(made)})'


def renames(columns: dict[str, tuple[str, str, bool, str]]) -> str:
    return "\n".join(
        f'ops.rename_column("t", {column(name, kind, default, nullable=null)}, '
        f"{column(f'{name}2', kind, after, nullable=null)})"
        for name, (kind, default, null, after) in columns.items()
    )


async def both(it: Live, name: str, id: int) -> tuple[object, object]:
    (row,) = await it.execute(f"SELECT {name}, {name}2 FROM t WHERE id = {id}")
    return row[name], row[f"{name}2"]


async def check(it: Live, columns: dict[str, tuple[str, str, bool, str]], first: int) -> None:
    """Insert under either name and under none, a value and NULL; both names hold the same after each."""
    for at, (name, (_, default, null, _)) in enumerate(columns.items()):
        ids = range(first + 10 * at, first + 10 * at + 10)
        values = [WRITTEN.get(name, "'w'"), *(["NULL"] if null else [])]
        writes = [(written, value) for written in (name, f"{name}2") for value in values]
        for id, (written, value) in zip(ids, writes, strict=False):
            await it.execute(f"INSERT INTO t (id, {written}) VALUES ({id}, {value})")
            old, new = await both(it, name, id)
            assert old == new, (written, value)
            assert (old is None) == (value == "NULL"), (written, value)
        await it.execute(f"INSERT INTO t (id) VALUES ({ids[-1]})")
        old, new = await both(it, name, ids[-1])
        assert old == new, name
        assert (old is None) == (default == "None"), name
        await it.execute(f"UPDATE t SET {name}2 = {values[0]} WHERE id = {ids[-1]}")
        assert len(set(await both(it, name, ids[-1]))) == 1, name


@pytest.mark.slow
async def test_steady_defaults(empty_url: str, project: Project) -> None:
    rows = ("INSERT INTO t (id) VALUES (1)",)
    async with live(empty_url, project, base=base(STEADY), rows=rows, up=renames(STEADY)) as it:
        before = await it.catalog()
        await it.up()
        await check(it, STEADY, 100)
        await it.backfill()
        assert [len(set(await both(it, name, 1))) for name in STEADY] == [1] * len(STEADY)
        await check(it, STEADY, 200)
        await it.contract()
        await it.execute("INSERT INTO t (id, needed2) VALUES (2, 1)")
        (row,) = await it.execute("SELECT plain2, same2, bare2, moment2 IS NULL AS none FROM t WHERE id = 2")
        assert [*row.values()][:3] == [None, "x", None]
        assert not row["none"]
        await it.undo_contract()
        await check(it, STEADY, 300)
        await it.down()
        assert changes(before, await it.catalog()) == []


@pytest.mark.slow
async def test_defaults_with_another_value_in_each_row(empty_postgres_url: str, project: Project) -> None:
    definition = 'ops.execute("new", postgresql=["CREATE SEQUENCE numbers"])\n' + base(EACH)
    rows = ("INSERT INTO t (id) VALUES (1)",)
    async with live(empty_postgres_url, project, base=definition, rows=rows, up=renames(EACH)) as it:
        before = await it.catalog()
        await it.up()
        number = await it.value("SELECT last_value FROM numbers")
        await it.execute("INSERT INTO t (id) VALUES (2), (3), (4)")
        assert await it.value("SELECT last_value FROM numbers") == number + 3
        await check(it, EACH, 100)
        await it.backfill()
        await check(it, EACH, 200)
        await it.contract()
        await it.execute("INSERT INTO t (id) VALUES (5)")
        (row,) = await it.execute("SELECT token2, number2, clock2, kind2 FROM t WHERE id = 5")
        assert [value is None for value in row.values()] == [True, False, False, True]
        await it.undo_contract()
        await check(it, EACH, 300)
        await it.down()
        assert changes(before, await it.catalog()) == []


async def test_a_change_of_type_takes_one_number_for_each_row(empty_postgres_url: str, project: Project) -> None:
    definition = """
ops.execute("new", postgresql=["CREATE SEQUENCE numbers"])
NEXT = sa.text("nextval('numbers')")
ops.create_table("t", sa.Column("id", sa.Integer(), primary_key=True),
                 sa.Column("n", sa.Integer(), server_default=NEXT, nullable=False))
"""
    up = """
NEXT = sa.text("nextval('numbers')")
ops.change_type("t", sa.Column("n", sa.Integer(), server_default=NEXT, nullable=False),
                sa.Column("n", sa.BigInteger(), server_default=NEXT, nullable=False))
"""
    async with live(empty_postgres_url, project, base=definition, rows=(), up=up) as it:
        before = await it.catalog()
        for id, phase in enumerate((it.up, it.backfill, it.contract, it.undo_contract, it.down)):
            await phase()
            await it.execute(f"INSERT INTO t (id) VALUES ({id})")
        assert [row["n"] for row in await it.execute("SELECT n FROM t ORDER BY id")] == [1, 2, 3, 4, 5]
        assert changes(before, await it.catalog()) == []


OLD = 'sa.Column("a", sa.SmallInteger(), server_default={old})'
NEW = 'sa.Column("c", sa.SmallInteger(), server_default={new})'


EITHER = 'sa.text(ops.either(postgresql="(random() * 9)::smallint", sqlite="(random() % 9)"))'


@pytest.mark.parametrize(
    ("old", "new", "match"),
    [
        ("None", '"1"', "default"),
        ('"1"', '"2"', "defaults of t.a and t.c"),
        (EITHER, "None", "another value in each row"),
    ],
)
async def test_defaults_that_cannot_agree_are_refused(
    empty_url: str, project: Project, old: str, new: str, match: str
) -> None:
    definition = f'ops.create_table("t", sa.Column("id", sa.Integer(), primary_key=True), {OLD.format(old=old)})'
    up = f'ops.rename_column("t", {OLD.format(old=old)}, {NEW.format(new=new)})'
    async with live(empty_url, project, base=definition, rows=(), up=up) as it:
        before = await it.catalog()
        with pytest.raises(Refused, match=match):
            await it.up()
        assert changes(before, await it.catalog()) == []


async def test_a_default_is_not_changed_during_a_rename(empty_url: str, project: Project) -> None:
    up = 'ops.rename_column("t", sa.Column("b", sa.Integer(), server_default="1"), sa.Column("c", sa.Integer()))'
    async with live(empty_url, project, up=up) as it:
        await it.up()
        project.add_safe("0003_default", after="0002_change", up='ops.set_default("t", "b", "2", was="1")')
        with pytest.raises(Refused, match="is being renamed"):
            await it.up()


async def test_a_domain_has_no_default_during_a_rename(empty_postgres_url: str, project: Project) -> None:
    kind = 'sa.dialects.postgresql.DOMAIN("mark", sa.Text(), create_type=False)'
    rows = ("CREATE DOMAIN mark AS text DEFAULT gen_random_uuid()::text", "ALTER TABLE t ADD COLUMN m mark")
    up = f'ops.rename_column("t", sa.Column("m", {kind}), sa.Column("n", {{kind}}))'
    async with live(empty_postgres_url, project, rows=rows, up=up.replace("{kind}", "sa.Text()")) as it:
        with pytest.raises(Refused, match="default from a domain"):
            await it.up()
        await it.execute("ALTER DOMAIN mark DROP DEFAULT")
        await it.up()
        await it.execute("INSERT INTO t (id, a) VALUES (9, 'nine')")
        assert await it.execute("SELECT m, n FROM t WHERE id = 9") == [{"m": None, "n": None}]


async def test_a_name_is_not_changed_twice_at_a_time(empty_url: str, project: Project) -> None:
    renames = 'ops.rename_column("t", sa.Column("{old}", sa.String(50), nullable=False), '
    renames += 'sa.Column("{new}", sa.String(50), nullable=False))'
    async with live(empty_url, project, up=renames.format(old="a", new="c")) as it:
        again = renames.format(old="c", new="d").replace('"c", sa.String(50), nullable=False', '"c", sa.String(50)')
        project.add_safe("0003_again", after="0002_change", up=again)
        if not it.is_sqlite:
            with pytest.raises(Refused, match=r"t\.c is the new name of a column that is being renamed"):
                await it.up()
            return
        await it.up()
        await it.execute("INSERT INTO t (id, d) VALUES (9, 'nine')")
        await it.execute("UPDATE t SET d = 'new' WHERE id = 1")
        await it.execute("UPDATE t SET a = 'old' WHERE id = 2")
        found = await it.execute("SELECT a, c, d FROM t WHERE id IN (1, 2, 9) ORDER BY id")
        assert [set(row.values()) for row in found] == [{"new"}, {"old"}, {"nine"}]
