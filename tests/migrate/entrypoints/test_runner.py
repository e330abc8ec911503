"""One migrator at a time and one transaction a revision, from every entry point."""

import asyncio
import io
import re
import signal
from pathlib import Path
from typing import IO

import pytest
import sqlalchemy as sa
from alembic import command
from sqlalchemy.exc import DBAPIError

from service.db.engine import Purpose, create_engine
from service.migrate.entrypoints import commands
from service.migrate.entrypoints.aio import current, downgrade, head_revision, upgrade
from service.migrate.errors import Refused, Unknown
from service.migrate.plan.config import configuration
from tests import programs
from tests.alembic.catalog import catalog
from tests.alembic.store import opened
from tests.alembic.test_revisions import ALL
from tests.migrate.project import Project, following

NEWER = following("newer")


def start(url: str, *arguments: str, folder: Path | None = None) -> tuple[programs.Running, IO[str]]:
    """The `alembic` command in a process of its own, and what it writes."""
    ini = ["-c", str(folder / "alembic.ini")] if folder else []
    return programs.started("alembic", *ini, "-x", f"url={url}", *arguments)


FOUR = """
import os, sys
from service.migrate.entrypoints import commands

commands.scripts()
children = []
for _ in range(4):
    if not (child := os.fork()):
        done = commands.upgrade(sys.argv[1])
        print(len(done), flush=True)
        os._exit(0)
    children.append(child)
sys.exit(max(os.waitpid(child, 0)[1] for child in children))
"""


@pytest.mark.slow
async def test_of_four_that_start_together_one_applies_and_all_are_content(empty_url: str) -> None:
    four = await asyncio.to_thread(programs.run, "-c", FOUR, empty_url)
    assert (four.returncode, four.stderr) == (0, "")
    assert sorted(four.stdout.split()) == ["0", "0", "0", str(len(ALL))]
    assert await current(empty_url) == (head_revision(),)


@pytest.mark.slow
async def test_alembic_s_own_program_tells_what_it_does(empty_url: str) -> None:
    program, output = start(empty_url, "upgrade", "0002")
    with output:
        said = await asyncio.to_thread(output.read)
    assert program.wait() == 0
    assert said == "Upgrade to 0001_create_users: done.\nUpgrade to 0002_add_age_to_users: done.\n"


async def test_alembic_s_own_commands_work(empty_url: str) -> None:
    commands.upgrade(empty_url, "0002")
    config = configuration(url=empty_url)
    config.stdout = io.StringIO()
    command.current(config)
    assert config.stdout.getvalue() == "0002_add_age_to_users\n"
    command.history(config, indicate_current=True)
    history = config.stdout.getvalue().splitlines()[1:]
    assert len(history) == len(ALL)
    assert [line.split(" -> ")[1].split()[0].rstrip(",") for line in history] == [script.revision for script in ALL]
    assert [line for line in history if "(current)" in line] == [line for line in history if "-> 0002_" in line]
    command.stamp(config, "0003")
    assert await current(empty_url) == ("0003_add_address_to_users",)
    command.stamp(config, "0002")
    command.downgrade(config, "base")
    assert await current(empty_url) == ()


async def test_upgrading_again_does_nothing(empty_url: str) -> None:
    assert (await upgrade(empty_url, "0002"))[-1] == "0002_add_age_to_users"
    assert await upgrade(empty_url, "0002") == []
    assert await downgrade(empty_url, "base") == ["0002_add_age_to_users", "0001_create_users"]


async def test_a_synchronous_call_in_a_running_loop_finds_a_loop_of_its_own(empty_url: str) -> None:
    assert asyncio.get_running_loop().is_running()
    command.upgrade(configuration(url=empty_url), "0001")
    assert await current(empty_url) == ("0001_create_users",)


@pytest.mark.parametrize("purpose", [Purpose.MIGRATE, Purpose.BACKFILL])
async def test_a_connection_handed_in_is_used_and_each_revision_committed(empty_url: str, purpose: Purpose) -> None:
    engine = create_engine(empty_url, purpose)
    async with engine.connect() as connection:
        await connection.run_sync(lambda sync: command.upgrade(configuration(connection=sync), "0003"))
    await engine.dispose()
    assert await current(empty_url) == ("0003_add_address_to_users",)


