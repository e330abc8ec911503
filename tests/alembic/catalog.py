"""A database's catalog as lines of text, without the order of columns, so that two schemas can be compared."""

from sqlalchemy import Connection

from service.db.engine import Purpose, create_engine
from service.migrate.state import drift
from tests.alembic.store import Store


async def catalog(store: Store, *, with_trash: bool = False) -> list[str]:
    """Return one line per column, constraint, index, trigger and function; the trash is optional."""
    engine = create_engine(store.url, Purpose.MIGRATE)

    def read(connection: Connection) -> list[str]:
        return drift.lines(connection)

    async with engine.connect() as connection:
        lines = await connection.run_sync(read)
    await engine.dispose()
    return [line for line in lines if with_trash or "_trash_" not in line]
