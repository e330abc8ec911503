"""What `roster serve` says before it serves: the fault and what helps, in one line."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from service.cli.serving.sockets import listen, port_of
from service.errors import CannotStart
from service.migrate.entrypoints.aio import downgrade
from service.schema_range import OLDEST
from tests.cli.servers import START_SECONDS, announced, environment, get, serving
from tests.programs import run, start

pytestmark = pytest.mark.slow


def refusal(folder: Path, *options: str, database: str = "roster.db", **settings: str) -> tuple[int, str]:
    """The exit status and the one line of a `roster serve` that does not start."""
    env = environment(f"sqlite:///{folder}/{database}", **settings)
    answer = run("service", "serve", "--port=0", *options, env=env)
    assert answer.stdout == ""
    (line,) = answer.stderr.splitlines()
    return answer.returncode, line


def test_a_port_in_use_is_named_with_what_helps(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        status, line = refusal(tmp_path, f"--port={port}")
    assert status == 1
    assert line.startswith(f"Error: Port {port} on 127.0.0.1 is in use by another program.")
    assert f"`make serve PORT={port + 1}`" in line


@pytest.mark.parametrize(
    ("host", "status", "said"),
    [
        ("192.0.2.1", 1, "is not an address of this machine. Bind 127.0.0.1"),
        ("nowhere.invalid", 2, "has no address"),
    ],
)
def test_a_host_that_cannot_be_bound_is_named(tmp_path: Path, host: str, status: int, said: str) -> None:
    found, line = refusal(tmp_path, f"--host={host}", ROSTER_BOOTSTRAP_TOKEN="b" * 32)
    assert (found, said in line, host in line) == (status, True, True)


def test_a_port_that_needs_privileges_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    # Whether a port below 1024 is refused depends on the user and the kernel's settings.
    monkeypatch.setattr(socket, "create_server", refuse)
    with pytest.raises(CannotStart, match="Port 80 needs privileges that this user lacks"):
        listen("127.0.0.1", 80)


def test_every_address_of_a_name_listens_on_one_port() -> None:
    sockets = listen("localhost", 0)
    assert {each.getsockname()[1] for each in sockets} == {port_of(sockets)}
    assert ("127.0.0.1", port_of(sockets)) in [each.getsockname()[:2] for each in sockets]
    for each in sockets:
        each.close()


@pytest.mark.parametrize(
    ("database", "said"),
    [
        ("", "is a folder; name a file in it"),
        ("missing/roster.db", "does not exist: `mkdir -p"),
        ("notes.txt", "is not a SQLite database"),
        ("pipe", "is not a regular file"),
        ("notes.txt/roster.db", "does not exist"),
    ],
)
def test_a_path_that_cannot_be_a_database_ends_it(tmp_path: Path, database: str, said: str) -> None:
    (tmp_path / "notes.txt").write_text("Call Ann about the records.")
    os.mkfifo(tmp_path / "pipe")
    status, line = refusal(tmp_path, database=database)
    assert (status, said in line, str(tmp_path) in line) == (1, True, True), line


def test_a_file_that_this_user_cannot_read_ends_it(tmp_path: Path) -> None:
    # root reads every file; as another user neither the file nor its folder can be.
    (tmp_path / "roster.db").touch(0o000)
    code = (
        "import sys; from service.cli.serving.file import check_file; from service.settings import Settings\n"
        "import os; os.geteuid() or os.setuid(65534)\n"
        "check_file(Settings(database_url=sys.argv[1]))"
    )
    # Not by `run`: as another user it could not write which lines ran.
    command = [sys.executable, "-c", code, f"sqlite:///{tmp_path}/roster.db"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
    assert "roster.db cannot be read: Permission denied." in answer.stderr.splitlines()[-1]


def test_a_url_of_another_database_ends_it(tmp_path: Path) -> None:
    status, line = refusal(tmp_path, ROSTER_DATABASE_URL="mysql://ann@127.0.0.1/roster")
    assert (status, "mysql" in line) == (2, True)


async def test_a_schema_that_is_behind_is_a_warning_with_its_command(fresh_url: str, tmp_path: Path) -> None:
    await downgrade(fresh_url, f"{OLDEST}-1")
    log = tmp_path / "log"
    with serving(fresh_url, log) as (base, _):
        assert get(f"{base}/readyz").status_code == 503
        (line,) = lines_before_announcement(log)
        assert line.startswith("Warning:   The schema is older than this code works with: run `roster db upgrade`. ")
        assert line.endswith("Until then requests are answered with 503.")


def test_a_database_with_no_schema_is_upgraded_when_asked(empty_url: str, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with serving(empty_url, log) as (base, _):
        assert get(f"{base}/readyz").status_code == 503
        assert "run `roster db upgrade`" in "".join(lines_before_announcement(log))
    with serving(empty_url, log, "--upgrade") as (base, _):
        assert get(f"{base}/readyz").status_code == 200
        assert "Warning:" not in log.read_text()


def test_a_server_that_is_away_is_a_warning_without_its_password(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with serving("postgresql://ann:secret@127.0.0.1:1/none", log) as (base, _):
        assert get(f"{base}/livez").status_code == 200
        (line,) = lines_before_announcement(log)
        assert line.startswith("Warning:   The database none at 127.0.0.1:1 cannot be used:")
        assert "Start PostgreSQL, or correct the host and the port in ROSTER_DATABASE_URL" in line
        assert "secret" not in log.read_text()


def test_a_port_of_its_own_choice_is_printed_once_it_answers(tmp_path: Path) -> None:
    log = tmp_path / "log"
    env = environment(f"sqlite:///{tmp_path}/roster.db")
    with log.open("wb") as output:
        server = start("service", "serve", "--port=0", "--upgrade", env=env, stdout=subprocess.DEVNULL, stderr=output)
    try:
        assert get(f"{announced(log)}/users").status_code == 200
    finally:
        server.terminate()
    assert server.wait(START_SECONDS) == 0


def lines_before_announcement(log: Path) -> list[str]:
    """The sentences for people that stand before the address; log lines are JSON."""
    lines = log.read_text().partition("API:")[0].splitlines()
    return [line for line in lines if not line.startswith("{")]
