"""The keys of which a file has spoken so far, on disk, however many they are."""

import asyncio
import sqlite3
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Self

import msgspec


class Ledger:
    """Remembers for each key whether the file gave it to a row or set it free; gone when it is left."""

    def __enter__(self) -> Self:
        # The empty name is a temporary file of SQLite's own, which spills to disk and goes with the connection.
        self._database = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._database.execute("PRAGMA journal_mode = OFF")
        self._database.execute("CREATE TABLE keys (key TEXT PRIMARY KEY, held INTEGER) WITHOUT ROWID")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, failure: BaseException | None, at: TracebackType | None
    ) -> None:
        self._database.close()

    async def read(self, keys: Iterable[str]) -> dict[str, bool]:
        """Return what is known of these keys."""
        return await asyncio.to_thread(self._read, [*keys])

    async def write(self, keys: Mapping[str, bool]) -> None:
        """Remember these keys as they are now."""
        await asyncio.to_thread(self._write, [*keys.items()])

    def _read(self, keys: list[str]) -> dict[str, bool]:
        rows = self._database.execute(
            "SELECT key, held FROM keys WHERE key IN (SELECT value FROM json_each(?))",
            (msgspec.json.encode(keys).decode(),),
        )
        return {key: bool(held) for key, held in rows}

    def _write(self, keys: list[tuple[str, bool]]) -> None:
        self._database.execute("BEGIN")
        self._database.executemany(
            "INSERT INTO keys VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET held = excluded.held", keys
        )
        self._database.execute("COMMIT")
