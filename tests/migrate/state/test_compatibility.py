import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import event

from service.app import create_app
from service.cli import main
from service.db.engine import Purpose, create_engine
from service.migrate.entrypoints import commands
from service.migrate.entrypoints.aio import downgrade, upgrade
from service.migrate.entrypoints.status import status
from service.migrate.errors import Refused
from service.migrate.plan.config import scripts
from service.migrate.state import compatibility
from service.migrate.state.compatibility import Compatibility, check, judge
from service.schema_range import NEWEST, OLDEST, SUPPORTED
from service.settings import Settings
from tests.alembic.store import Store
from tests.conftest import client_of
from tests.migrate.project import Project, following

TUTORIALS = "e6a077a2804d"
NEWER, OURS, THEIRS = (following(name) for name in ("newer", "ours", "theirs"))


@pytest.mark.parametrize(
    ("heads", "recorded", "expected", "works"),
    [
        ([], [], Compatibility.EMPTY, False),
        (["0001_create_users"], [], Compatibility.BEHIND, False),
        ([OLDEST], [], Compatibility.COMPATIBLE, True),
        ([NEWEST], [], Compatibility.COMPATIBLE, True),
        (["9999_newer"], [OLDEST, "9999_newer"], Compatibility.AHEAD, True),
        (["0001_newer"], [OLDEST, "0001_newer"], Compatibility.AHEAD, True),
        ([TUTORIALS], [OLDEST, TUTORIALS], Compatibility.AHEAD, True),
        ([NEWEST, "9999_newer"], [OLDEST, "9999_newer"], Compatibility.AHEAD, True),
        (["9999_newer", "9998_newer"], [OLDEST, "9999_newer", "9998_newer"], Compatibility.AHEAD, True),
        (["9999_newer"], [], Compatibility.FOREIGN, False),
        (["9999_newer"], [OLDEST], Compatibility.FOREIGN, False),
        (["9999_newer"], ["9999_newer"], Compatibility.FOREIGN, False),
        ([TUTORIALS], [], Compatibility.FOREIGN, False),
        ([NEWEST[:4]], [], Compatibility.FOREIGN, False),
        ([""], [], Compatibility.FOREIGN, False),
        ([NEWEST, TUTORIALS], [OLDEST, NEWEST], Compatibility.FOREIGN, False),
        ([NEWEST, "0001_create_users"], [], Compatibility.DIVERGED, False),
    ],
)
def test_this_code_works_with_what_it_knows_and_with_what_newer_code_added(
    heads: list[str], recorded: list[str], expected: Compatibility, *, works: bool
) -> None:
    found = judge(heads, recorded, SUPPORTED, scripts())
    assert (found, found.works) == (expected, works)


async def compatibility_of(url: str) -> Compatibility:
    engine = create_engine(url, Purpose.READ)
    try:
        return (await check(engine, SUPPORTED)).compatibility
    finally:
        await engine.dispose()


async def test_a_database_is_asked_where_it_stands(template_url: str, empty_url: str) -> None:
    assert await compatibility_of(template_url) is Compatibility.COMPATIBLE
    await upgrade(empty_url, "0002")
    await downgrade(empty_url, "0001")
    assert await compatibility_of(empty_url) is Compatibility.BEHIND


async def test_a_migrator_that_commits_between_two_reads_makes_no_database_foreign(tmp_path: Path) -> None:
    file = tmp_path / "roster.db"

    def execute(*statements: str) -> None:
        with closing(sqlite3.connect(file, isolation_level=None)) as connection:
            for each in statements:
                connection.execute(each)

    def downgrade_once(*_: object) -> None:
        execute(f"UPDATE alembic_version SET version_num = '{NEWEST}'")

    execute(
        "PRAGMA journal_mode = WAL",
        "CREATE TABLE alembic_version (version_num TEXT)",
        "INSERT INTO alembic_version VALUES ('9999_newer')",
    )
    engine = create_engine(f"sqlite:///{file}", Purpose.READ)
    event.listen(engine.sync_engine, "after_cursor_execute", downgrade_once, once=True)
    standing = await check(engine, SUPPORTED)
    await engine.dispose()
    assert (standing.heads, standing.compatibility) == ((NEWEST,), Compatibility.COMPATIBLE)


async def test_a_database_with_no_tables_is_empty(empty_postgres_url: str) -> None:
    assert await compatibility_of(empty_postgres_url) is Compatibility.EMPTY


