"""A database's catalog as lines of text, without the order of columns, so that two schemas can be compared."""

from service.migrate.state import drift
from tests.alembic.store import Store


async def catalog(store: Store, *, with_trash: bool = False) -> list[str]:
    """Return one line per column, constraint, index, trigger and function; the trash is optional."""
    return [line for line in await store.ask(drift.lines) if with_trash or "_trash_" not in line]
