"""The `alembic` command reports a fault of the database in one line, with the cure."""

import os
from pathlib import Path

import pytest
from sqlalchemy import make_url

from tests.docs.consoles import Session
from tests.programs import run

pytestmark = pytest.mark.slow

COMMANDS = [["upgrade", "head"], ["revision", "--autogenerate", "-m", "x"]]


def alembic(url: str, *arguments: str, **environment: str) -> tuple[int, str]:
    done = run("alembic", "-x", f"database={url}", *arguments, env={**os.environ, **environment})
    return done.returncode, done.stderr + done.stdout


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("postgresql://u:secret@127.0.0.1:1/x", "Start PostgreSQL, or correct the host and the port"),
        ("mysql://host/x", "Only postgresql:// and sqlite:// are supported"),
        ("postgresql://u:secret@h:port/x", "The port in the database URL is not a number"),
        ("sqlite:////no/such/folder/x.db", "Create the folder /no/such/folder"),
        ("sqlite:////tmp", " is a folder; name a file in it."),
    ],
)
def test_a_database_that_cannot_be_used_is_told(url: str, words: str) -> None:
    status, output = alembic(url, "upgrade", "head")
    assert (status, words in output, "Traceback" in output, "secret" in output) == (255, True, False, False), output


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_wrong_password_is_told_by_every_command(
    postgres_admin_url: str, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    url = make_url(postgres_admin_url).set(database="nowhere").render_as_string(hide_password=False)
    status, output = alembic(url, *command)
    assert status == 255
    assert "Traceback" not in output
    assert "Create it with `createdb`, or name another in ROSTER_DATABASE_URL." in output
    wrong = make_url(postgres_admin_url).set(password="wrong").render_as_string(hide_password=False)
    status, output = alembic(wrong, *command)
    assert "Traceback" not in output
    assert status == 0 or "Correct the user or the password in ROSTER_DATABASE_URL." in output


@pytest.mark.parametrize("command", [["heads"], ["history"], ["branches"], ["show", "head"]], ids=" ".join)
def test_what_needs_no_database_asks_none(command: list[str]) -> None:
    status, output = alembic("postgresql://u:secret@127.0.0.1:1/x", *command)
    assert (status, "Traceback" in output) == (0, False), output


def test_a_stamp_names_the_revision_it_stamps(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'roster.db'}"
    for revision, named in (("0010", "0010_extend_records"), ("0003", "0003_add_address_to_users"), ("base", "base")):
        assert f"Stamp {named}: done." in alembic(url, "stamp", revision)[1]


def test_a_draft_before_an_upgrade_names_the_command(tmp_path: Path) -> None:
    session = Session(tmp_path)
    assert "run `roster db upgrade`, then draft again" in session.run("roster db revision -m x")
    status, output = alembic(f"sqlite:///{tmp_path / 'roster.db'}", "revision", "--autogenerate", "-m", "x")
    assert (status, "run `roster db upgrade`, then draft again" in output) == (255, True)
