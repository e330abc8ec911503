"""Databases in states with which many tests begin: a process reaches each state twice, and copies it afterwards."""

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import make_url

from tests.alembic.store import Store
from tests.postgres import copy_lastingly, drop_database, is_of_session, replace_database, session_url

State = tuple[str, ...]
# A row that somebody wrote is younger than those that a new database has from template0.
_WRITTEN = "xmin::text::bigint >= (SELECT datfrozenxid::text::bigint FROM pg_database WHERE datname = 'template0')"
_CATALOGS = ("class", "default_acl", "event_trigger", "extension", "namespace", "proc", "publication", "type")
_UNTOUCHED = f"""
    SELECT datacl IS NULL
        AND NOT EXISTS (SELECT FROM pg_db_role_setting WHERE setdatabase = pg_database.oid)
        AND NOT EXISTS (SELECT FROM pg_stat_activity WHERE datid = pg_database.oid AND pid <> pg_backend_pid())
        {"".join(f"AND NOT EXISTS (SELECT FROM pg_{each} WHERE {_WRITTEN}) " for each in _CATALOGS)}
    FROM pg_database WHERE datname = current_database()
"""
# Of one kind; a database of PostgreSQL takes 8 MB.
MOST = 12


@dataclass(frozen=True, kw_only=True)
class Reached:
    """The content of SQLite files, or the URLs of PostgreSQL databases that no test uses, the latest used last."""

    _kept: OrderedDict[State, bytes | str] = field(default_factory=OrderedDict)
    _met: set[State] = field(default_factory=set)

    async def reach(self, store: Store, state: State, way: Callable[[], Awaitable[None]]) -> None:
        """Bring the database to the state, whose words tell all that was done to an empty one."""
        state = (store.backend, *state)
        if state in self._kept:
            self._kept.move_to_end(state)
            await store.close()
            await _replace(store, self._kept[state])
            await store.connect()
            return
        await way()
        if state in self._met:
            await store.close()
            self._kept[state] = await _copy(store)
            await store.connect()
            await self._make_room(store.backend)
        self._met.add(state)

    async def _make_room(self, backend: str) -> None:
        kept = [state for state in self._kept if state[0] == backend]
        for state in kept[:-MOST]:
            content = self._kept.pop(state)
            if isinstance(content, str):
                await drop_database(session_url(), content)


REACHED = Reached()


async def is_empty(store: Store) -> bool:
    """Whether the database may be replaced: nothing has been done to it, and a PostgreSQL is the session's own."""
    if store.backend == "postgresql":
        return is_of_session(store.url) and bool(await store.value(_UNTOUCHED))
    file = _file_of(store)
    return not file.exists() or not file.stat().st_size


async def _replace(store: Store, content: bytes | str) -> None:
    if isinstance(content, bytes):
        _file_of(store).write_bytes(content)
    else:
        await replace_database(session_url(), store.url, content)


async def _copy(store: Store) -> bytes | str:
    if store.backend == "postgresql":
        return await copy_lastingly(session_url(), store.url)
    return _file_of(store).read_bytes()


def _file_of(store: Store) -> Path:
    """The file, which is the whole database while there is no connection."""
    file = Path(make_url(store.url).database or "")
    assert not file.with_name(f"{file.name}-wal").exists()
    return file