async def test_a_connection_that_enforced_foreign_keys_does_so_again(tmp_path: Path) -> None:
    (tmp_path / "roster.db").touch()
    engine = create_engine(f"sqlite:///{tmp_path / 'roster.db'}", Purpose.SERVE)
    async with engine.connect() as connection:
        await connection.run_sync(lambda sync: command.upgrade(configuration(connection=sync), "0003"))
        assert (await connection.exec_driver_sql("PRAGMA foreign_keys")).scalar() == 1
    await engine.dispose()


async def test_a_transaction_handed_in_is_its_owner_s_to_commit(empty_url: str) -> None:
    engine = create_engine(empty_url, Purpose.MIGRATE)
    async with engine.connect() as connection:
        await connection.begin()
        await connection.run_sync(lambda sync: command.upgrade(configuration(connection=sync), "0003"))
        await connection.rollback()
    assert await current(empty_url) == ()
    async with engine.begin() as connection:
        await connection.run_sync(lambda sync: command.upgrade(configuration(connection=sync), "0003"))
    await engine.dispose()
    assert await current(empty_url) == ("0003_add_address_to_users",)


def test_a_plain_synchronous_connection_to_memory_is_migrated_too() -> None:
    engine = sa.create_engine("sqlite://")
    with engine.connect() as connection:
        command.upgrade(configuration(connection=connection), "head")
        assert connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar() == head_revision()
    engine.dispose()


