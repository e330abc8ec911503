"""A revision with every phase, in each of its states."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, event

from tests.alembic.store import Row
from tests.migrate.filling import Gone, stopped
from tests.migrate.operations.live import Live
from tests.migrate.run.test_kills import BACKFILL, BASE, CONTRACT, EXPAND

ROWS = 700
SERIES = f"WITH RECURSIVE s (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {ROWS}) "
CHANGE: dict[str, Any] = {
    "base": BASE,
    "rows": (
        SERIES + "INSERT INTO things (id, name, size, legacy) SELECT n, 'Thing ' || n, n, 'l' || n FROM s",
        "INSERT INTO olds VALUES (1), (2)",
    ),
    "up": EXPAND,
    "backfill": BACKFILL,
    "contract": CONTRACT,
}
STATES = ("expanded", "half filled", "filled", "half contracted", "contracted", "contract undone", "purged")


# The state from which each other is reached.
_BEFORE = {
    "half filled": "expanded",
    "filled": "expanded",
    "half contracted": "filled",
    "contracted": "filled",
    "contract undone": "contracted",
    "purged": "contracted",
}


async def bring(it: Live, state: str) -> None:
    """The database, at revision 0001 with rows in it, with the change in this state."""

    async def way() -> None:
        if state in _BEFORE:
            await bring(it, _BEFORE[state])
        await _step(it, state)

    await it.reach(state, way)


async def _step(it: Live, state: str) -> None:
    """From the state before to this one."""
    if state == "half filled":
        await stopped(it.url, after=1)
    elif state == "half contracted":
        with gone_before("_trash_0002_olds"):
            await it.contract()
    else:
        verbs = {"expanded": it.up, "filled": it.backfill, "contracted": it.contract, "purged": it.purge}
        await (verbs | {"contract undone": it.undo_contract})[state]()


@contextmanager
def gone_before(statement: str) -> Iterator[None]:
    """The migrator is gone, without a word, before it can say this."""

    def hear(_connection: object, _cursor: object, said: str, *_: object) -> None:
        if statement in said and not said.startswith("SELECT"):
            raise Gone

    event.listen(Engine, "before_cursor_execute", hear)
    try:
        yield
    except Gone:
        return
    finally:
        event.remove(Engine, "before_cursor_execute", hear)
    raise AssertionError(f"Nobody said {statement}.")


async def values(it: Live) -> tuple[list[Row], list[Row]]:
    """The rows that the old version wrote."""
    asked = ("SELECT id, name, size, legacy FROM things ORDER BY id", "SELECT id FROM olds ORDER BY id")
    first, second = [await it.execute(each) for each in asked]
    return first, second
