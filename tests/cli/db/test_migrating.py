"""`roster db`, called from a terminal and from a program."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from service.cli import main
from service.cli.db import db
from service.db.urls import parse_url
from service.migrate.entrypoints.aio import head_revision
from service.migrate.plan.config import scripts
from service.migrate.run.locking import lock
from tests.alembic.test_revisions import ALL
from tests.migrate.project import Project, following

NEWER = following("newer")


main.add_command(db)


def roster(*arguments: str, url: str | None = None) -> Result:
    environment = {"ROSTER_DATABASE_URL": url} if url else {}
    return CliRunner().invoke(main, ["db", *arguments], env=environment)


def document(result: Result) -> Any:
    assert result.exit_code in (0, 1), result.output
    return json.loads(result.stdout)


def test_upgrade_tells_each_revision_and_where_the_database_is(empty_url: str) -> None:
    result = roster("upgrade", "0002", url=empty_url)
    assert result.exit_code == 0
    *lines, last = result.stdout.splitlines()
    assert lines == ["Upgrade to 0001_create_users: done.", "Upgrade to 0002_add_age_to_users: done."]
    assert last.startswith("The database is at 0002_add_age_to_users, after ")
    again = roster("upgrade", "0002", url=empty_url)
    assert again.stdout == "The database is at 0002_add_age_to_users; there was nothing to do.\n"


def test_downgrade_goes_back_by_steps_or_to_nothing(empty_url: str) -> None:
    roster("upgrade", "0003", url=empty_url)
    assert "at 0002_add_age_to_users" in roster("downgrade", "-1", url=empty_url).stdout
    back = document(roster("downgrade", "base", "--json", url=empty_url))
    assert (back["reverted"], back["current"]) == (["0002_add_age_to_users", "0001_create_users"], [])
    assert roster("current", url=empty_url).stdout == "none\n"


def test_programs_get_one_document(empty_url: str) -> None:
    done = document(roster("upgrade", "0001", "--json", url=empty_url))
    assert done.pop("seconds") >= 0
    assert done == {"applied": ["0001_create_users"], "current": ["0001_create_users"]}
    assert document(roster("current", "--json", url=empty_url)) == {
        "current": ["0001_create_users"],
        "head": head_revision(),
        "up_to_date": False,
    }
    history = document(roster("history", "--json", url=empty_url))
    assert [each["id"] for each in history] == [script.revision for script in ALL]
    assert history[-1] == {
        "id": "0001_create_users",
        "title": "Create users.",
        "date": "2026-03-01",
        "file": "2026_03_01_0900_create_users.py",
        "phases": ["upgrade"],
        "applied": True,
    }
    assert [each["applied"] for each in history[:-1]] == [False] * (len(ALL) - 1)


def test_status_of_a_database_behind_tells_what_is_pending(empty_url: str) -> None:
    roster("upgrade", "0002", url=empty_url)
    result = roster("status", url=empty_url)
    assert result.exit_code == 1
    first, *rest = result.stdout.splitlines()
    assert first.endswith(" is at 0002_add_age_to_users: this code needs newer tables.")
    assert "aiosqlite" not in first
    pending = [each.revision for each in reversed(list(scripts().walk_revisions())) if each.revision >= "0003"]
    assert rest == [
        f"{len(pending)} to apply with `roster db upgrade`:",
        *(f"  {revision}" for revision in pending),
    ]


def test_status_of_a_database_at_head_is_good(fresh_url: str) -> None:
    result = roster("status", "--json", url=fresh_url)
    assert result.exit_code == 0
    found = json.loads(result.stdout)
    assert found.pop("database").startswith(fresh_url.split(":", 1)[0])
    assert found == {
        "compatibility": "compatible",
        "current": [head_revision()],
        "head": head_revision(),
        "pending": [],
        "phases": {
            "active_run": None,
            "incomplete": [],
            "backfill": [],
            "contract": [],
            "trash": [],
            "checksum_mismatch": [],
            "backfills": [],
            "drift": [],
        },
        "migrator": None,
        "blocked_by": None,
        "contradictions": [],
        "works": True,
        "up_to_date": True,
        "is_sound": True,
    }


@pytest.mark.slow
def test_status_of_a_database_that_newer_code_upgraded(fresh_url: str, project: Project) -> None:
    project.add(NEWER, after=head_revision())
    roster("upgrade", url=fresh_url)
    project.remove(NEWER)
    result = roster("status", url=fresh_url)
    assert result.exit_code == 1
    assert f"is at {NEWER}: newer code upgraded it, and this code is expected to work with it.\n" in result.stdout
    assert "to apply" not in result.stdout
    refused = roster("upgrade", url=fresh_url)
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert f"The database is at revision {NEWER}, which this version does not have" in refused.stderr


def test_a_missing_file_is_no_database_yet_and_is_not_made_by_asking(tmp_path: Path) -> None:
    file = tmp_path / "roster.db"
    result = roster("status", url=f"sqlite:///{file}")
    assert result.exit_code == 1
    assert "is at no revision yet: this code has no tables to work with." in result.stdout
    assert roster("current", url=f"sqlite:///{file}").stdout == "none\n"
    assert not file.exists()


def test_status_names_a_migrator_at_work(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'roster.db'}"
    file = lock.lock_file(parse_url(url))
    assert file is not None
    descriptor = lock.lock(file)
    assert descriptor is not None
    assert f"A migrator is running: process {os.getpid()}, since " in roster("status", url=url).stdout
    os.close(descriptor)


def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    file = tmp_path / "roster.db"
    file.write_text("a text, and a longer one than the header of a database is, to be sure")
    result = roster("status", url=f"sqlite:///{file}")
    told = "file is not a database. Name another file in ROSTER_DATABASE_URL."
    assert (result.exit_code, result.stderr) == (1, f"Error: The file {file} cannot be used: {told}\n")


def test_history_is_there_without_a_database() -> None:
    result = roster("history", url="postgresql://127.0.0.1:1/none")
    assert result.exit_code == 0
    assert len(result.stdout.splitlines()) == len(ALL)
    assert "*" not in result.stdout


def test_the_url_option_goes_before_the_settings(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'roster.db'}"
    result = CliRunner().invoke(
        main, ["db", "--database", url, "upgrade", "0001"], env={"ROSTER_DATABASE_URL": "nonsense"}
    )
    assert result.exit_code == 0
    assert (tmp_path / "roster.db").exists()


def test_a_script_is_printed_and_nothing_done(empty_postgres_url: str) -> None:
    result = roster("upgrade", "0001:0002", "--sql", url=empty_postgres_url)
    assert result.exit_code == 0
    assert "ALTER TABLE users ADD COLUMN age INTEGER;" in result.stdout
    assert roster("current", url=empty_postgres_url).stdout == "none\n"


@pytest.mark.parametrize("span", ["0002:0001", "0001", "-1", "base"])
def test_no_script_of_a_downgrade_is_printed(fresh_url: str, span: str) -> None:
    """A script cannot see that a revision was contracted, and would drop values written after the contract."""
    down = roster("downgrade", span, "--sql", url=fresh_url)
    assert (down.exit_code, down.stdout) == (1, "")
    assert "Run `roster db downgrade REVISION` on the database." in down.stderr
    undo = roster("contract", "0015", "--undo", "--sql", url=fresh_url)
    assert (undo.exit_code, undo.stdout) == (1, "")
    assert "Run `roster db contract 0015 --undo` against the database itself." in undo.stderr


def test_revision_says_that_there_is_nothing_to_write_or_where_it_wrote(fresh_url: str, project: Project) -> None:
    nothing = roster("revision", "-m", "nothing", url=fresh_url)
    assert nothing.stdout.splitlines()[-1] == "The models and the database agree: there is nothing to write."
    written = document(roster("revision", "-m", "by hand", "--empty", "--json", url=fresh_url))
    assert written["file"].endswith("_by_hand.py")
    assert len(list(project.versions.glob("*_by_hand.py"))) == 1


@pytest.mark.parametrize(
    ("arguments", "url", "status", "sentence"),
    [
        (["upgrade", "nonsense"], "sqlite:///{folder}/x.db", 2, "Can't locate revision identified by 'nonsense'"),
        (["upgrade"], "sqlite:////no/such/folder/x.db", 1, "The file /no/such/folder/x.db cannot be used: unable"),
        (["status"], "sqlite:////no/such/folder/x.db", 1, "The file /no/such/folder/x.db cannot be used: unable"),
        (["status"], "postgresql://u:secret@127.0.0.1:1/x", 1, "The database x at 127.0.0.1:1 cannot be used"),
        (["upgrade"], "mysql://host/x", 2, "Only postgresql:// and sqlite:// are supported."),
        (["downgrade"], "sqlite:///{folder}/x.db", 2, "Missing argument 'REVISION'"),
        (["upgrade", "--sql"], "sqlite:///{folder}/x.db", 1, "A script cannot alter a table on SQLite"),
    ],
)
def test_a_failure_is_one_sentence_and_an_exit_status(
    tmp_path: Path, arguments: list[str], url: str, status: int, sentence: str
) -> None:
    result = roster(*arguments, url=url.format(folder=tmp_path))
    assert result.exit_code == status
    assert sentence in result.stderr
    assert "Traceback" not in result.output
    assert "secret" not in result.output


def test_a_pooler_alone_is_no_way_for_migrations() -> None:
    environment = {"ROSTER_DATABASE_URL": "postgresql://h/x", "ROSTER_POOLER": "true"}
    result = CliRunner().invoke(main, ["db", "upgrade"], env=environment)
    assert result.exit_code == 2
    assert "say in ROSTER_MIGRATE_URL where PostgreSQL itself is" in result.stderr


COMMANDS = [
    *("upgrade", "downgrade", "backfill", "contract", "purge", "current", "history", "status", "revision"),
]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_is_there_for_every_command(command: str) -> None:
    assert f"roster db {command}" in CliRunner().invoke(main, ["db", command, "--help"], prog_name="roster").stdout
    assert command in roster("--help").stdout
