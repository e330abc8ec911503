"""An expression that the database cannot run is refused before a trigger exists, and is no outage for a later row."""

from pathlib import Path

import pytest

from service.migrate.entrypoints import aio
from service.migrate.errors import Refused
from tests.migrate.operations.live import changes, live
from tests.migrate.project import Project

BASE = """
ops.create_table("t", sa.Column("id", sa.Integer(), primary_key=True), sa.Column("a", sa.Text()),
                 sa.Column("b", sa.Text()), sa.Column("n", sa.Integer()))
"""
ROWS = ("INSERT INTO t VALUES (1, 'one', '1', 1), (2, 'two', '2', 2)",)
RENAME = 'ops.rename_column("t", sa.Column("{old}", sa.Text()), sa.Column("c", {kind}), up="{up}", down="{down}")'
TYPE = 'ops.change_type("t", sa.Column("b", sa.Text()), sa.Column("b", sa.{kind}), using="{up}", back="{down}")'
TO_INT, TO_TEXT = "CAST({} AS INTEGER)", "CAST({} AS TEXT)"
FOLLOW = """
ops.add_column("t", sa.Column("c", sa.String(5)))
ops.follow("t", "c", "a", postgresql="{}", sqlite="{}")
"""
ON_BOTH = {
    "misspelt function": (
        RENAME.format(old="a", kind="sa.Text()", up="uper({})", down="{}"),
        r"up='uper\(\{\}\)' fails",
    ),
    "misspelt down": (RENAME.format(old="a", kind="sa.Text()", up="{}", down="lowr({})"), r"down='lowr\(\{\}\)' fails"),
    "another column": (RENAME.format(old="a", kind="sa.Text()", up="{} || n", down="{}"), r"up='\{\} \|\| n' fails"),
    "another time": (
        RENAME.format(old="a", kind="sa.Text()", up="{} || random()", down="{}"),
        "another value each time",
    ),
    "type": (TYPE.format(kind="Integer()", up="uper({})", down=TO_TEXT), r"using='uper\(\{\}\)' fails"),
    "follow": (FOLLOW.replace("{}", "uper(a)"), r"ops\.follow\('t', 'c', …\): 'uper\(a\)' fails"),
    "misspelt column": (FOLLOW.replace("{}", "lower(aa)"), r"'lower\(aa\)' fails"),
    "fill": ("""ops.set_not_null("t", "a", fill="lower(bb)")""", r"'lower\(bb\)' fails"),
}
ON_POSTGRESQL = {
    "cast": (RENAME.format(old="a", kind="sa.Integer()", up=TO_INT, down=TO_TEXT), "up=.* fails .*one"),
    "cast back": (RENAME.format(old="a", kind="sa.Text()", up="{}", down="CAST({} AS INTEGER)"), "down=.* fails"),
    "no cast": (RENAME.format(old="b", kind="sa.Integer()", up="{}", down="{}"), "up='{}' fails"),
    "too long": (RENAME.format(old="a", kind="sa.String(2)", up="{}", down="{}"), "up='{}' fails .* too long"),
    "type": (TYPE.format(kind="SmallInteger()", up="CAST({} AS INTEGER) * 100000", down=TO_TEXT), "using=.* fails"),
    "follow": (FOLLOW.replace("{}", "a || a"), "fails .* too long"),
    "fill": ("""ops.set_not_null("t", "n", fill="CAST(a AS INTEGER)")""", "fails .*one"),
}

RENAME_A = RENAME.replace("{old}", "a").replace("{kind}", "sa.Text()").replace("{down}", "{}")
ON_SQLITE = {
    "json": (RENAME_A.replace("{up}", "json_extract({}, '$.x')"), "uses json_extract, with which SQLite fails on some"),
    "arrow": (FOLLOW.replace("{}", "a -> 'x'"), "uses ->, .* json_valid"),
    "overflow": ("""ops.set_not_null("t", "n", fill="abs(id)")""", "uses abs"),
    "strict": ("""ops.set_not_null("s", "n", fill="id || 'x'")""", "the STRICT table s refuses"),
    "cast in strict": (
        """ops.set_not_null("s", "n", fill="CAST('x' AS TEXT)")""",
        "cannot store TEXT value in INTEGER",
    ),
}


