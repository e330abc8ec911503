"""What the service does for itself while it runs: partitions are created ahead, and what is over is forgotten."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import structlog

from service.db import clock
from service.db.database import Database
from service.db.partitions import create_ahead
from service.http.idempotency import forget_old
from service.models import Login
from service.settings import Settings
from service.tokens.actions import forget_ended

_SECONDS = 600.0
_ENDED_TOKENS_KEPT = timedelta(days=30)

log = structlog.get_logger()


async def keep_house(database: Database, settings: Settings) -> None:
    """Do every chore now and then; one that fails is logged and tried again at the next turn."""
    lifetime = timedelta(hours=settings.idempotency_hours)

    async def forget_answers() -> None:
        while await database.units.run(lambda session: forget_old(session, lifetime)):
            pass

    async def forget_tokens() -> None:
        while await database.units.run(lambda session: forget_ended(session, _ENDED_TOKENS_KEPT)):
            pass

    async def create_partitions() -> None:
        made = await create_ahead(database, Login.__tablename__, clock.now())
        if made:
            log.info("partitions created", names=made)

    await _try(create_partitions)
    while True:
        await asyncio.sleep(_SECONDS)
        for chore in (create_partitions, forget_answers, forget_tokens):
            await _try(chore)


async def _try(chore: Callable[[], Awaitable[None]]) -> None:
    try:
        await chore()
    except Exception as failure:  # noqa: BLE001 - whatever it is, it must not end the housekeeping
        log.warning("housekeeping failed", chore=getattr(chore, "__name__", ""), reason=repr(failure))
