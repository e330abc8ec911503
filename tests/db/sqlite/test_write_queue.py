"""Processes that write to one SQLite file take turns, and none waits longer than its limit."""

import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from service.db.sqlite.connection import BEGIN_IMMEDIATE, FileConnection
from service.db.sqlite.file import SqliteFile
from service.db.sqlite.write_queue import WriteQueue

ROUNDS = 60


@pytest.fixture
def file(tmp_path: Path) -> SqliteFile:
    file = SqliteFile.of(str(tmp_path / "roster.db"))
    file.create()
    opened(file).close()
    return file


def opened(file: SqliteFile, *, busy_seconds: float = 10) -> FileConnection:
    # Each has its own descriptor, which for flock is equivalent to its own process.
    return FileConnection.open(file, {"journal_mode": "WAL"}, writes=True, busy_seconds=busy_seconds)


def begin(connection: FileConnection) -> None:
    connection.cursor().execute(BEGIN_IMMEDIATE)


def test_a_writer_knows_whether_another_process_waits_for_it(file: SqliteFile) -> None:
    writing, other = opened(file), WriteQueue(str(file.path))
    begin(writing)
    assert not writing.is_awaited()
    assert other.enter(time.monotonic())
    assert writing.is_awaited()
    other.leave()
    assert not writing.is_awaited()
    # To ask is not to queue.
    assert other.enter(time.monotonic())
    for each in (writing, other):
        each.close()


def test_a_writer_that_asks_again_at_once_overtakes_nobody(file: SqliteFile) -> None:
    eager, patient, look = opened(file), opened(file), WriteQueue(str(file.path))
    served: list[str] = []

    def write(connection: FileConnection, name: str) -> None:
        begin(connection)
        served.append(name)
        connection.commit()

    for _ in range(ROUNDS):
        begin(eager)
        waiting = threading.Thread(target=write, args=(patient, "patient"))
        waiting.start()
        patience = time.monotonic() + 10
        while look.enter(time.monotonic()):
            look.leave()
            assert time.monotonic() < patience
            time.sleep(0.001)
        # The patient one is at the head of the queue.
        eager.commit()
        write(eager, "eager")
        waiting.join()
    assert served == ["patient", "eager"] * ROUNDS
    for each in (look, eager, patient):
        each.close()


def test_a_writer_waits_no_longer_than_it_is_told(file: SqliteFile) -> None:
    holder, head, behind = opened(file), opened(file, busy_seconds=0.3), opened(file, busy_seconds=0.1)
    begin(holder)
    failures: list[sqlite3.OperationalError] = []

    def wait() -> None:
        with pytest.raises(sqlite3.OperationalError) as failure:
            begin(head)
        failures.append(failure.value)

    waiting = threading.Thread(target=wait)
    waiting.start()
    time.sleep(0.05)
    started = time.monotonic()
    with pytest.raises(sqlite3.OperationalError, match="database is locked") as failure:
        begin(behind)
    assert 0.1 <= time.monotonic() - started < 0.3
    waiting.join()
    for each in (failure.value, *failures):
        assert each.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
    holder.commit()
    begin(behind)
    behind.commit()
    assert behind.execute("PRAGMA busy_timeout").fetchone() == (100,)
    for connection in (holder, head, behind):
        connection.close()


def test_a_process_that_is_killed_at_the_head_holds_up_nobody(file: SqliteFile) -> None:
    program = f"""
import time
from service.db.sqlite.write_queue import WriteQueue
print(WriteQueue({str(file.path)!r}).enter(time.monotonic()), flush=True)
time.sleep(60)
"""
    other = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert other.stdout is not None
    assert other.stdout.readline() == "True\n"
    queue = WriteQueue(str(file.path))
    assert not queue.enter(time.monotonic())
    other.kill()
    other.wait()
    other.stdout.close()
    assert queue.enter(time.monotonic() + 1)
    queue.close()


def test_a_queue_file_that_was_removed_is_made_anew(file: SqliteFile) -> None:
    one, two = WriteQueue(str(file.path)), WriteQueue(str(file.path))
    assert one.enter(time.monotonic())
    one.leave()
    two.close()
    Path(f"{file.path}-queue").unlink()
    assert two.enter(time.monotonic())
    assert not one.enter(time.monotonic())
    two.leave()
    assert one.enter(time.monotonic())
    one.close()
    two.close()


def test_where_no_file_can_be_made_writers_go_on_without_one(tmp_path: Path) -> None:
    queue = WriteQueue(str(tmp_path / "none/roster.db"))
    assert queue.enter(time.monotonic())
    queue.leave()
    queue.close()


def test_the_queue_s_file_is_for_its_owner_and_goes_with_the_last_connection(file: SqliteFile) -> None:
    connection = opened(file)
    begin(connection)
    connection.rollback()
    path = Path(f"{file.path}-queue")
    assert path.stat().st_mode & 0o777 == 0o600
    connection.close()
    assert sorted(each.name for each in file.path.parent.iterdir()) == ["roster.db"]
