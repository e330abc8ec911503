"""What names a column, a table or a function in its text alone is refused by name before the first step that hurts."""

from dataclasses import replace

import pytest
from sqlalchemy import JSON, Column, Integer, MetaData, String, Table

from service.migrate.errors import Refused
from service.migrate.operations.change_type.change_type import ChangeType
from service.migrate.operations.columns.add_drop import AddColumn, DropColumn
from service.migrate.operations.columns.rename import RenameColumn
from service.migrate.operations.tables.create_drop import DropTable
from service.migrate.operations.triggers.trigger import DropFunction, Function
from tests.migrate.operations.live import Live, changes, declined, live
from tests.migrate.project import Project

BASE = """
for name in ("firms", "people"):
    ops.create_table(
        name,
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("city", sa.String(50)),
        sa.Column("phone", sa.String(50)),
        sa.PrimaryKeyConstraint("id", name=f"pk_{name}"),
    )
"""
TRIGGER = "RETURNS trigger LANGUAGE plpgsql AS"
POSTGRESQL = (
    f"CREATE FUNCTION tidy() {TRIGGER} $$ BEGIN NEW.city := btrim(NEW.city); RETURN NEW; END $$",
    "CREATE TRIGGER a_tidy BEFORE INSERT OR UPDATE ON firms FOR EACH ROW EXECUTE FUNCTION tidy()",
    f"CREATE FUNCTION other() {TRIGGER} $$ BEGIN NEW.city := 'firms'; /* firms */ RETURN NEW; END $$",
    "CREATE TRIGGER other BEFORE INSERT ON people FOR EACH ROW EXECUTE FUNCTION other()",
    "CREATE FUNCTION helper(firms) RETURNS text LANGUAGE sql AS 'SELECT $1.city'",
    "CREATE PROCEDURE close() LANGUAGE plpgsql AS $$ BEGIN EXECUTE 'DELETE FROM firms WHERE city IS NULL'; END $$",
    "CREATE FUNCTION atomic() RETURNS bigint LANGUAGE sql BEGIN ATOMIC SELECT count(city) FROM firms; END",
    "CREATE FUNCTION unconcerned() RETURNS bigint LANGUAGE sql AS 'SELECT count(phone) FROM people -- firms.city'",
    "CREATE RULE kept AS ON DELETE TO firms WHERE OLD.city = 'Bonn' DO INSTEAD NOTHING",
    "CREATE VIEW seen AS SELECT city FROM firms",
    "CREATE MATERIALIZED VIEW stored AS SELECT city FROM firms",
    "CREATE POLICY own ON firms USING (city = 'Bonn')",
    "CREATE PUBLICATION told FOR TABLE firms (id, city)",
    "CREATE TRIGGER args BEFORE UPDATE ON firms FOR EACH ROW EXECUTE FUNCTION tidy('city')",
)
SQLITE = (
    "CREATE TRIGGER elsewhere AFTER INSERT ON people BEGIN UPDATE firms SET CITY = NEW.city; END",
    "CREATE TRIGGER unconcerned AFTER INSERT ON people BEGIN UPDATE people SET city = 'firms'; END",
    "CREATE VIEW seen AS SELECT [City] FROM Firms",
    "CREATE VIEW everything AS SELECT * FROM firms",
    "CREATE VIEW none AS SELECT phone AS city FROM firms",
    "CREATE VIRTUAL TABLE found USING fts5(city, content='firms', content_rowid='id')",
    "CREATE TRIGGER filled AFTER INSERT ON people BEGIN INSERT INTO found (found, rowid) VALUES ('delete', 1); END",
)
DROP = 'ops.drop_column("firms", sa.Column("city", sa.String(50)){})'
CITY: Column[str] = Column("city", String(50))
CATALOG = {
    "postgresql": (
        "the function atomic; the materialized view stored; the rule kept; the view seen; "
        "policy own on table firms; publication of table firms in publication told"
    ),
    "sqlite": "the trigger elsewhere; the view seen",
}
TEXT = {
    "postgresql": (
        "the function helper; the function tidy, the trigger a_tidy; the function tidy, the trigger args; "
        "the procedure close; the trigger args, which has the column as an argument"
    ),
    "sqlite": "the view everything; the virtual table found",
}
CHECKED = {
    "postgresql": ("function helper", "function tidy", "procedure close", "trigger args", "view x"),
    "sqlite": ("view everything", "virtual table found", "function x"),
}


