"""Sampling of a PostgreSQL server: what waits for the migrator, and which blocking locks the migrator holds.

`python -m service.migrate.proof.rehearse.locks URL` takes the commands of `messages` on its standard input.
"""

import asyncio
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import asyncpg

from service.migrate.proof.rehearse import child
from service.migrate.proof.rehearse.messages import Begun, Locks, Stop, Watch

_RECONNECT_SECONDS = 0.002
# The last one is what a query meets whose connection the server ended while it was idle.
_INTERRUPTED = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
# Who is blocked by the migrator, itself or by a lock that it waits for; and its locks that requests wait for.
_SAMPLE = """
WITH migrator AS MATERIALIZED (SELECT pid FROM pg_stat_activity WHERE application_name = ANY ($1::text[])),
l AS MATERIALIZED (SELECT * FROM pg_locks WHERE NOT granted OR pid IN (SELECT pid FROM migrator))
SELECT l.pid || ' ' || coalesce(l.virtualtransaction, '') AS key, false AS is_held,
       coalesce(extract(epoch FROM clock_timestamp() - l.waitstart), 0)::float8 AS seconds,
       coalesce(l.relation::regclass::text, l.locktype) || ' ' || l.mode AS what
FROM l WHERE NOT l.granted AND l.pid NOT IN (SELECT pid FROM migrator)
  AND pg_blocking_pids(l.pid) && ARRAY(SELECT pid FROM migrator)
UNION ALL
SELECT l.virtualtransaction || ' ' || l.relation::regclass::text, true, 0.0, l.relation::regclass::text || ' ' || l.mode
FROM l WHERE l.granted AND l.locktype = 'relation' AND l.relation::oid = ANY ($2::oid[])
  AND l.mode IN ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
"""


@dataclass(kw_only=True)
class Longest:
    """The longest wait and the longest hold among samples."""

    waited: tuple[float, str] = (0.0, "")
    held: tuple[float, str] = (0.0, "")
    samples: int = 0
    # The longest time between two samples: how long this machine kept a process that had to run from running.
    gap: float = 0.0
    _last: float | None = None
    _since: dict[str, float] = field(default_factory=dict)

    def add(self, rows: Iterable[Mapping[str, Any]], moment: float) -> None:
        """Take a sample; a lock counts as held from the first sample that has it to the last."""
        self.samples += 1
        self.gap = max(self.gap, moment - (moment if self._last is None else self._last))
        self._last = moment
        held = set()
        for row in rows:
            if row["is_held"]:
                held.add(row["key"])
                self.held = max(self.held, (moment - self._since.setdefault(row["key"], moment), row["what"]))
            else:
                self.waited = max(self.waited, (row["seconds"], row["what"]))
        self._since = {key: since for key, since in self._since.items() if key in held}


async def _watch(url: str, watch: Watch, stopped: asyncio.Event, longest: Longest, begun: Callable[[], None]) -> None:
    connection = await asyncpg.connect(url, server_settings={"application_name": "rehearse locks", "jit": "off"})
    try:
        oids = await connection.fetchval(
            "SELECT array_agg(oid) FROM pg_class WHERE relname = ANY ($1::text[]) AND relkind IN ('r', 'p')",
            list(watch.tables),
        )
        sample = await connection.prepare(_SAMPLE)
        while not stopped.is_set():
            rows = await sample.fetch(list(watch.migrators), oids or [])
            if not longest.samples:
                begun()
            longest.add(map(dict, rows), perf_counter())
            with suppress(TimeoutError):
                await asyncio.wait_for(stopped.wait(), watch.pause_seconds)
    except BaseException:
        # close() fails while a query is open, which a server that ends may leave so.
        connection.terminate()
        raise
    await connection.close()


async def main(url: str) -> None:
    stopped, watching = asyncio.Event(), None
    async for command in child.commands(Watch | Stop):
        if isinstance(command, Watch):
            stopped = asyncio.Event()
            watching = asyncio.ensure_future(watched(url, command, stopped, Longest(), lambda: child.answer(Begun())))
        elif watching is not None:
            stopped.set()
            child.answer(await watching)


async def watched(url: str, watch: Watch, stopped: asyncio.Event, longest: Longest, begun: Callable[[], None]) -> Locks:
    """Watch until stopped, again after the server was restarted; `begun` is called after the first sample."""
    began = perf_counter()
    while not stopped.is_set():
        try:
            await _watch(url, watch, stopped, longest, begun)
        except _INTERRUPTED:
            if not longest.samples:
                raise
            await asyncio.sleep(_RECONNECT_SECONDS)
    return Locks(
        waited_ms=round(1000 * longest.waited[0], 3),
        held_ms=round(1000 * longest.held[0], 3),
        gap_ms=round(1000 * longest.gap, 3),
        waiting=longest.waited[1],
        holding=longest.held[1],
        samples=longest.samples,
        seconds=round(perf_counter() - began, 3),
    )


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
