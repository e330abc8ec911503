"""The keys of which a file has spoken so far, on disk, however many they are."""

from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from hashlib import blake2b
from types import TracebackType
from typing import Self

import msgspec

from service.http.transfer.spool import Spool, in_thread, told

# No more of it is held in memory, however many keys there are.
_CACHE_KIB = 16 * 1024
# Two keys in 2**48 share a digest; short keys of one length keep the tree small.
_DIGEST_BYTES = 12


class Ledger:
    """Remembers for each key whether the file gave it to a row or set it free; gone when it is left."""

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
        """Return what is known of these keys.

        Raises:
            NoSpace: the disk is full.
        """
        with told():
            return await in_thread(self._read, [*keys])

    async def write(self, keys: Mapping[str, bool]) -> None:
        """Remember these keys as they are now; raises as `read`."""
        if keys:
            with told():
                await in_thread(self._write, keys)

    def _read(self, keys: list[str]) -> dict[str, bool]:
        digests = {_digest(key): key for key in keys}
        # In the order of the tree, neighbours are found on one page.
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
