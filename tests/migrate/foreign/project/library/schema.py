"""The schema of the library, for its own programs: a deployment, and a service that starts."""

from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncEngine

from service.migrate.entrypoints import aio
from service.migrate.state import compatibility

ALEMBIC_INI = Path(__file__).parents[1] / "alembic.ini"


async def deploy() -> None:
    """Upgrade, then fill existing rows; contract and purge are run later, when no old version runs any more."""
    await aio.upgrade(config=ALEMBIC_INI)
    await aio.backfill(config=ALEMBIC_INI)


async def is_ready(engine: AsyncEngine) -> bool:
    """Whether this version of the library works with the schema of the database."""
    standing = await compatibility.check(engine, config=ALEMBIC_INI)
    return standing.compatibility.works
