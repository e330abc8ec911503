"""Several processes and one supervisor: kills, signals, restarts, and what is left behind."""

import json
import os
import re
import signal
import socket
import time
from pathlib import Path
from typing import Any

import pytest

from tests.cli.servers import START_SECONDS, environment, get, serving, until
from tests.conftest import copy_of
from tests.http.sockets import Line, request
from tests.preloaded import WORKERS_ANEW
from tests.programs import run, start

pytestmark = pytest.mark.slow

TWENTY = 'roster_request_seconds_count{method="GET",route="/v1/users",status="200"} 20.0'
GAUGE = 'roster_pool_connections{purpose="read",state="idle"} '


def events(log: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{") and line.endswith("}")]


def started(log: Path) -> list[int]:
    """The pids of all workers that were started so far, in turn."""
    return [each["pid"] for each in events(log) if each["event"] == "worker started"]


def serving_now(log: Path) -> set[int]:
    said = [re.search(r"(Started|Finished) server process \[(\d+)", each["event"]) for each in events(log)]
    by_word = {word: {int(each[2]) for each in said if each and each[1] == word} for word in ("Started", "Finished")}
    return {pid for pid in by_word["Started"] - by_word["Finished"] if runs(pid)}


def runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def folders(folder: Path) -> list[Path]:
    return list(folder.glob("roster-metrics-*"))


def is_free(base: str) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", int(base.rpartition(":")[2])))
        except OSError:
            return False
        return True


@pytest.fixture
def temporary(tmp_path: Path) -> Path:
    """A folder for temporary files that only this test's servers use."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    return folder


@pytest.fixture
def url(sqlite_template_url: str, tmp_path: Path) -> str:
    return copy_of(sqlite_template_url, tmp_path)


def test_a_killed_worker_is_replaced_and_no_longer_counted(url: str, tmp_path: Path, temporary: Path) -> None:
    log = tmp_path / "log"
    with serving(url, log, "--workers=2", TMPDIR=str(temporary)) as (base, _):
        until(lambda: len(serving_now(log)) == 2)
        (folder,) = folders(temporary)
        for _ in range(20):
            get(f"{base}/v1/users").raise_for_status()
        # A request is counted after its answer, and each worker shares its gauge once a second, asked or not.
        until(lambda: TWENTY in get(f"{base}/metrics").text and len(list(folder.glob("gauge_*"))) == 2)
        first = started(log)[0]
        os.kill(first, signal.SIGKILL)
        until(lambda: len(serving_now(log)) == 2 and len(started(log)) == 3)
        assert [each["how"] for each in events(log) if each["event"] == "worker ended"] == ["killed by SIGKILL"]
        assert not list(folder.glob(f"*_{first}.db"))
        figures = get(f"{base}/metrics").text
        assert TWENTY in figures
        idle = float(figures.partition(GAUGE)[2].split()[0])
        assert idle <= 2 * 4
    assert folders(temporary) == []


def test_a_hangup_replaces_the_workers_and_sigterm_ends_them_without_a_failed_request(
    url: str, tmp_path: Path, temporary: Path
) -> None:
    log = tmp_path / "log"
    with serving(url, log, "--workers=2", TMPDIR=str(temporary)) as (base, process):
        until(lambda: len(serving_now(log)) == 2)
        process.send_signal(signal.SIGHUP)
        port = int(base.rpartition(":")[2])
        # The clients connect, and ask while or after the worker that accepted them is told to end.
        clients = [Line(port) for _ in range(8)]

        def replaced() -> bool:
            for each in clients:
                with each:
                    each.send(request("/v1/users", "Connection: close"))
                    assert each.hear().status == 200
            clients[:] = [Line(port) for _ in clients]
            return "the workers were replaced" in log.read_text()

        until(replaced)
        for each in clients:
            each.socket.close()
        assert serving_now(log) == set(started(log)[2:])
        assert len(started(log)) == 4
        with half_a_request(base) as line:
            process.terminate()
            until(lambda: is_free(base))
            line.sendall(b'"ann@example.org"}')
            assert line.recv(65536).startswith(b"HTTP/1.1 201")
        assert process.wait(START_SECONDS) == 0


def test_a_killed_supervisor_takes_its_workers_along(url: str, tmp_path: Path, temporary: Path) -> None:
    log = tmp_path / "log"
    with serving(url, log, "--workers=2", TMPDIR=str(temporary)) as (base, process):
        until(lambda: len(serving_now(log)) == 2)
        with half_a_request(base) as line:
            process.kill()
            until(lambda: is_free(base))
            line.sendall(b'"ann@example.org"}')
            # The worker that reads it finishes it.
            assert line.recv(65536).startswith(b"HTTP/1.1 201")
        until(lambda: not any(runs(pid) for pid in started(log)))
        (left,) = folders(temporary)
    with serving(url, log, "--workers=2", TMPDIR=str(temporary)) as (_, process):
        (own,) = folders(temporary)
        assert own != left
        # Beside a live one, another server starts and leaves its folder alone.
        with serving(url, tmp_path / "second", "--workers=2", TMPDIR=str(temporary)):
            assert own in folders(temporary)
            assert len(folders(temporary)) == 2
    assert folders(temporary) == []


def test_a_second_sigterm_ends_workers_at_once(url: str, tmp_path: Path) -> None:
    with serving(url, tmp_path / "log", "--workers=2") as (base, process):
        with half_a_request(base):
            process.terminate()
            until(lambda: is_free(base))
            process.send_signal(signal.SIGTERM)
            assert process.wait(5) == 128 + signal.SIGTERM
        assert not any(runs(pid) for pid in started(tmp_path / "log"))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_a_single_process_at_once(url: str, tmp_path: Path, number: signal.Signals) -> None:
    with serving(url, tmp_path / "log") as (base, process), half_a_request(base):
        process.send_signal(number)
        until(lambda: is_free(base))
        process.send_signal(number)
        assert process.wait(5) == 128 + number


def test_a_drain_that_is_over_ends_with_status_0(url: str, tmp_path: Path) -> None:
    for options in ([], ["--workers=2"]):
        with (
            serving(url, tmp_path / "log", *options, ROSTER_DRAIN_SECONDS="1") as (base, process),
            half_a_request(base),
        ):
            process.terminate()
            assert process.wait(10) == 0


def test_one_process_stays_on_a_hangup_until_its_terminal_is_closed(url: str, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with serving(url, log) as (base, process):
        process.send_signal(signal.SIGHUP)
        until(lambda: "SIGHUP ignored" in log.read_text())
        assert get(f"{base}/livez").status_code == 200
    primary, secondary = os.openpty()
    with log.open("wb") as output:
        process = start(
            "-c", TERMINAL, "serve", "--port=0", stdin=secondary, stdout=output, stderr=output, env=environment(url)
        )
    os.close(secondary)
    until(lambda: "API:" in log.read_text())
    process.send_signal(signal.SIGHUP)
    until(lambda: "SIGHUP ignored" in log.read_text())
    os.close(primary)
    assert process.wait(10) == 0


# Makes standard input the controlling terminal, as a shell's is.
TERMINAL = """
import fcntl, os, runpy, termios
os.setsid()
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
runpy.run_module("service", run_name="__main__", alter_sys=True)
"""


def test_workers_that_cannot_start_end_the_server_with_the_reason(tmp_path: Path) -> None:
    # A worker's interpreter finds this module, as it would find one of a broken installation.
    (tmp_path / "sitecustomize.py").write_text(BROKEN)
    env = environment(f"sqlite:///{tmp_path}/roster.db", **{"PYTHONPATH": str(tmp_path), WORKERS_ANEW: "1"})
    answer = run("service", "serve", "--port=0", "--workers=2", env=env, timeout=30)
    assert answer.returncode == 1
    assert "Error: No worker could start: process" in answer.stderr
    assert "no more memory" in answer.stderr
    assert "API:" not in answer.stderr


BROKEN = """
import sys
if "spawn_main" in str(sys.orig_argv):
    raise SystemExit("no more memory")
"""


def half_a_request(base: str) -> socket.socket:
    """A connection with an incomplete request; the missing part is `"ann@example.org"}`."""
    line = socket.create_connection(("127.0.0.1", int(base.rpartition(":")[2])))
    head = "POST /v1/users HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 43\r\n\r\n"
    line.sendall(head.encode() + b'{"name": "Ann", "email": ')
    get(f"{base}/livez").raise_for_status()
    time.sleep(0.2)
    return line
