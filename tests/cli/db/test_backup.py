"""`roster db backup` and `roster db restore` as a person runs them, on both databases."""

import asyncio
import json
import signal
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import make_url

from service.app import create_app
from service.cli import main
from service.migrate.entrypoints.commands import head
from service.settings import Settings
from tests.alembic.catalog import catalog
from tests.alembic.store import opened
from tests.cli.servers import environment
from tests.conftest import client_of, copy_of
from tests.postgres import client_programs, execute, fresh_database
from tests.programs import run as run_python

pytestmark = pytest.mark.slow

FOLDED = "STRASSE ßöé"
# Kills the process itself where the restore is about to replace the database, or has sent half of it.
KILLED = {
    "sqlite": "from service.db.backup import sqlite; sqlite.publish = die",
    "postgresql": (
        "from service.db.backup import postgresql; end = postgresql._pump\n"
        "def pump(reader, runner, watch, **how):\n"
        "    runner.stdin.write(reader.stdout.read(20_000)); runner.stdin.flush(); time.sleep(0.3); die()\n"
        "postgresql._pump = pump"
    ),
}


@pytest.fixture(autouse=True)
def programs(monkeypatch: pytest.MonkeyPatch) -> None:
    """pg_dump and the others, of the version of the tests' own server, first on the PATH."""
    monkeypatch.setenv("PATH", f"{client_programs()}:/usr/bin:/bin")


