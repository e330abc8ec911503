"""Kills of the migrator by itself: inside of statements that take long, and before each COMMIT."""

import asyncio
import os
import re
import signal
import threading
from typing import Any

import asyncpg
from sqlalchemy import Connection, Engine, event

from service.migrate.proof.rehearse import child
from service.migrate.proof.rehearse.messages import Done

# What changes nothing is no step.
_READS = ("SELECT", "SET", "SHOW", "RESET", "PRAGMA", "BEGIN", "WITH")
# A server goes on with these for a while after its client is gone, beside the migrator that is started again.
_LONG = re.compile(
    r"(CREATE|DROP)\b.*\bINDEX CONCURRENTLY\b|UPDATE |DELETE |INSERT .*\bSELECT\b|ALTER .*\bVALIDATE\b", re.DOTALL
)
_IS_RUNNING = """
SELECT EXISTS (SELECT FROM pg_stat_progress_create_index WHERE pid = $1)
  OR EXISTS (SELECT FROM pg_stat_activity
             WHERE pid = $1 AND state = 'active' AND left(query, 100) = $2 AND query NOT LIKE 'CREATE %CONCURRENTLY%')
"""
_LONGEST = 500
_CONNECT_SECONDS = 10.0
# SQLite has no other session to ask whether a statement runs.
_INSIDE_SECONDS = 0.001


class Killer:
    """Kills this process once at each point that no earlier process was killed at."""

    def __init__(self, url: str, seen: tuple[str, ...]) -> None:
        self._url = url
        self._seen = set(seen)
        self._said: list[str] = []
        self._running = ""
        self._is_ended = threading.Event()
        self._dying = threading.Lock()
        event.listen(Engine, "before_cursor_execute", self._before)
        event.listen(Engine, "after_cursor_execute", self._after)
        event.listen(Engine, "commit", self._commit)
        event.listen(Engine, "rollback", self._rollback)

    def _before(self, connection: Connection, _cursor: Any, statement: str, *_: Any) -> None:
        said = " ".join(statement.split())
        if not said.startswith(_READS):
            self._said.append(said)
        point = f"in {said}"[:_LONGEST]
        # The ledger is written before and after each step, in the same words for all steps.
        if not _LONG.match(said) or "migration_" in said or point in self._seen:
            return
        self._running = point
        self._is_ended.clear()
        ready = threading.Event()
        watch = self._watch_file if connection.dialect.name == "sqlite" else self._watch_server
        driver: Any = connection.connection.driver_connection
        threading.Thread(target=watch, args=(driver, statement, ready), daemon=True).start()
        ready.wait(_CONNECT_SECONDS)

    def _after(self, *_: Any) -> None:
        self._is_ended.set()
        if self._running:
            self._kill(self._running)

    def _commit(self, _connection: Connection) -> None:
        said = [each for each in self._said if "migration_" not in each]
        self._said.clear()
        point = "; ".join(said)[:_LONGEST]
        if point and point not in self._seen:
            self._kill(point)

    def _rollback(self, _connection: Connection) -> None:
        # A statement that failed is met again when it is tried again.
        self._said.clear()
        self._running = ""
        self._is_ended.set()

    def _kill(self, point: str) -> None:
        with self._dying:
            child.answer(Done(killed_at=point))
            os.kill(os.getpid(), signal.SIGKILL)

    def _watch_file(self, _driver: Any, _statement: str, ready: threading.Event) -> None:
        ready.set()
        if not self._is_ended.wait(_INSIDE_SECONDS):
            self._kill(self._running)

    def _watch_server(self, driver: Any, statement: str, ready: threading.Event) -> None:
        asyncio.run(self._poll(driver.get_server_pid(), statement, ready))

    async def _poll(self, pid: int, statement: str, ready: threading.Event) -> None:
        connection = await asyncpg.connect(self._url, server_settings={"application_name": "rehearse killer"})
        try:
            asked = await connection.prepare(_IS_RUNNING)
            ready.set()
            while not self._is_ended.is_set():
                if await asked.fetchval(pid, statement[:100]):
                    self._kill(self._running)
        finally:
            ready.set()
            await connection.close()