async def test_without_a_url_the_settings_say_where(empty_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROSTER_DATABASE_URL", empty_url)
    await asyncio.to_thread(command.upgrade, configuration(), "0001")
    assert await current(empty_url) == ("0001_create_users",)


async def test_a_transaction_that_enforces_foreign_keys_is_refused_before_a_row_is_lost(tmp_path: Path) -> None:
    (tmp_path / "roster.db").touch()
    url = f"sqlite:///{tmp_path / 'roster.db'}"
    engine = create_engine(url, Purpose.SERVE)
    with pytest.raises(Refused, match="enforces foreign keys"):
        async with engine.begin() as connection:
            await connection.run_sync(lambda sync: command.upgrade(configuration(connection=sync), "0003"))
    await engine.dispose()
    assert await current(url) == ()


async def test_a_revision_that_fails_leaves_nothing_and_those_before_it_stay(empty_url: str, project: Project) -> None:
    up = """
op.create_table("half", sa.Column("id", sa.Integer()))
op.add_column("users", sa.Column("half", sa.Integer()))
op.execute("INSERT INTO users (name, email) VALUES ('a', 'b'), ('a', 'b')")
"""
    project.add("0003_half", after="0003_add_address_to_users", up=up)
    await upgrade(empty_url, "0003_add")
    async with opened(empty_url) as store:
        before = await catalog(store)
        with pytest.raises(Refused, match=r"Upgrade to 0003_half failed and was rolled back: .*[Uu]?(?i:unique)"):
            await upgrade(empty_url, "0003_half")
        assert await catalog(store) == before
    assert await current(empty_url) == ("0003_add_address_to_users",)


async def test_a_migrator_killed_halfway_is_simply_run_again(empty_url: str, project: Project) -> None:
    up = """
op.create_table("half", sa.Column("id", sa.Integer()))
op.create_unique_constraint("k", "half", ["id"])
if os.environ.get("STALL"):
    print("halfway", flush=True)
    time.sleep(600)
"""
    project.clear()
    project.add("0001_half", after=None, up=up)
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("STALL", "1")
        killed, output = start(empty_url, "upgrade", "head", folder=project.folder)
    with output:
        assert await asyncio.to_thread(output.readline) == "halfway\n"
        killed.kill()
        assert await asyncio.to_thread(killed.wait) == -signal.SIGKILL
    assert await upgrade(empty_url) == ["0001_half"]
    async with opened(empty_url) as store:
        assert any("half" in line for line in await catalog(store))


async def test_a_revision_that_waits_for_a_lock_lets_go_and_is_tried_again(
    empty_postgres_url: str, project: Project
) -> None:
    url = empty_postgres_url
    await upgrade(url, "0002")
    async with opened(url) as reader:
        await reader.execute("BEGIN")
        await reader.execute("SELECT * FROM users")
        told: list[str] = []
        work = asyncio.create_task(asyncio.to_thread(commands.upgrade, url, "+1", report=told.append))
        while not told:
            await asyncio.sleep(0.01)
        assert re.match(
            r"0003_add_address_to_users: ADD COLUMN users\.address waits, blocked by a session "
            r"\(pid \d+, open for \d+\.\d s, idle in transaction\): SELECT \* FROM users\.",
            told[0],
        )
        await reader.execute("COMMIT")
    assert await work == ["0003_add_address_to_users"]


async def test_rows_that_a_revision_s_own_sql_would_orphan_are_refused(tmp_path: Path, project: Project) -> None:
    url = f"sqlite:///{tmp_path / 'roster.db'}"
    project.add("0006_lose", after="0005_create_departments", up='op.execute("DELETE FROM departments")')
    await upgrade(url, "0005")
    async with opened(url) as store:
        await store.execute("INSERT INTO departments (id, name) VALUES (1, 'D')")
        await store.execute("INSERT INTO employees (name, department_id) VALUES ('Ann', 1)")
        with pytest.raises(Refused, match="Rows would violate a foreign key: 1 from employees to departments"):
            await upgrade(url, "0006_lose")
        assert await store.value("SELECT count(*) FROM departments") == 1


@pytest.mark.parametrize("revision", ["nonsense", "+99", "-1", "9999"])
async def test_a_revision_that_is_not_there_is_told(empty_url: str, revision: str) -> None:
    with pytest.raises(Unknown, match="`roster db history` lists the revisions there are"):
        await upgrade(empty_url, revision)


@pytest.mark.slow
async def test_a_database_ahead_of_the_code_is_told_and_left_alone(empty_url: str, project: Project) -> None:
    project.add(NEWER, after=head_revision())
    await upgrade(empty_url, NEWER)
    project.remove(NEWER)
    with pytest.raises(Refused, match=f"The database is at revision {NEWER}, which this version does not have"):
        await upgrade(empty_url)
    with pytest.raises(Refused, match=NEWER):
        await downgrade(empty_url, head_revision())
    assert await current(empty_url) == (NEWER,)


async def test_two_heads_are_told(empty_url: str, project: Project) -> None:
    for id in ("0003_one", "0003_two"):
        project.add(id, after="0002_add_age_to_users")
    for file in project.versions.glob("20*"):
        if not file.name.endswith(("_create_users.py", "_add_age_to_users.py")):
            file.unlink()
    sentence = "more than one head, 0003_one and 0003_two. Join them with `alembic merge heads`"
    with pytest.raises(Refused, match=sentence):
        await upgrade(empty_url)
    with pytest.raises(Refused, match=sentence):
        head_revision()
    assert len(await upgrade(empty_url, "heads")) == 4
    assert await current(empty_url) == ("0003_one", "0003_two")


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("postgresql://nobody@127.0.0.1:1/x", "The database x at 127.0.0.1:1 cannot be used: .*Connect call failed"),
        (
            "sqlite:////no/such/folder/x.db",
            "The file /no/such/folder/x.db cannot be used: unable to open database file",
        ),
    ],
)
async def test_a_database_that_cannot_be_reached_is_told(url: str, sentence: str) -> None:
    with pytest.raises(Refused, match=sentence):
        await upgrade(url)


async def test_a_file_that_is_not_there_is_at_no_revision_and_not_made_by_asking(tmp_path: Path) -> None:
    assert await current(f"sqlite:///{tmp_path / 'roster.db'}") == ()
    assert list(tmp_path.iterdir()) == []


async def test_a_database_that_does_not_exist_on_the_server_is_told(postgres_admin_url: str) -> None:
    with pytest.raises(Refused, match='database "nowhere" does not exist'):
        await upgrade(postgres_admin_url.rsplit("/", 1)[0] + "/nowhere")


async def test_a_failure_inside_a_transaction_handed_in_is_its_owner_s(empty_url: str, project: Project) -> None:
    project.clear()
    project.add("0001_wrong", after=None, up='op.execute("SELECT * FROM nothing")')
    engine = create_engine(empty_url, Purpose.MIGRATE)
    with pytest.raises(DBAPIError):
        async with engine.begin() as connection:
            await connection.run_sync(lambda sync: command.upgrade(configuration(connection=sync), "head"))
    await engine.dispose()
