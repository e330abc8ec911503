"""Triggers and rules of others on a table whose values a trigger of the migrator copies."""

import pytest

from service.migrate.errors import Refused
from tests.migrate.operations.live import ROWS, Live, changes, live
from tests.migrate.project import Project

RENAME = 'ops.rename_column("t", sa.Column("a", sa.String(50), nullable=False), sa.Column("c", sa.String(50)))\n'
FILL = 'ops.set_not_null("t", "b", fill="7")\n'
FOLLOW = 'ops.follow("t", "b", "a", postgresql="length(a)", sqlite="length(a)")\n'
RETYPE = 'ops.change_type("t", sa.Column("b", sa.Integer(), server_default="1"), sa.Column("b", sa.BigInteger()))\n'
TABLE = 'ops.rename_table("t", "u", ["id", "a", "b"])\n'
FUNCTION = "CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} RETURN NEW; END $$"
LOWER = FUNCTION.format(name="lower_a", body="NEW.a := lower(NEW.a);")
STAMP = FUNCTION.format(name="stamp", body="NEW.b := 5;")
FIRES = "CREATE {kind}TRIGGER {name} {event} ON t FOR EACH ROW {when} EXECUTE FUNCTION {function}()"
BEFORE = "BEFORE INSERT OR UPDATE"


def fires(name: str, event: str, function: str = "stamp", *, kind: str = "", when: str = "") -> str:
    return FIRES.format(name=name, event=event, function=function, kind=kind, when=when)


async def refused(it: Live, *statements: str, naming: str) -> None:
    """The upgrade is refused by name before anything is changed."""
    for statement in statements:
        await it.execute(statement)
    before = await it.state()
    with pytest.raises(Refused, match=naming):
        await it.up()
    assert changes(before, await it.state()) == []


async def drop(it: Live, name: str) -> None:
    await it.execute(f"DROP TRIGGER {name}{'' if it.is_sqlite else ' ON t'}")


@pytest.mark.slow
async def test_what_would_not_see_or_would_change_the_final_row_is_refused(
    empty_postgres_url: str, project: Project
) -> None:
    async with live(empty_postgres_url, project, rows=(LOWER, STAMP), up=RENAME) as it:
        for statement in (
            # Sorts behind the migrator's trigger.
            fires('"~ last"', BEFORE),
            fires("zzzz", "BEFORE INSERT"),
            fires("zzzé", "BEFORE UPDATE OF b"),
            # Reads the value under the old name, before the migrator's trigger has copied it there.
            fires("first", BEFORE, "lower_a"),
            fires("first", "BEFORE UPDATE", when="WHEN (OLD.a IS DISTINCT FROM NEW.a)"),
            # Does not fire on UPDATE … SET c.
            fires("first", "BEFORE UPDATE OF b, a"),
            fires("last", "AFTER UPDATE OF a"),
            fires("later", "AFTER UPDATE OF a", kind="CONSTRAINT ").replace("FOR EACH", "DEFERRABLE FOR EACH"),
        ):
            name = statement.split("TRIGGER ")[1].split(" BEFORE")[0].split(" AFTER")[0].strip('"')
            await refused(it, statement, naming=f"the trigger {name}, the function")
            await drop(it, f'"{name}"')
        await it.execute(fires("zzzz", BEFORE))
        await refused(it, "ALTER TABLE t DISABLE TRIGGER zzzz", naming="zzzz")
        await refused(it, "ALTER TABLE t ENABLE REPLICA TRIGGER zzzz", naming="zzzz")
        await drop(it, "zzzz")
        await refused(it, "CREATE RULE no AS ON UPDATE TO t DO INSTEAD NOTHING", naming="the rule no")
        await it.execute("DROP RULE no ON t")


@pytest.mark.parametrize("up", [FILL, FOLLOW, RETYPE])
async def test_every_trigger_of_the_migrator_fires_last(empty_postgres_url: str, project: Project, up: str) -> None:
    async with live(empty_postgres_url, project, rows=(STAMP,), up=up) as it:
        await refused(it, fires('"~"', BEFORE), naming="the trigger ~")
        await drop(it, '"~"')
        await it.up()
        await it.execute(fires('"~"', BEFORE))
        await it.backfill()
        with pytest.raises(Refused, match="the trigger ~"):
            await it.contract()