async def refusal(it: Live, change: str, *, in_contract: bool) -> str:
    """The refusal of the change, which leaves the database unchanged; empty when it is done."""
    it.project.add_safe("0002_change", after="0001_base", **{"contract" if in_contract else "up": change})
    before = await it.state()
    try:
        await it.up()
        await it.backfill()
        before = await it.state()
        await it.contract()
    except Refused as refused:
        assert changes(before, await it.state()) == []
        return str(refused)
    finally:
        await it.down()
    return ""


def found(message: str) -> list[str]:
    """The uses in a refusal."""
    return sorted(message.partition("): ")[2].partition(". Change")[0].rstrip(".").split("; "))


async def freed(it: Live) -> None:
    """Drop what the catalog knows to depend on the column, so that uses in text are left."""
    drops = {
        "sqlite": ("VIEW seen", "TRIGGER elsewhere"),
        "postgresql": (
            *("VIEW seen", "MATERIALIZED VIEW stored", "RULE kept ON firms", "FUNCTION atomic", "POLICY own ON firms"),
            "PUBLICATION told",
        ),
    }
    for each in drops[it.store.backend]:
        await it.execute(f"DROP {each}")


async def test_a_column_that_a_text_names_is_not_taken_away(empty_url: str, project: Project) -> None:
    backend = empty_url.partition(":")[0]
    rows = ("INSERT INTO firms VALUES (1, 'Bonn', '1')", *(SQLITE if backend == "sqlite" else POSTGRESQL))
    async with live(empty_url, project, base=BASE, rows=rows) as it:
        # Triggers of others beside the migrator's are refused for their order too.
        only = ("the text of these", "uses_checked", "dependents")
        told = await declined(it.url, DropColumn(table="firms", column=CITY), *only)
        assert found(told[0]) == sorted(CATALOG[backend].split("; "))[:5] + (["…"] if not it.is_sqlite else [])
        await freed(it)
        operations: list[DropColumn | RenameColumn | ChangeType] = [
            DropColumn(table="firms", column=CITY),
            RenameColumn(table="firms", old=CITY, new=Column("place", String(50))),
        ]
        if not it.is_sqlite:
            operations.append(ChangeType(table="firms", was=CITY, column=Column("city", JSON())))
        for operation in operations:
            (use,) = await declined(it.url, operation, *only)
            assert found(use) == TEXT[backend].split("; ")
            assert use.endswith(f'uses_checked=["{found(use)[0].removeprefix("the ")}"].')
            assert await declined(it.url, replace(operation, uses_checked=CHECKED[backend]), *only) == []
        wrong = replace(operations[0], uses_checked=("function tydi", "view everyting"))
        meant = ("view everyting", "view everything") if it.is_sqlite else ("function tydi", "function tidy")
        assert f"does not have (1): {meant[0]}, meant is perhaps {meant[1]}." in (await declined(it.url, wrong))[0]
        with pytest.raises(Refused, match="uses_checked has 'tidy', which does not begin with a kind"):
            await declined(it.url, replace(operations[0], uses_checked=("tidy",)))
        assert found(await refusal(it, DROP.format(""), in_contract=True)) == TEXT[backend].split("; ")
        assert await refusal(it, DROP.format(f", uses_checked={[*CHECKED[backend]]}"), in_contract=True) == ""


async def test_a_table_that_a_text_names_is_not_taken_away(empty_postgres_url: str, project: Project) -> None:
    rows = ("INSERT INTO firms VALUES (1, 'Bonn', '1')", *POSTGRESQL)
    async with live(empty_postgres_url, project, base=BASE, rows=rows) as it:
        await it.execute("DROP TRIGGER a_tidy ON firms")
        await it.execute("DROP TRIGGER args ON firms")
        await freed(it)
        both = ["the function helper", "the procedure close"]
        drop = DropTable(table=Table("firms", MetaData(), Column("id", Integer())))
        assert [found(each) for each in await declined(it.url, drop)] == [both]
        checked = ("function helper", "procedure close")
        assert await declined(it.url, replace(drop, uses_checked=checked)) == []
        rename = 'ops.rename_table("firms", "companies", ["id", "city", "phone"]{})'
        assert found(await refusal(it, rename.format(""), in_contract=False)) == both[:1]
        one = ', uses_checked=["function helper"]'
        assert found(await refusal(it, rename.format(one), in_contract=False)) == both[1:]


