"""Locks of a statement that cannot be in a transaction: held up where it waits, and looked at from another session.

CREATE INDEX CONCURRENTLY and its like commit several times, so their own session cannot look at their locks. A second
session therefore holds the lock of a writer on every table. The statement waits for that session before each of its
stages; meanwhile a third one reads which locks the statement holds or asks for. Then the writer's lock passes to a
fourth session, and the statement goes on to its next stage.
"""

import asyncio
import threading
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self, TypeVar

import asyncpg

from service.migrate.proof.trace.modes import mode_of

T = TypeVar("T")
# (oid of the relation, mode)
Seen = set[tuple[int, str]]

_POLL_SECONDS = 0.001
# An autovacuum gives its lock up after deadlock_timeout.
_FIRST_WAIT = "20s"
# A statement that is first in the queue for a stronger lock keeps the next writer out.
_NEXT_WAIT = "20ms"
_LOCKS = """
SELECT relation, mode, granted FROM pg_locks
WHERE pid = $1 AND (NOT granted OR (locktype = 'relation'
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())))
"""


@dataclass(kw_only=True)
class Gate:
    """Three sessions of a database, and the thread that they work in."""

    url: str
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop, init=False)
    _thread: threading.Thread = field(init=False)
    _sessions: list[asyncpg.Connection] = field(default_factory=list, init=False)
    _watching: asyncio.Task[Seen] | None = field(default=None, init=False)
    _ended: asyncio.Event = field(default_factory=asyncio.Event, init=False)

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._loop.run_forever, name="gate", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, failure: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.open()
        self._run(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def shut(self, pid: int, tables: Sequence[str]) -> None:
        """Hold up the next statement of the backend `pid` wherever it waits for writers of the tables."""
        self._run(self._shut(pid, tables))

    def open(self) -> Seen:
        """Let go; return the locks that the statement held or asked for where it was held up."""
        return self._run(self._open())

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _shut(self, pid: int, tables: Sequence[str]) -> None:
        while len(self._sessions) < 3:
            self._sessions.append(await asyncpg.connect(self.url, server_settings={"jit": "off"}))
        holder, spare, observer = self._sessions
        # It conflicts with itself: a statement that does not wait for writers waits for this one.
        await _hold(holder, tables, "SHARE UPDATE EXCLUSIVE", _FIRST_WAIT)
        self._ended.clear()
        self._watching = asyncio.ensure_future(self._watch(pid, tables, holder, spare, observer))

    async def _watch(
        self,
        pid: int,
        tables: Sequence[str],
        holder: asyncpg.Connection,
        spare: asyncpg.Connection,
        observer: asyncpg.Connection,
    ) -> Seen:
        seen: Seen = set()
        while not self._ended.is_set():
            locks = await observer.fetch(_LOCKS, pid)
            if all(each["granted"] for each in locks):
                await asyncio.sleep(_POLL_SECONDS)
                continue
            seen |= {(each["relation"], mode_of(each["mode"])) for each in locks if each["relation"] is not None}
            with suppress(asyncpg.LockNotAvailableError):
                await _hold(spare, tables, "ROW EXCLUSIVE", _NEXT_WAIT)
            await _let_go(holder)
            holder, spare = spare, holder
        await _let_go(holder)
        return seen

    async def _open(self) -> Seen:
        if self._watching is None:
            return set()
        self._ended.set()
        seen = await self._watching
        self._watching = None
        return seen

    async def _close(self) -> None:
        for each in self._sessions:
            await each.close()


async def _hold(session: asyncpg.Connection, tables: Sequence[str], mode: str, wait: str) -> None:
    """Lock the tables until `_let_go`; raises LockNotAvailableError and locks none if another session is first."""
    if not tables:
        return
    await session.execute(f"BEGIN; SET LOCAL lock_timeout = '{wait}'")
    try:
        await session.execute(f"LOCK TABLE {', '.join(tables)} IN {mode} MODE")
    except asyncpg.LockNotAvailableError:
        await session.execute("ROLLBACK")
        raise


async def _let_go(session: asyncpg.Connection) -> None:
    if session.is_in_transaction():
        await session.execute("ROLLBACK")
