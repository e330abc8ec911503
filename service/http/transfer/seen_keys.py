"""The unique keys of the lines read so far, in a temporary SQLite database of any size."""

from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from hashlib import blake2b
from types import TracebackType
from typing import Self

import msgspec

from service.http.transfer.spool import Spool, in_thread, spool_errors

# The part of the database that is held in memory.
_CACHE_KIB = 16 * 1024
# Two of 2**48 keys are expected to share a digest; short keys keep the B-tree small.
_DIGEST_BYTES = 12


class SeenKeys:
    """Stores for each key whether a row of the file has it (True) or gave it up (False), until the context is left."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self._database = self._stack.enter_context(self._spool.database())
        self._database.execute("PRAGMA journal_mode = OFF")
        self._database.execute("PRAGMA synchronous = OFF")
        self._database.execute("PRAGMA locking_mode = EXCLUSIVE")
        self._database.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        self._database.execute("CREATE TABLE keys (digest TEXT PRIMARY KEY, held INTEGER) WITHOUT ROWID")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, failure: BaseException | None, at: TracebackType | None
    ) -> None:
        self._stack.close()

    async def read(self, keys: Iterable[str]) -> dict[str, bool]:
        """Return the stored state of these keys; keys that no line had are missing.

        Raises:
            NoSpace: the disk is full.
        """
        with spool_errors():
            return await in_thread(self._read, [*keys])

    async def write(self, keys: Mapping[str, bool]) -> None:
        """Store the state of these keys; raises as `read`."""
        if keys:
            with spool_errors():
                await in_thread(self._write, keys)

    def _read(self, keys: list[str]) -> dict[str, bool]:
        digests = {_digest(key): key for key in keys}
        # Sorted as in the B-tree: neighbours are on one page.
        wanted = msgspec.json.encode(sorted(digests)).decode()
        rows = self._database.execute(
            "SELECT digest, held FROM keys WHERE digest IN (SELECT value FROM json_each(?))", (wanted,)
        )
        return {digests[digest]: bool(held) for digest, held in rows}

    def _write(self, keys: Mapping[str, bool]) -> None:
        rows = sorted((_digest(key), held) for key, held in keys.items())
        self._database.execute("BEGIN")
        self._database.executemany("INSERT OR REPLACE INTO keys VALUES (?, ?)", rows)
        self._database.execute("COMMIT")


def _digest(key: str) -> str:
    return blake2b(key.encode(), digest_size=_DIGEST_BYTES).hexdigest()