async def test_what_fires_before_the_migrator_is_seen_also_by_replication(
    empty_postgres_url: str, project: Project
) -> None:
    spelled = FUNCTION.format(
        name="spelled", body="NEW := jsonb_populate_record(NEW, jsonb_build_object(chr(97), 'x'));"
    )
    async with live(empty_postgres_url, project, rows=(spelled,), up=RENAME + FOLLOW) as it:
        await it.execute(fires("update_a", "BEFORE INSERT", "spelled"))
        await it.up()
        await it.execute("INSERT INTO t (id, a) VALUES (7, 'seven')")
        assert await it.execute("SELECT a, c FROM t WHERE id = 7") == [{"a": "x", "c": "x"}]
        # The follower reads what the other trigger of the migrator copied.
        await it.execute("UPDATE t SET c = 'eight' WHERE id = 7")
        assert await it.execute("SELECT a, b FROM t WHERE id = 7") == [{"a": "eight", "b": 5}]
        await it.execute("SET session_replication_role = replica")
        await it.execute("UPDATE t SET a = 'nine' WHERE id = 7")
        assert await it.value("SELECT c FROM t WHERE id = 7") == "nine"


async def test_sqlite_refuses_what_would_miss_the_new_name(tmp_path: object, project: Project) -> None:
    url = f"sqlite:///{tmp_path}/roster.db"
    body = 'BEGIN INSERT INTO log VALUES (NEW."A"); END'
    async with live(url, project, rows=(*ROWS, "CREATE TABLE log (a)"), up=RENAME) as it:
        for event, then in (
            ("AFTER INSERT", body),
            ("BEFORE INSERT", body),
            ("AFTER UPDATE", body),
            ("AFTER UPDATE OF b, a", "BEGIN SELECT 1; END"),
            ("BEFORE UPDATE OF a", "BEGIN SELECT 1; END"),
            ("AFTER UPDATE OF a", "BEGIN UPDATE T SET a = lower(a) WHERE id = NEW.id; END"),
            ("AFTER UPDATE", "BEGIN SELECT raise ( ignore ) WHERE NEW.b = 3; END"),
        ):
            await refused(it, f"CREATE TRIGGER other {event} ON t {then}", naming="the trigger other")
            await drop(it, "other")
        await it.execute(f"CREATE TRIGGER kept AFTER UPDATE OF a ON t {body}")
        await it.execute("CREATE TRIGGER gone AFTER DELETE ON t BEGIN INSERT INTO log VALUES (OLD.a); END")
        await it.up()
        await it.execute("UPDATE t SET c = 'new' WHERE id = 1")
        await it.execute("UPDATE t SET a = 'old' WHERE id = 2")
        await it.execute("DELETE FROM t WHERE id = 1")
        assert [row["a"] for row in await it.execute("SELECT a FROM log")] == ["new", "old", "new"]


@pytest.mark.parametrize("up", [FILL, FOLLOW, TABLE])
async def test_sqlite_refuses_triggers_that_skip_others(tmp_path: object, project: Project, up: str) -> None:
    ignores = "CREATE TRIGGER other AFTER INSERT ON t BEGIN SELECT RAISE(IGNORE); END"
    async with live(f"sqlite:///{tmp_path}/roster.db", project, up=up) as it:
        await refused(it, ignores, naming="the trigger other")


async def test_a_mirror_loses_the_rows_that_replace_deletes(tmp_path: object, project: Project) -> None:
    rows = (
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT UNIQUE)",
        "INSERT INTO t VALUES (1, 'x'), (2, 'y'), (3, 'z')",
    )
    up = 'ops.rename_table("t", "u", ["id", "a"])'
    async with live(f"sqlite:///{tmp_path}/roster.db", project, base="pass", rows=rows, up=up) as it:
        await it.up()
        await it.execute("INSERT OR REPLACE INTO t VALUES (4, 'x')")
        await it.execute("UPDATE OR REPLACE u SET a = 'y' WHERE id = 3")
        await it.execute("REPLACE INTO u VALUES (4, 'y')")
        assert await it.rows("t") == await it.rows("u") == [{"id": 4, "a": "y"}]
