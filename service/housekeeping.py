"""Periodic tasks of the service: create partitions ahead, delete expired rows."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import structlog

from service.db import clock
from service.db.database import Database
from service.db.partitions import create_ahead
from service.events.actions import renumber_restored
from service.http.idempotency import forget_old
from service.models import Login
from service.settings import Settings
from service.tokens.actions import forget_ended

_SECONDS = 600.0
_ENDED_TOKENS_KEPT = timedelta(days=30)
# How many of the chores are also done when the service starts.
_AT_THE_START = 2

log = structlog.get_logger()


async def keep_house(database: Database, settings: Settings) -> None:
    """Do every chore now and then; one that fails is logged and tried again at the next turn."""
    chores = _chores(database, settings)
    for chore in chores[:_AT_THE_START]:
        await _try(chore)
    while True:
        await asyncio.sleep(_SECONDS)
        for chore in chores:
            await _try(chore)


def _chores(database: Database, settings: Settings) -> list[Callable[[], Awaitable[None]]]:
    lifetime = timedelta(hours=settings.idempotency_hours)

    async def renumber_events() -> None:
        if moved := await renumber_restored(database):
            log.info("restored events renumbered", count=moved)

    async def forget_answers() -> None:
        while await database.units.run(lambda session: forget_old(session, lifetime), alone=True):
            pass

    async def forget_tokens() -> None:
        while await database.units.run(lambda session: forget_ended(session, _ENDED_TOKENS_KEPT), alone=True):
            pass

    async def create_partitions() -> None:
        made = await create_ahead(database, Login.__tablename__, clock.now())
        if made:
            log.info("partitions created", names=made)

    return [renumber_events, create_partitions, forget_answers, forget_tokens]


async def _try(chore: Callable[[], Awaitable[None]]) -> None:
    try:
        await chore()
    except Exception as failure:  # noqa: BLE001 - whatever it is, it must not end the housekeeping
        log.warning("housekeeping failed", chore=getattr(chore, "__name__", ""), reason=repr(failure))
