"""`roster db backup` and `roster db restore` on files of SQLite."""

import sqlite3
import stat
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import make_url

from service.cli import main
from service.db.backup import sqlite
from service.migrate.entrypoints.commands import head
from tests.conftest import copy_of

pytestmark = pytest.mark.slow


def test_a_sqlite_backup_is_one_moment_of_a_database_that_is_written_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = tmp_path / "roster.db"
    with closing(sqlite3.connect(database)) as connection:
        connection.executescript(
            "PRAGMA journal_mode = WAL; CREATE TABLE alembic_version (version_num); CREATE TABLE a (n, t); "
            "CREATE TABLE b (n); INSERT INTO alembic_version VALUES ('1');"
        )
        with connection:
            connection.executemany("INSERT INTO a VALUES (?, ?)", [(0, "x" * 1000)] * 3000)
    done, written = threading.Event(), 0

    def write() -> None:
        nonlocal written
        with closing(sqlite3.connect(database, timeout=10, isolation_level=None)) as connection:
            connection.execute("PRAGMA synchronous = OFF")
            while not done.is_set():
                written += 1
                connection.execute("BEGIN IMMEDIATE")
                connection.execute("UPDATE a SET n = ? WHERE rowid % 100 = 0", (written,))
                connection.execute("INSERT INTO b VALUES (?)", (written,))
                connection.execute("COMMIT")

    writer = threading.Thread(target=write)
    writer.start()
    # Many small steps, so that many commits come between them.
    monkeypatch.setattr(sqlite, "_PAGES", 5)
    steps: list[int] = []
    seen: list[int] = []

    def watch(copied: int, _total: int | None) -> None:
        steps.append(copied)
        seen.append(written)
        done.wait(0.001)

    try:
        sqlite.back_up(database, tmp_path / "copy", lambda _: None, watch)
    finally:
        done.set()
        writer.join()
    assert seen[-1] - seen[0] > 10
    # It did not begin anew at any of those commits.
    assert steps == sorted(steps)
    with closing(sqlite3.connect(tmp_path / "copy")) as copy:
        assert (
            copy.execute("SELECT DISTINCT n FROM a WHERE rowid % 100 = 0").fetchall()
            == copy.execute("SELECT coalesce(max(n), 0) FROM b").fetchall()
        )
        assert copy.execute("PRAGMA journal_mode").fetchone() == ("delete",)


def test_a_sqlite_file_that_is_open_is_not_replaced(sqlite_template_url: str, tmp_path: Path) -> None:
    url = copy_of(sqlite_template_url, tmp_path)
    run = CliRunner().invoke
    file = str(tmp_path / "copy")
    assert run(main, ["db", "backup", "--database", url, file]).exit_code == 0
    restore = ["db", "restore", "--database", url, file, "--force"]
    hold = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); print(c.execute('SELECT 1').fetchone()); input()"
    database = make_url(url).database or ""
    with subprocess.Popen(
        [sys.executable, "-c", hold, database], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout
        holder.stdout.readline()
        refused = run(main, restore)
        holder.communicate(b"\n")
    assert refused.exit_code == 1
    if Path("/proc/self/fd").exists():
        assert f"process {holder.pid}" in refused.output
    # SQLite detects the open file itself, where the system has no list of open files.
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("SELECT count(*) FROM users").fetchone()
        refused = run(main, restore)
        assert refused.exit_code == 1
        assert "is open in another process. Stop `roster serve`" in refused.output
    assert run(main, restore).exit_code == 0


def test_a_damaged_sqlite_database_is_neither_backed_up_nor_in_the_way(
    sqlite_template_url: str, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path / 'roster.db'}"
    run, file = CliRunner().invoke, str(tmp_path / "copy")
    assert run(main, ["db", "backup", "--database", url, file]).output == (
        f"Error: There is no file {tmp_path / 'roster.db'} to back up.\n"
    )
    assert copy_of(sqlite_template_url, tmp_path) == url
    assert run(main, ["db", "backup", "--database", url, file]).exit_code == 0
    database = tmp_path / "roster.db"
    content = bytearray(database.read_bytes())
    content[4096 * 5 : 4096 * 20] = b"\xff" * 4096 * 15
    database.write_bytes(content)
    database.chmod(0o640)
    refused = run(main, ["db", "backup", "--database", url, file, "--force"])
    assert refused.exit_code == 1
    assert str(database) in refused.output
    assert run(main, ["db", "restore", "--database", url, file]).exit_code == 1
    database.write_bytes(b"no database at all" * 1000)
    refused = run(main, ["db", "restore", "--database", url, file])
    assert "--force replaces it" in refused.output
    assert run(main, ["db", "restore", "--database", url, file, "--force"]).exit_code == 0
    assert stat.S_IMODE(database.stat().st_mode) == 0o640
    assert run(main, ["db", "current", "--database", url]).output == f"{head()}\n"


def test_a_restore_into_a_folder_that_is_not_there_names_the_folder(tmp_path: Path) -> None:
    backup = tmp_path / "backup"
    sqlite3.connect(backup).close()
    backup.write_bytes(b"SQLite format 3\0")
    url = f"sqlite:///{tmp_path}/none/roster.db"
    answer = CliRunner().invoke(main, ["db", "restore", str(backup), "--database", url])
    assert (answer.exit_code, answer.output) == (
        1,
        f"Error: The folder {tmp_path}/none of the database does not exist: `mkdir -p {tmp_path}/none`.\n",
    )
