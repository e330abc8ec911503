"""What a database's catalog says, in a form that two equal schemas share: order of columns aside, all of it."""

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
