"""The library's own programs call the migrator; nothing of Roster is imported, or stands in a message."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from service.db.engine import Purpose, create_engine
from service.migrate.entrypoints import aio, commands, project
from service.migrate.entrypoints.status import status
from service.migrate.errors import Unusable
from tests.migrate.foreign.test_command_line import FIRST, LOANS, MERGE, ROOMS, ROWS, TITLES, execute
from tests.project.files import ROOT

# What a project that takes the migrator gets, and no other part of Roster.
TAKEN = ("service.migrate", "service.db", "service.terminal", "service.errors")


@pytest.mark.slow
async def test_a_deployment_and_a_start_of_the_service(
    library: Path, empty_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIBRARY_DATABASE_URL", empty_url)
    config = library / "alembic.ini"
    assert await aio.upgrade(revision=FIRST, config=config) == [FIRST]
    await execute(empty_url, ROWS)
    found = project.read(config)
    from library.schema import deploy, is_ready

    engine = found.engine()
    assert await is_ready(engine) is False
    await deploy()
    assert await is_ready(engine) is True
    await engine.dispose()
    assert await execute(empty_url, "SELECT room FROM shelves ORDER BY id") == [{"room": "north"}, {"room": "south"}]
    assert await aio.contract(config=config) == [ROOMS, TITLES]
    assert (await status(config=config)).is_sound
    assert (found.naming.prefix, set(found.metadata.tables)) == ("library_", {"shelves", "books", "loans"})
    assert await aio.downgrade(empty_url, "base") == [LOANS, MERGE, TITLES, ROOMS, FIRST]
    assert {"books", "shelves"} <= set(await aio.purge(empty_url))
    assert await aio.upgrade(empty_url) == [FIRST, ROOMS, TITLES, MERGE, LOANS]


@pytest.mark.usefixtures("library")
def test_the_branches_can_be_applied_one_by_one(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/branches.db"
    assert commands.upgrade(url, ROOMS) == [FIRST, ROOMS]
    assert commands.upgrade(url, TITLES) == [TITLES]
    assert commands.upgrade(url) == [MERGE, LOANS]
    assert commands.downgrade(url, ROOMS) == [LOANS, MERGE]
    assert commands.head() == LOANS


@pytest.mark.usefixtures("library")
def test_a_url_that_cannot_be_read_is_refused_by_every_function() -> None:
    for call in (commands.upgrade, commands.backfill, commands.contract, commands.purge, commands.differences):
        with pytest.raises(Unusable, match=r"Only postgresql:// and sqlite:// are supported"):
            call("mysql://host/library")


@pytest.mark.slow
def test_a_run_imports_the_migrator_and_nothing_else_of_roster(library: Path) -> None:
    """In a process of its own: here all of Roster is imported already."""
    code = (
        "import sys; from service.migrate.__main__ import main\n"
        "main(['upgrade'], standalone_mode=False)\n"
        "print(*(name for name in sys.modules if name.startswith('service.')), sep='\\n')"
    )
    environment = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=library, env=environment, capture_output=True, text=True, check=True
    )
    assert f"The database is at {LOANS}" in done.stdout
    names = [line for line in done.stdout.splitlines() if line.startswith("service.")]
    assert [name for name in names if not name.startswith(TAKEN)] == []


def test_no_message_or_docstring_of_the_migrator_names_roster() -> None:
    """Backups, and the database as the service holds it, are Roster's alone."""
    own = ("db/backup/", "db/database.py")
    service = ROOT / "service"
    files = [file for part in ("migrate", "db", "terminal") for file in sorted((service / part).rglob("*.py"))]
    offenders = [
        f"{file.relative_to(ROOT)}:{node.lineno}: {node.value!r}"
        for file in files
        if not str(file.relative_to(service)).startswith(own)
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and "roster" in node.value.lower()
    ]
    assert offenders == []


async def test_an_engine_has_the_program_s_name(library: Path, empty_postgres_url: str) -> None:
    project.read(library / "alembic.ini")
    engine = create_engine(empty_postgres_url, Purpose.MIGRATE)
    async with engine.connect() as connection:
        name = (await connection.exec_driver_sql("SELECT current_setting('application_name')")).scalar()
    await engine.dispose()
    assert name == "library migrate"