async def test_a_function_that_is_called_is_not_dropped(empty_postgres_url: str, project: Project) -> None:
    text = "CREATE FUNCTION tidy() RETURNS text LANGUAGE sql AS $$ SELECT 'x' $$"
    rows = (text, "CREATE FUNCTION caller() RETURNS text LANGUAGE sql AS 'SELECT tidy()'")
    async with live(empty_postgres_url, project, base=BASE, rows=rows) as it:
        await it.execute("ALTER TABLE firms ALTER phone SET DEFAULT tidy()")
        default = "default value for column phone of table firms"
        told = await declined(it.url, DropFunction(name="tidy", postgresql=text))
        assert [found(each) for each in told] == [[default], ["the function caller"]]
        await it.execute("ALTER TABLE firms ALTER phone DROP DEFAULT")
        checked = f'ops.drop_function("tidy", {text!r}, uses_checked=["function caller"])'
        assert await refusal(it, checked, in_contract=False) == ""


AUDITED = {
    "sqlite": (
        "CREATE TABLE log (id INTEGER, city TEXT, phone TEXT)",
        "CREATE TRIGGER copied AFTER INSERT ON Firms BEGIN INSERT INTO log SELECT * FROM firms; END",
        "CREATE TRIGGER moved AFTER DELETE ON people BEGIN INSERT INTO firms VALUES (OLD.id, OLD.city, OLD.phone); END",
        "CREATE TRIGGER named AFTER INSERT ON firms BEGIN INSERT INTO log (id) VALUES (NEW.id); END",
        "CREATE VIEW both AS SELECT * FROM firms UNION SELECT * FROM people",
    ),
    "postgresql": (
        "CREATE TABLE log (id INTEGER, city TEXT, phone TEXT)",
        f"CREATE FUNCTION copied() {TRIGGER} $$ BEGIN INSERT INTO log SELECT NEW.*; RETURN NEW; END $$",
        "CREATE TRIGGER copied AFTER INSERT ON firms FOR EACH ROW EXECUTE FUNCTION copied()",
        f"CREATE FUNCTION named() {TRIGGER} $$ BEGIN INSERT INTO log (id) VALUES (NEW.id); RETURN NEW; END $$",
        "CREATE TRIGGER named AFTER INSERT ON firms FOR EACH ROW EXECUTE FUNCTION named()",
    ),
}
FAILING = {
    "sqlite": ["the trigger copied", "the trigger moved", "the view both"],
    "postgresql": ["the function copied, the trigger copied"],
}


async def test_a_column_more_is_refused_where_whole_rows_are_inserted(empty_url: str, project: Project) -> None:
    backend = empty_url.partition(":")[0]
    async with live(empty_url, project, base=BASE, rows=AUDITED[backend]) as it:
        only = "cannot get another column"
        new: Column[str] = Column("place", String(50))
        add = AddColumn(table="firms", column=new)
        for operation in (add, RenameColumn(table="firms", old=CITY, new=new)):
            (use,) = await declined(it.url, operation, only)
            assert found(use) == FAILING[backend]
        checked = tuple(each.removeprefix("the ").partition(",")[0] for each in FAILING[backend])
        assert await declined(it.url, replace(add, uses_checked=checked), only) == []


async def test_what_is_there_is_not_created_again(empty_postgres_url: str, project: Project) -> None:
    rows = (
        "CREATE FUNCTION mine() RETURNS text LANGUAGE sql AS $$ SELECT 'x' $$",
        "CREATE FUNCTION yours(text) RETURNS text LANGUAGE sql AS $$ SELECT 'x' $$",
    )
    async with live(empty_postgres_url, project, base=BASE, rows=rows) as it:
        text = "CREATE OR REPLACE FUNCTION {}() RETURNS text LANGUAGE sql AS $$ SELECT 'y' $$"
        (told,) = await declined(it.url, Function(name="mine", postgresql=text.format("mine")))
        assert told.startswith("The revision creates the function mine, which exists already (1): ")
        drop = f'ops.drop_function("mine", {rows[0]!r})\n'
        calls = [f'ops.function("{name}", {text.format(name)!r})' for name in ("mine", "yours")]
        assert await refusal(it, drop + "\n".join(calls), in_contract=False) == ""
