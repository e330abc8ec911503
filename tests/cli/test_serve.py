import json
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import loopback
from tests.cli.servers import environment, get, serving, until
from tests.preloaded import WORKERS_ANEW
from tests.programs import run

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server(shared_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """The base URL and the log of a server on each database."""
    log = tmp_path_factory.mktemp("serve") / "log"
    with serving(shared_url, log) as (base, _):
        yield base, log


def test_tells_where_api_docs_and_data_are(server: tuple[str, Path]) -> None:
    base, log = server
    told = log.read_text()
    assert f"API:       {base}/v1" in told
    assert f"API docs:  {base}/docs" in told
    assert "Data:" in told
    assert "postgres:postgres" not in told
    assert "Access:    from this machine without a token, until an administrator exists" in told
    assert re.search(rf"^Setup:     {base}/setup#[A-Za-z0-9_-]{{32}} ", told, re.MULTILINE)
    assert f"Try:       curl -s {base}/v1/users\n" in told
    assert get(f"{base}/v1/users").json() == {"items": [], "next_cursor": None}
    assert get(f"{base}/readyz").json()["status"] == "ready"


def test_logs_each_request_as_one_line_with_its_id(server: tuple[str, Path]) -> None:
    base, log = server
    get(f"{base}/v1/users/7", headers={"x-request-id": "seven"})

    def logged() -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
        return [line for line in lines if line.get("request_id") == "seven"]

    # The line may come after the answer.
    (found,) = until(logged)
    assert found.pop("milliseconds") > 0
    assert found.pop("timestamp").endswith("Z")
    expected = {"event": "request", "level": "info", "request_id": "seven", "status": 404}
    assert found == expected | {"method": "GET", "path": "/v1/users/7"}


@pytest.mark.slow
def test_the_code_of_the_setup_url_is_known_to_every_worker_and_to_nobody_else(
    backend: str, fresh_url: str, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    # What other accounts may read of a process is the same on both databases; a forked one has no arguments of its own.
    anew = {WORKERS_ANEW: "1"} if backend == "sqlite" else {}
    with serving(fresh_url, log, "--workers=2", **anew) as (base, process):
        until(lambda: "Try:" in log.read_text())
        code = log.read_text().partition("/setup#")[2].split()[0]
        workers = [path for path in Path("/proc").glob("[0-9]*/cmdline") if b"spawn_main" in read_of(path)]
        assert len(workers) >= 2 or not anew
        ours = [*workers, Path(f"/proc/{process.pid}/cmdline")]
        assert [path for path in ours if code.encode() in read_of(path) + read_of(path.with_name("environ"))] == []
        asked = {"code": code, "name": "Ann", "email": "ann@example.org", "password": "correct horse battery"}
        made = loopback.post(f"{base}/v1/setup", json=asked)
        assert made.status_code == 201
        time.sleep(1)
        for _ in range(10):
            assert get(f"{base}/v1/users").status_code == 401
        assert loopback.post(f"{base}/v1/setup", json=asked | {"email": "eve@example.org"}).status_code == 409
    with serving(fresh_url, log) as (base, _):
        told = log.read_text()
        assert "Access:    with a token of a user" in told
        assert "/setup#" not in told


def read_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        # The process has ended, or is another user's.
        return b""


def test_finishes_running_requests_before_it_ends(fresh_url: str, tmp_path: Path) -> None:
    body = json.dumps({"name": "Ann", "email": "ann@example.org"}).encode()
    with serving(fresh_url, tmp_path / "log") as (base, process):
        port = int(base.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port)) as line:
            lines = ["POST /v1/users HTTP/1.1", "Host: localhost", "Content-Type: application/json"]
            head = "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""])
            line.sendall(head.encode() + body[:5])
            # Answered on another line, so the server has read what this one sent before.
            get(f"{base}/livez").raise_for_status()
            process.send_signal(signal.SIGTERM)
            _wait_until_refused(port)
            line.sendall(body[5:])
            assert line.recv(65536).startswith(b"HTTP/1.1 201")
        started = time.monotonic()
        assert process.wait(10) == 0
        assert time.monotonic() - started < 5


def test_counts_the_requests_of_all_its_processes(postgresql_shared_url: str, tmp_path: Path) -> None:
    # test_serve_workers.py counts them on SQLite.
    with serving(postgresql_shared_url, tmp_path / "log", "--workers=2") as (base, _):
        for _ in range(40):
            get(f"{base}/v1/departments").raise_for_status()
        figures = get(f"{base}/metrics").text
        line = 'roster_request_seconds_count{method="GET",route="/v1/departments",status="200"} 40.0'
        assert line in figures


def test_binds_nothing_but_loopback_without_an_administrator(tmp_path: Path) -> None:
    for options in ((), ("--upgrade",)):
        answer = _serve(tmp_path, "--host=0.0.0.0", *options)
        assert answer.returncode == 2
        assert "no administrator exists yet. Run `roster token create --role admin" in answer.stderr
        assert "Traceback" not in answer.stderr


def test_a_setting_that_is_gone_names_what_takes_its_place(tmp_path: Path) -> None:
    answer = _serve(tmp_path, "--host=0.0.0.0", ROSTER_TRUSTED_NETWORK="true")
    assert answer.returncode == 2
    assert answer.stderr.startswith("Error: ROSTER_TRUSTED_NETWORK is no longer a setting: remove it;")
    assert "ROSTER_BOOTSTRAP_TOKEN" in answer.stderr


def test_a_short_bootstrap_token_is_refused_and_not_shown(tmp_path: Path) -> None:
    answer = _serve(tmp_path, ROSTER_BOOTSTRAP_TOKEN="hunter2")
    assert answer.returncode == 2
    assert "ROSTER_BOOTSTRAP_TOKEN: it must be 32 to 200 letters" in answer.stderr
    assert "hunter2" not in answer.stderr


def test_says_what_an_address_looks_like(tmp_path: Path) -> None:
    answer = _serve(tmp_path, "--host=example.org")
    assert answer.returncode == 2
    assert "--host is 'example.org'; an address such as 127.0.0.1 or ::1 is expected." in answer.stderr


def test_tells_every_wrong_setting_at_once(tmp_path: Path) -> None:
    answer = _serve(tmp_path, ROSTER_POOL_SIZE="many", ROSTER_NOPE="1", ROSTER_LOG_LEVEL="loud")
    assert answer.returncode == 2
    for part in ("ROSTER_POOL_SIZE is 'many'", "ROSTER_NOPE is not a setting", "ROSTER_LOG_LEVEL is 'loud'"):
        assert part in answer.stderr
    assert "Traceback" not in answer.stderr


def test_prints_its_version_for_machines() -> None:
    answer = run("service", "version", "--json")
    assert json.loads(answer.stdout).keys() == {"name", "version", "python"}


def test_teaches_the_commands() -> None:
    answer = run("service", "--help")
    for command in ("db", "export", "import", "openapi", "serve", "version"):
        assert f"\n  {command} " in answer.stdout


def _serve(folder: Path, *options: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return run("service", "serve", "--port=0", *options, env=environment(f"sqlite:///{folder}/roster.db", **settings))


def _wait_until_refused(port: int) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            return
        time.sleep(0.02)
    raise AssertionError("The server went on accepting connections.")
