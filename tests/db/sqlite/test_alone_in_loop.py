"""Statements in the thread of an event loop in which nothing else runs, as a migration's; Ctrl-C ends them."""

import asyncio
import os
import signal
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from service.db.engine import Purpose, create_engine
from service.db.urls import parse_url
from service.migrate.run.locking.waiting import disposed

ENDLESS = "WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"


@pytest.fixture
def ctrl_c() -> Iterator[None]:
    """Python's own handler of SIGINT, which the shell lets a process in the background ignore."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def run(file: Path, work: Callable[[Connection], None]) -> None:
    """Run the work on a connection that stays in the loop."""

    def stay_and_work(connection: Connection) -> None:
        adapted: Any = connection.connection.dbapi_connection
        adapted.stay_in_loop()
        work(connection)

    async def main() -> None:
        engine = create_engine(parse_url(f"sqlite:///{file}"), Purpose.MIGRATE)
        async with disposed(engine), engine.connect() as connection:
            await connection.run_sync(stay_and_work)

    asyncio.run(main())


def rows(file: Path) -> list[Any]:
    with closing(sqlite3.connect(file)) as database:
        return database.execute("SELECT a FROM t ORDER BY a").fetchall()


def test_transactions_are_committed_and_rolled_back(tmp_path: Path) -> None:
    file = tmp_path / "roster.db"
    threads = set()

    def noted(value: int) -> int:
        threads.add(threading.current_thread())
        return value

    def work(connection: Connection) -> None:
        adapted: Any = connection.connection.dbapi_connection
        adapted.create_function("noted", 1, noted)
        connection.exec_driver_sql("CREATE TABLE t (a INTEGER UNIQUE)")
        connection.exec_driver_sql("INSERT INTO t VALUES (noted(1))")
        connection.commit()
        connection.exec_driver_sql("INSERT INTO t VALUES (2)")
        connection.rollback()
        connection.exec_driver_sql("INSERT INTO t VALUES (3)")
        with pytest.raises(IntegrityError):
            connection.exec_driver_sql("INSERT INTO t VALUES (1)")
        connection.rollback()

    run(file, work)
    assert rows(file) == [(1,)]
    assert threads == {threading.main_thread()}


@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_ends_a_long_statement_and_its_transaction(tmp_path: Path) -> None:
    file = tmp_path / "roster.db"

    def work(connection: Connection) -> None:
        connection.exec_driver_sql("CREATE TABLE t (a INTEGER)")
        connection.commit()
        connection.exec_driver_sql("INSERT INTO t VALUES (1)")
        threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT)).start()
        connection.exec_driver_sql(ENDLESS)

    with pytest.raises(KeyboardInterrupt):
        run(file, work)
    assert rows(file) == []


@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_ends_a_run_of_short_statements(tmp_path: Path) -> None:
    file = tmp_path / "roster.db"

    def work(connection: Connection) -> None:
        connection.exec_driver_sql("CREATE TABLE t (a INTEGER)")
        connection.commit()
        os.kill(os.getpid(), signal.SIGINT)
        while True:
            connection.exec_driver_sql("INSERT INTO t VALUES (1)")

    with pytest.raises(KeyboardInterrupt):
        run(file, work)
    assert rows(file) == []