async def readiness(url: str) -> tuple[int, str]:
    roster = create_app(Settings(database_url=url))
    async with client_of(roster) as client:
        answer = await client.get("/readyz")
    await roster.database.close()
    document = answer.json()
    return answer.status_code, document.get("detail") or document["schema"]


async def roster(url: str, *arguments: str) -> tuple[int, str]:
    result = await asyncio.to_thread(CliRunner().invoke, main, arguments, env={"ROSTER_DATABASE_URL": url})
    return result.exit_code, result.output


@pytest.mark.parametrize("rows", [[TUTORIALS], ["zzzz"], [NEWEST, TUTORIALS], ["9999_newer"], [""]])
async def test_a_database_of_another_program_is_told_and_left_alone(store: Store, rows: list[str]) -> None:
    await store.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
    await store.execute("CREATE TABLE users (id INTEGER PRIMARY KEY, name VARCHAR(80))")
    for row in rows:
        await store.execute("INSERT INTO alembic_version VALUES ($1)", row)
    told = "which is not a revision of this project"
    status_code, detail = await readiness(store.url)
    assert (status_code, told in detail) == (503, True)
    found = await status(store.url)
    assert (found.compatibility, found.pending) == (Compatibility.FOREIGN, ())
    for arguments in (["db", "status"], ["db", "upgrade"], ["db", "backfill"], ["db", "downgrade", "base"]):
        exit_code, output = await roster(store.url, *arguments)
        assert (exit_code, told in output) == (1, True), output
        assert "docs/adopting.md" in output
        assert "ROSTER_DATABASE_URL" in output
    assert "*" not in (await roster(store.url, "db", "history"))[1] or NEWEST in rows
    assert (await roster(store.url, "export", "users"))[1].count(told) == 1
    assert [row["version_num"] for row in await store.execute("SELECT * FROM alembic_version")] == rows


async def test_a_version_table_that_contradicts_itself_is_told_with_the_cure(fresh_url: str) -> None:
    from tests.alembic.store import opened

    async with opened(fresh_url) as store:
        await store.execute("INSERT INTO alembic_version VALUES ('0003_add_address_to_users')")
    assert await compatibility_of(fresh_url) is Compatibility.DIVERGED
    assert "alembic stamp --purge" in (await readiness(fresh_url))[1]
    with pytest.raises(Refused, match="one of them is an ancestor of another"):
        await upgrade(fresh_url)


@pytest.mark.slow
async def test_old_code_stays_ready_while_branches_and_their_merge_are_applied(
    fresh_url: str, project: Project
) -> None:
    """Of a merge the database has two rows for a while; `alembic merge` gives ids that say nothing."""
    project.add_safe("99990000aaaa", after=NEWEST, up='ops.add_column("users", sa.Column("l", sa.Integer()))')
    project.add_safe("0a1b2c3d4e5f", after=NEWEST, up='ops.add_column("users", sa.Column("r", sa.Integer()))')
    await upgrade(fresh_url, "99990000aaaa")
    await upgrade(fresh_url, "heads")
    both = {"99990000aaaa", "0a1b2c3d4e5f"}
    assert set((await status(fresh_url)).current) == both
    assert await compatibility_of(fresh_url) is Compatibility.AHEAD
    for id in both:
        project.remove(id)
    assert await compatibility_of(fresh_url) is Compatibility.AHEAD
    assert (await readiness(fresh_url)) == (200, "ahead")
    assert (await status(fresh_url)).pending == ()


async def test_what_newer_code_stamped_is_newer_and_no_stranger(fresh_url: str, project: Project) -> None:
    project.add(NEWER, after=NEWEST)
    from alembic import command

    from service.migrate.plan.config import configuration

    await asyncio.to_thread(command.stamp, configuration(url=fresh_url), NEWER)
    project.remove(NEWER)
    assert await compatibility_of(fresh_url) is Compatibility.AHEAD


async def test_a_database_at_the_newest_revision_needs_no_script(
    fresh_url: str, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:

    def broken() -> None:
        raise AssertionError

    monkeypatch.setattr(compatibility, "scripts", broken)
    assert (await readiness(fresh_url)) == (200, "compatible")


@pytest.mark.slow
async def test_the_history_of_a_branch_is_told_apart_from_that_of_another(fresh_url: str, project: Project) -> None:
    project.add(THEIRS, after=NEWEST)
    await upgrade(fresh_url)
    project.remove(THEIRS)
    project.add(OURS, after=NEWEST)
    assert (await status(fresh_url)).pending == (OURS,)
    with pytest.raises(Refused, match=f"{THEIRS}, which this version does not have: a newer version upgraded"):
        commands.upgrade(fresh_url)