@pytest.fixture
async def other_url(backend: str, request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[str]:
    """A second database, with nothing in it."""
    if backend == "sqlite":
        yield f"sqlite:///{tmp_path / 'other.db'}"
        return
    async with fresh_database(request.getfixturevalue("postgres_admin_url"), "other") as url:
        yield url


@pytest.fixture
async def other_fresh_url(
    backend: str, template_url: str, request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[str]:
    """A second database, at head."""
    if backend == "sqlite":
        (tmp_path / "other").mkdir()
        yield copy_of(template_url, tmp_path / "other")
        return
    admin_url = request.getfixturevalue("postgres_admin_url")
    async with fresh_database(admin_url, "other", template=make_url(template_url).database) as url:
        yield url


@pytest.fixture
async def filled_url(fresh_url: str) -> str:
    """A database at head with rows in it."""
    await fill(fresh_url, "first")
    return fresh_url


async def fill(url: str, word: str) -> list[int]:
    """Write a few things over HTTP, and return their ids."""
    roster = create_app(Settings(database_url=url))
    ids = []
    async with client_of(roster) as client:
        for noun, fields in {
            "users": {"name": FOLDED, "email": f"{word}@example.org", "age": 41},
            "records": {"title": f"{word} 🎵", "tags": ["a", 'b"']},
            "departments": {"name": word},
            "employees": {"name": word},
        }.items():
            answer = await client.post(f"/v1/{noun}", json=fields, headers={"Idempotency-Key": f"{word}-{noun}"})
            assert answer.status_code == 201, answer.text
            ids.append(answer.json()["id"])
        await client.put(f"/v1/departments/{ids[2]}/employees/{ids[3]}", json={"from_date": "2024-01-01"})
        await client.delete(f"/v1/users/{ids[0]}")
    await roster.database.close()
    return ids


async def roster(url: str, *words: str | Path) -> Result:
    """The output of the command, run in a thread, since commands run their own event loops."""
    arguments = ["db", words[0], "--database", url, *words[1:]]
    run = CliRunner().invoke
    return await asyncio.to_thread(run, main, [str(each) for each in arguments], catch_exceptions=False)


async def everything(url: str) -> dict[str, Any]:
    """The catalog, and every row of every table, the runner's own included."""
    async with opened(url) as store:
        if store.backend == "sqlite":
            tables = await store.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
        else:
            tables = await store.execute(
                "SELECT relname AS name FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
            )
        rows = {each["name"]: await store.execute(f'SELECT * FROM "{each["name"]}"') for each in tables}
        return {"catalog": await catalog(store), "rows": {name: sorted(map(str, held)) for name, held in rows.items()}}


async def test_what_was_backed_up_is_what_is_restored(filled_url: str, other_url: str, tmp_path: Path) -> None:
    file = tmp_path / "roster.backup"
    made = await roster(filled_url, "backup", file, "--json")
    assert made.exit_code == 0, made.output
    assert json.loads(made.stdout) | {"seconds": 0} == {
        "file": str(file),
        "current": [head()],
        "bytes": file.stat().st_size,
        "seconds": 0,
    }
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [each.name for each in tmp_path.iterdir() if each.name.startswith("roster.backup")] == ["roster.backup"]
    before = await everything(filled_url)
    ids = await fill(filled_url, "second")
    restored = await roster(other_url, "restore", file)
    assert restored.exit_code == 0, restored.output
    assert restored.output.endswith("Next: `roster serve`.\n")
    assert head() in restored.output
    assert await everything(other_url) == before
    assert len(before["rows"]["migration_steps"]) > 10
    # Sequences and triggers go on where they were: ids are not given again.
    assert await fill(other_url, "second") == ids


async def test_force_replaces_all_that_is_in_the_way(
    backend: str, filled_url: str, other_fresh_url: str, tmp_path: Path
) -> None:
    file = tmp_path / "roster.backup"
    await roster(filled_url, "backup", file)
    assert (again := await roster(filled_url, "backup", file)).exit_code == 1
    assert again.output == f"Error: {file} is there already; --force replaces it.\n"
    assert (await roster(filled_url, "backup", file, "--force")).exit_code == 0
    await fill(other_fresh_url, "other")
    async with opened(other_fresh_url) as store:
        await store.execute("CREATE TABLE later (user_id integer REFERENCES users (id))")
        if backend == "postgresql":
            await store.execute("CREATE TYPE mood AS ENUM ('good')")
            await store.execute("CREATE FUNCTION feel(users, mood) RETURNS mood LANGUAGE sql AS 'SELECT $2'")
            await store.execute("CREATE SCHEMA elsewhere CREATE TABLE t (id serial, m mood)")
            await store.execute("CREATE MATERIALIZED VIEW seen AS SELECT id FROM later JOIN users ON id = user_id")
    before = await everything(other_fresh_url)
    refused = await roster(other_fresh_url, "restore", file)
    assert refused.exit_code == 1
    assert refused.output.endswith("is not empty; --force replaces all that is in it.\n")
    assert await everything(other_fresh_url) == before
    restored = await roster(other_fresh_url, "restore", file, "--force")
    assert restored.exit_code == 0, restored.output
    assert await everything(other_fresh_url) == await everything(filled_url)


async def test_a_restore_that_is_killed_leaves_what_was_there(
    backend: str, filled_url: str, other_fresh_url: str, tmp_path: Path
) -> None:
    file = tmp_path / "roster.backup"
    await roster(filled_url, "backup", file)
    await fill(other_fresh_url, "old")
    before = await everything(other_fresh_url)
    script = f"import os, time\ndef die(*_): os.kill(os.getpid(), 9)\n{KILLED[backend]}\n"
    run = f"{script}from service.cli import main; main()"
    killed = run_python("-c", run, "db", "restore", str(file), "--force", env=environment(other_fresh_url))
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert await everything(other_fresh_url) == before
    assert (await roster(other_fresh_url, "restore", file, "--force")).exit_code == 0
    assert await everything(other_fresh_url) == await everything(filled_url)
    assert not [each for each in tmp_path.iterdir() if "restoring" in each.name]


async def test_a_damaged_backup_is_refused(backend: str, filled_url: str, other_fresh_url: str, tmp_path: Path) -> None:
    file = tmp_path / "roster.backup"
    await roster(filled_url, "backup", file)
    content = file.read_bytes()
    file.write_bytes(content[: len(content) * 2 // 3])
    before = await everything(other_fresh_url)
    refused = await roster(other_fresh_url, "restore", file, "--force")
    assert refused.exit_code == 1, refused.output
    assert refused.output.startswith("Error: ")
    assert refused.output.count("\n") == 1
    assert await everything(other_fresh_url) == before


async def test_a_backup_of_another_kind_is_refused(backend: str, fresh_url: str, tmp_path: Path) -> None:
    file = tmp_path / "file"
    starts = {"sqlite": b"PGDMP\x01", "postgresql": b"SQLite format 3\x00"}
    for start, said in ((starts[backend], "is a backup of "), (b"-- SQL", "is no backup: "), (b"", "is no backup: ")):
        file.write_bytes(start)
        refused = await roster(fresh_url, "restore", file, "--force")
        assert (refused.exit_code, refused.output.count("\n")) == (1, 1)
        assert said in refused.output


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("UPDATE alembic_version SET version_num = '0099_later'", "revision 0099_later, which this code does not know"),
        ("DELETE FROM alembic_version", "is at no revision"),
    ],
)
async def test_a_backup_at_a_revision_that_is_not_known_is_refused(
    backend: str, fresh_url: str, other_url: str, tmp_path: Path, change: str, said: str
) -> None:
    file = tmp_path / "roster.backup"
    assert (await roster(fresh_url, "backup", file)).exit_code == 0
    async with opened(fresh_url) as store:
        await store.execute(change)
    made = await roster(fresh_url, "backup", tmp_path / "changed")
    assert made.exit_code == (1 if "DELETE" in change else 0), made.output
    if made.exit_code == 0:
        refused = await roster(other_url, "restore", tmp_path / "changed")
        assert (refused.exit_code, refused.output.count("\n")) == (1, 1)
        assert said in refused.output
        async with opened(other_url) as store:
            catalog_query = {"sqlite": "sqlite_schema", "postgresql": "pg_tables WHERE schemaname = 'public'"}[backend]
            assert await store.value(f"SELECT count(*) FROM {catalog_query}") == 0
    else:
        assert said in made.output
        assert not (tmp_path / "changed").exists()


async def test_names_that_no_backup_can_have(fresh_url: str, tmp_path: Path) -> None:
    for name, status in (("-", 2), (str(tmp_path), 2), ("/nowhere/roster.backup", 2), ("/dev/null", 2)):
        refused = await roster(fresh_url, "backup", "--force", "--", name)
        assert (refused.exit_code, "Traceback" in refused.output) == (status, False), name
    assert not Path("-").exists()


async def test_an_older_backup_names_the_upgrade(empty_url: str, other_url: str, tmp_path: Path) -> None:
    assert (await roster(empty_url, "upgrade", "0012")).exit_code == 0
    await roster(empty_url, "backup", tmp_path / "old")
    restored = await roster(other_url, "restore", tmp_path / "old", "--json")
    assert restored.exit_code == 0, restored.output
    assert json.loads(restored.stdout)["next"] == "roster db upgrade"
    assert (await roster(other_url, "upgrade")).exit_code == 0


async def test_no_program_gets_the_password_in_its_arguments(
    fresh_postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, log = tmp_path / "bin", tmp_path / "log"
    folder.mkdir()
    for name in ("pg_dump", "pg_restore", "psql"):
        (folder / name).write_text(f'#!/bin/sh\necho {name} "$@" >> {log}\nexec {client_programs() / name} "$@"\n')
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    assert (await roster(fresh_postgres_url, "backup", tmp_path / "copy")).exit_code == 0
    assert (await roster(fresh_postgres_url, "restore", tmp_path / "copy", "--force")).exit_code == 0
    said = log.read_text()
    assert {"pg_dump", "pg_restore", "psql"} <= {line.split()[0] for line in said.splitlines()}
    assert make_url(fresh_postgres_url).password not in (None, "")
    assert str(make_url(fresh_postgres_url).password) not in said


async def test_a_role_that_is_not_there_is_named_and_can_be_left_out(
    postgres_admin_url: str, fresh_postgres_url: str, tmp_path: Path
) -> None:
    await execute(fresh_postgres_url, "CREATE ROLE leaving; GRANT SELECT ON users TO leaving")
    try:
        assert (await roster(fresh_postgres_url, "backup", tmp_path / "copy")).exit_code == 0
    finally:
        await execute(fresh_postgres_url, "DROP OWNED BY leaving; DROP ROLE leaving")
    async with fresh_database(postgres_admin_url, "other") as url:
        refused = await roster(url, "restore", tmp_path / "copy")
        assert (refused.exit_code, refused.output) == (
            1,
            'Error: psql failed: role "leaving" does not exist. Make the role first, or restore with --no-owner.\n',
        )
        restored = await roster(url, "restore", tmp_path / "copy", "--no-owner")
        assert restored.exit_code == 0, restored.output
