"""Names in a revision and in the database are the same when the database takes them for the same."""

import re
from pathlib import Path

import pytest

from service.migrate.errors import Refused
from tests.migrate.operations.live import changes, live
from tests.migrate.project import Project

TABLE = """CREATE TABLE `Firms` (
    [Id] INTEGER NOT NULL PRIMARY KEY,
    City TEXT NOT NULL  constraint/* of */
\t"CK_City"\tcheck (City <> ''),
    'Phone' TEXT, Note TEXT,
    CoNsTrAiNt\n`UQ_Phone`UNIQUE(phone)
    constraint[ck_a]check(id>0), constraint ck_ab check (id > 0)
)"""
ROWS = (
    TABLE,
    "INSERT INTO Firms VALUES (1, 'Bonn', '1', NULL)",
    "CREATE INDEX IX_City ON firms (CITY)",
    "CREATE TABLE log (id INTEGER)",
    "CREATE TRIGGER Told AFTER INSERT ON FIRMS BEGIN INSERT INTO LOG VALUES (NEW.ID); END",
    "CREATE TRIGGER Kept AFTER UPDATE ON fIRMS BEGIN INSERT INTO LOG VALUES (NEW.ID); END",
    "CREATE VIEW Seen AS SELECT id FROM FIRMS",
)
TOLD = "CREATE TRIGGER Told AFTER INSERT ON FIRMS BEGIN INSERT INTO LOG VALUES (NEW.ID); END"
DROPS = f"""
ops.drop_index("ix_city", "FIRMS", ["CITY"])
ops.drop_constraint("firms", sa.CheckConstraint("City <> ''", name="ck_city"))
ops.drop_constraint("FIRMS", sa.UniqueConstraint("PHONE", name="uq_phone"))
ops.drop_constraint("firms", sa.CheckConstraint("id > 0", name="CK_A"))
ops.drop_trigger("TOLD", "firms", sqlite={TOLD!r})
ops.drop_not_null("FIRMS", "CITY")
ops.drop_column("firms", sa.Column("NOTE", sa.Text()))
"""


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/roster.db"


async def test_sqlite_compares_names_without_case_and_with_any_white_space(sqlite_url: str, project: Project) -> None:
    async with live(sqlite_url, project, base="pass", rows=ROWS, contract=DROPS) as it:
        await it.up()
        await it.contract()
        sql = "\n".join(row["sql"] for row in await it.execute("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL"))
        for gone in ("CK_City", "UQ_Phone", "[ck_a]", "IX_City", "Told", "City TEXT NOT NULL"):
            assert gone not in sql
        for kept in ("ck_ab", "CREATE TRIGGER Kept", "CREATE VIEW Seen"):
            assert kept in sql
        await it.execute("INSERT INTO firms (id, city) VALUES (2, '')")
        await it.execute("DELETE FROM firms WHERE id = 2")
        await it.undo_contract()
        found = await it.execute("SELECT * FROM firms")
        assert [{key.lower(): value for key, value in row.items()} for row in found] == [
            {"id": 1, "city": "Bonn", "phone": "1", "note": None}
        ]
        for broken in ("(2, '', '2')", "(2, 'x', '1')", "(0, 'x', '2')", "(3, NULL, '3')"):
            with pytest.raises(Exception, match="constraint failed"):
                await it.execute(f"INSERT INTO firms (id, city, phone) VALUES {broken}")


def spelled(lines: list[str]) -> list[str]:
    """The lines in one spelling of their names."""
    return [re.sub(r'["`\[\]]', "", line.lower()) for line in lines]


@pytest.mark.parametrize(
    ("change", "title"),
    [
        ('ops.rename_column("FIRMS", sa.Column("NOTE", sa.Text()), sa.Column("remark", sa.Text()))', "remark"),
        ('ops.set_not_null("firms", "NOTE", fill="city")', "note"),
        ('ops.rename_table("FIRMS", "companies", ["ID", "city", "phone", "NOTE"])', "id"),
        ('ops.change_type("firms", sa.Column("note", sa.Text()), sa.Column("NOTE", sa.Integer()))', "note"),
    ],
)
async def test_other_operations_find_the_names_of_sqlite(
    sqlite_url: str, project: Project, change: str, title: str
) -> None:
    async with live(sqlite_url, project, base="pass", rows=ROWS, up=change) as it:
        before = spelled(await it.state())
        await it.up()
        await it.backfill()
        await it.contract()
        table = "companies" if "companies" in change else "firms"
        (row,) = await it.execute(f"SELECT * FROM {table}")
        assert title in [name.lower() for name in row]
        await it.execute("DELETE FROM log")
        for city in ("Köln", "Bonn"):
            await it.execute(f"UPDATE {table} SET city = '{city}'")
        assert await it.value("SELECT count(*) FROM log") == 2
        await it.execute("DELETE FROM log")
        await it.down()
        await it.execute("DELETE FROM log")
        if "fill" not in change:
            assert changes(before, spelled(await it.state())) == []


LONG = "a" * 70


async def test_postgresql_compares_names_with_case_and_their_first_63_bytes(
    empty_postgres_url: str, project: Project
) -> None:
    rows = (
        f'CREATE TABLE "T{LONG}" (id INTEGER PRIMARY KEY, "C{LONG}" TEXT, c TEXT)',
        f'ALTER TABLE "T{LONG}" ADD CONSTRAINT "K{LONG}" CHECK (c > 1::text), ADD CONSTRAINT "k" CHECK (c < \'3\')',
        f'CREATE INDEX "X{LONG}" ON "T{LONG}" (c)',
        f'CREATE INDEX "x" ON "T{LONG}" (c)',
    )
    contract = f"""
ops.drop_index("X{LONG}"[:63], "T{LONG}", ["c"])
ops.drop_constraint("T{LONG}", sa.CheckConstraint("c > 1::text", name="K{LONG}"[:63]))
ops.drop_column("T{LONG}"[:63], sa.Column("c", sa.Text()))
"""
    async with live(empty_postgres_url, project, base="pass", rows=rows, contract=contract) as it:
        await it.up()
        with pytest.raises(Refused, match=r"\(2\): the constraint k of .*; the index x\."):
            await it.contract()


@pytest.mark.parametrize(
    "contract",
    [
        'ops.drop_column("firms", sa.Column("NOTE", sa.Text()))',
        'ops.drop_table("LOG", sa.Column("ID", sa.Integer()))',
    ],
)
async def test_what_comes_back_from_the_trash_has_its_own_spelling(
    sqlite_url: str, project: Project, contract: str
) -> None:
    rows = ("CREATE TABLE Firms (id INTEGER NOT NULL PRIMARY KEY, Note TEXT)", "CREATE TABLE Log (Id INTEGER)")
    rename = 'ops.rename_column("FIRMS", sa.Column("noTE", sa.Text()), sa.Column("remark", sa.Text()))'
    async with live(sqlite_url, project, base="pass", rows=rows, contract=contract) as it:
        asked = "SELECT replace(sql, '\"', '') AS sql FROM sqlite_schema WHERE name IN ('Firms', 'Log') ORDER BY 1"
        before = await it.execute(asked)
        await it.up()
        await it.contract()
        await it.down()
        assert await it.execute(asked) == before
        project.add_safe("0002_change", after="0001_base", up=rename)
        await it.up()
        await it.contract()
        await it.down()
        assert await it.execute(asked) == before
