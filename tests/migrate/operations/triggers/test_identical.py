"""Values that the database's `=` takes for one, and that are stored differently, are copied as they are stored."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from tests.migrate.operations.live import Live, live
from tests.migrate.project import copied
from tests.postgres import fresh_database

pytestmark = pytest.mark.filterwarnings("ignore:Did not recognize type")

OTHER = 'type("Other", (sa.types.UserDefinedType,), {"get_col_spec": lambda self, **_: "%s"})()'
# The type, two values that are equal, and what shows that these are not the same.
POSTGRESQL = {
    "scale": ("NUMERIC", "1.0", "1.00"),
    "zero": ("DOUBLE PRECISION", "'0'", "'-0'"),
    "docs": ("JSON[]", """ARRAY['{"a": 1}'::json]""", """ARRAY['{"a":1}'::json]"""),
    "place": ("POINT", "'(1,2)'", "'(1,2.0000001)'"),
    "pair": ("pair", "'(1.0,x)'", "'(1.00,x)'"),
    "folded": ("folded", "'a'", "'A'"),
}
SQLITE = {
    "nocase": ("TEXT", "'a'", "'A'"),
    "rtrim": ("TEXT", "'a'", "'a '"),
    "bare": ("BLOB", "1", "1.0"),
    "bytes": ("BLOB", "'a'", "X'61'"),
}
TYPES = (
    # As citext: a text whose `=` folds case.
    "CREATE TYPE folded",
    "CREATE FUNCTION folded_in(cstring) RETURNS folded AS 'textin' LANGUAGE internal IMMUTABLE STRICT",
    "CREATE FUNCTION folded_out(folded) RETURNS cstring AS 'textout' LANGUAGE internal IMMUTABLE STRICT",
    "CREATE TYPE folded (INPUT = folded_in, OUTPUT = folded_out, LIKE = text, CATEGORY = 'S')",
    "CREATE CAST (folded AS text) WITHOUT FUNCTION",
    "CREATE FUNCTION same(folded, folded) RETURNS boolean LANGUAGE sql AS 'SELECT lower($1::text) = lower($2::text)'",
    "CREATE OPERATOR = (FUNCTION = same, LEFTARG = folded, RIGHTARG = folded)",
    "CREATE TYPE pair AS (a numeric, b text)",
)
COLLATED = {name: f'sa.Text(collation="{name.upper()}")' for name in ("nocase", "rtrim")}


def kinds(it: Live) -> dict[str, tuple[str, str, str]]:
    return SQLITE if it.is_sqlite else POSTGRESQL


@pytest.fixture(scope="module")
async def it(
    backend: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Live]:
    """The database after the backfill, with a column of each kind renamed, and a renamed table on SQLite."""
    folder = tmp_path_factory.mktemp("identical")
    all_of_it = SQLITE if backend == "sqlite" else POSTGRESQL
    columns = [
        f"{name} {kind}{f' COLLATE {name}' if name in COLLATED else ''}" for name, (kind, *_) in all_of_it.items()
    ]
    filled = ", ".join(one for _, one, _ in all_of_it.values())
    table = f"CREATE TABLE t (id INTEGER PRIMARY KEY, {', '.join(columns)})"
    rows = (*(TYPES if backend == "postgresql" else ()), table, f"INSERT INTO t VALUES (1, {filled}), (2, {filled})")
    types = {name: COLLATED.get(name, OTHER % kind) for name, (kind, *_) in all_of_it.items()}
    up = "\n".join(
        f'ops.rename_column("t", sa.Column("{name}", {kind}), sa.Column("{name}_new", {kind}))'
        for name, kind in types.items()
    )
    if backend == "sqlite":
        rows += (table.replace("TABLE t", "TABLE was"), f"INSERT INTO was VALUES (1, {filled})")
        up += f'\nops.rename_table("was", "now", {["id", *all_of_it]})'
    async with AsyncExitStack() as stack:
        url = f"sqlite:///{folder / 'roster.db'}"
        if backend == "postgresql":
            url = await stack.enter_async_context(fresh_database(request.getfixturevalue("postgres_admin_url")))
        project = stack.enter_context(copied(folder / "project"))
        it = await stack.enter_async_context(live(url, project, base="pass", rows=rows, up=up))
        await it.up()
        await it.backfill()
        yield it


async def stored(it: Live, name: str, table: str = "t") -> str:
    shown = f"typeof({name}) || quote({name})" if it.is_sqlite else f"CAST({name} AS TEXT)"
    found: str = await it.value(f"SELECT {shown} FROM {table} WHERE id = 1")
    return found


async def test_the_backfill_copies_what_is_stored(it: Live) -> None:
    for name in kinds(it):
        assert await stored(it, f"{name}_new") == await stored(it, name), name


async def test_a_value_that_equals_the_one_before_is_copied_under_either_name(it: Live) -> None:
    for name, (_, one, other) in kinds(it).items():
        for written, follows, value in ((name, f"{name}_new", other), (f"{name}_new", name, one)):
            before = await stored(it, written)
            await it.execute(f"UPDATE t SET {written} = {value} WHERE id = 1")
            assert await stored(it, written) != before, written
            assert await stored(it, follows) == await stored(it, written), written


async def test_a_row_may_be_written_in_another_column(it: Live) -> None:
    await it.execute("UPDATE t SET id = 3 WHERE id = 2")
    await it.execute("DELETE FROM t WHERE id = 3")


async def test_a_mirror_holds_what_is_stored(it: Live) -> None:
    if not it.is_sqlite:
        return
    for name, (_, _, other) in SQLITE.items():
        await it.execute(f"UPDATE was SET {name} = {other} WHERE id = 1")
        assert await stored(it, name, "now") == await stored(it, name, "was"), name


async def test_the_contract_and_the_downgrade_compare_what_is_stored(it: Live) -> None:
    await it.contract()
    for name, (_, _, other) in kinds(it).items():
        await it.execute(f"UPDATE t SET {name}_new = {other} WHERE id = 1")
    new = {name: await stored(it, f"{name}_new") for name in kinds(it)}
    await it.undo_contract()
    assert {name: await stored(it, name) for name in kinds(it)} == new
    await it.down()
    assert {name: await stored(it, name) for name in kinds(it)} == new