async def refuse(url: str, project: Project, cases: dict[str, tuple[str, str]]) -> None:
    strict = ("CREATE TABLE s (id INTEGER PRIMARY KEY NOT NULL, n INTEGER) STRICT", "INSERT INTO s VALUES (1, NULL)")
    async with live(url, project, base=BASE, rows=(*ROWS, *strict) if "sqlite" in url else ROWS) as it:
        for up, match in cases.values():
            project.add_safe("0002_change", after="0001_base", up=up)
            before = await it.state()
            with pytest.raises(Refused, match=f"0002_change: .*{match}"):
                await it.up()
            await it.execute("INSERT INTO t (id, a, b) VALUES (9, 'new', '9')")
            await it.execute("DELETE FROM t WHERE id = 9")
            await it.down()
            assert changes(before, await it.state()) == []


@pytest.mark.slow
async def test_expressions_are_tried_before_a_trigger_exists(empty_url: str, project: Project) -> None:
    await refuse(empty_url, project, ON_BOTH)


@pytest.mark.slow
async def test_values_are_tried_in_the_new_column(empty_postgres_url: str, project: Project) -> None:
    await refuse(empty_postgres_url, project, ON_POSTGRESQL)


async def test_a_later_row_that_cannot_be_converted_is_no_outage(empty_postgres_url: str, project: Project) -> None:
    up = "\n".join(
        (
            RENAME.format(old="b", kind="sa.Integer()", up=TO_INT, down=TO_TEXT),
            'ops.set_not_null("t", "n", fill="CAST(a AS INTEGER)")',
            FOLLOW.replace('"c"', '"d"').replace("{}", "a || a"),
        )
    )
    async with live(
        empty_postgres_url, project, base=BASE, rows=("INSERT INTO t VALUES (1, '1', '1', 1)",), up=up
    ) as it:
        await it.up()
        await it.execute("INSERT INTO t (id, a, b) VALUES (2, 'second', 'x')")
        await it.execute("UPDATE t SET b = 'y' WHERE id = 1")
        assert await it.execute("SELECT b, c, n, d FROM t ORDER BY id") == [
            {"b": "y", "c": None, "n": 1, "d": "11"},
            {"b": "x", "c": None, "n": None, "d": None},
        ]
        with pytest.raises(Refused, match=r"0002_change: BACKFILL t\.c failed: .*CAST\(b AS INTEGER\)"):
            await it.backfill()
        await it.execute("UPDATE t SET b = id, a = '2'")
        await it.backfill()
        await it.execute("UPDATE t SET b = 'z' WHERE id = 1")
        with pytest.raises(Refused, match=r"0002_change"):
            await it.contract()
        await it.execute("UPDATE t SET b = '7' WHERE id = 1")
        await it.contract()
        assert await it.execute("SELECT c, n FROM t ORDER BY id") == [{"c": 7, "n": 1}, {"c": 2, "n": 2}]


async def test_a_type_that_a_later_value_does_not_fit_is_no_outage(empty_postgres_url: str, project: Project) -> None:
    up = TYPE.format(kind="Integer()", up=TO_INT, down=TO_TEXT)
    async with live(empty_postgres_url, project, base=BASE, rows=ROWS, up=up) as it:
        await it.up()
        await it.execute("INSERT INTO t (id, b) VALUES (3, 'x')")
        with pytest.raises(Refused, match=r"BACKFILL t\._next_b failed: .*x"):
            await aio.backfill(it.url)
        await it.execute("DELETE FROM t WHERE id = 3")
        await it.backfill()
        assert await it.value("SELECT sum(b) FROM t") == 3


async def test_an_expression_that_fails_on_some_values_is_refused_on_sqlite(tmp_path: Path, project: Project) -> None:
    """No trigger of SQLite can catch the error, which would be that of the write."""
    await refuse(f"sqlite:///{tmp_path}/roster.db", project, ON_SQLITE)


async def test_an_expression_on_sqlite_that_always_has_a_value_is_taken(tmp_path: Path, project: Project) -> None:
    """The write of a value that the expression cannot use succeeds."""
    up = RENAME_A.replace("{up}", "CASE WHEN json_valid({}) THEN json_extract({}, '$.x') END")
    async with live(f"sqlite:///{tmp_path}/roster.db", project, base=BASE, rows=ROWS, up=up) as it:
        await it.up()
        await it.execute("""INSERT INTO t (id, a) VALUES (3, '{"x": 7}'), (4, '{')""")
        assert await it.execute("SELECT c FROM t WHERE id > 2") == [{"c": "7"}, {"c": None}]
