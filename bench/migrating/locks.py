"""Sampling of pg_locks: the locks that the migrator holds, and the waits of requests.

`python -m bench.migrating.locks URL PAUSE` samples until stdin is closed, and prints `Locks`. PAUSE is the time between
two samples in seconds, at least two milliseconds.
"""

import asyncio
import sys
from time import perf_counter

import asyncpg
import msgspec

_LEAST_PAUSE_SECONDS = 0.002
# Locks of the migrator that block writers or all requests, and waits of the service.
_LOOK = """
SELECT l.virtualtransaction AS held_by, 0.0::float8 AS waits
FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid)
WHERE l.granted AND l.locktype = 'relation' AND l.mode IN ('ShareRowExclusiveLock', 'AccessExclusiveLock')
  AND a.application_name IN ('roster migrate', 'plain') AND l.relation::regclass::text IN ('users', 'people', 'notes')
UNION ALL
SELECT NULL, extract(epoch FROM clock_timestamp() - l.waitstart)
FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid)
WHERE NOT l.granted AND l.locktype = 'relation' AND a.application_name IN ('roster serve', 'roster read')
"""


class Locks(msgspec.Struct, frozen=True, kw_only=True):
    """The longest time that one blocking lock was held, the longest wait of a request, and the number of samples."""

    held_ms: float
    waited_ms: float
    looks: int


async def watch(url: str, pause_seconds: float) -> Locks:
    connection = await asyncpg.connect(url, server_settings={"application_name": "bench locks", "jit": "off"})
    ended = asyncio.ensure_future(asyncio.to_thread(sys.stdin.read))
    look = await connection.prepare(_LOOK)
    since: dict[str, float] = {}
    held = waited = 0.0
    looks = 0
    print("looking", flush=True)
    while not ended.done():
        rows = await look.fetch()
        moment = perf_counter()
        looks += 1
        for row in rows:
            if (holder := row["held_by"]) is not None:
                held = max(held, moment - since.setdefault(holder, moment))
            else:
                waited = max(waited, row["waits"] or 0.0)
        await asyncio.sleep(max(pause_seconds, _LEAST_PAUSE_SECONDS))
    await connection.close()
    return Locks(held_ms=1000 * held, waited_ms=1000 * waited, looks=looks)


if __name__ == "__main__":
    sys.stdout.buffer.write(msgspec.json.encode(asyncio.run(watch(sys.argv[1], float(sys.argv[2])))))
