"""The unit of work: one AsyncSession, one transaction, committed before anyone is told."""

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import TypeVar

from sqlalchemy import MetaData, text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker
from sqlalchemy.orm import Session
from sqlalchemy.util import await_only

from service.db.failures import Cure, Patience, cure
from service.db.violations import Violations
from service.errors import Unsettled

T = TypeVar("T")

_SETTLE_SECONDS = 10.0
_XID = "SELECT pg_current_xact_id_if_assigned()::text"


def _always(_answer: object) -> bool:
    return True


class Units:
    """Runs units of work on one engine; `metadata` tells which field a constraint speaks of."""

    def __init__(self, engine: AsyncEngine, metadata: MetaData, *, deadline_seconds: float = 10.0) -> None:
        self._engine = engine
        self._sessions = async_sessionmaker(engine, expire_on_commit=False)
        self._violations = Violations(metadata)
        self._deadline_seconds = deadline_seconds
        self._tells_xid = engine.dialect.name == "postgresql"

    async def run(self, work: Callable[[AsyncSession], Awaitable[T]], *, keep: Callable[[T], bool] = _always) -> T:
        """Run the work in one transaction, commit if its answer is one to keep, and return the answer.

        The work runs again, in a new transaction, when a second try cures what it met: it must have no effect but
        on its session. A connection lost at COMMIT is settled by asking PostgreSQL what became of the transaction.

        Raises:
            Conflict: a constraint refused the change.
            Unavailable: no try succeeded before the deadline.
            Unsettled: nobody can say what became of a COMMIT.
        """
        patience: Patience | None = None
        while True:
            try:
                return await self._once(work, keep)
            except Exception as failure:  # noqa: BLE001 - wait_for_cure raises what it cannot cure
                if conflict := self._violations.conflict(failure):
                    raise conflict from failure
                patience = patience or Patience(self._deadline_seconds)
                await patience.wait_for_cure(failure)

    async def _once(self, work: Callable[[AsyncSession], Awaitable[T]], keep: Callable[[T], bool]) -> T:
        session = self._sessions()
        try:
            answer = await work(session)
            if keep(answer):
                await self._store(session)
            return answer
        finally:
            # After a COMMIT there is nothing left to give back.
            if session.in_transaction():
                await asyncio.shield(asyncio.ensure_future(session.close()))

    async def _store(self, session: AsyncSession) -> None:
        xids: list[str] = []
        stored = asyncio.ensure_future(session.run_sync(_flush_and_commit, xids if self._tells_xid else None))
        try:
            await asyncio.shield(stored)
        except asyncio.CancelledError:
            await _outlast(stored)
            raise
        except Exception as failure:
            if not xids or cure(failure) is not Cure.RECONNECT or not await self._is_committed(xids[0], failure):
                raise

    async def _is_committed(self, xid: str, failure: Exception) -> bool:
        """Ask the server what became of a transaction; one that is still running is waited for."""
        patience = Patience(_SETTLE_SECONDS)
        until = monotonic() + _SETTLE_SECONDS
        while monotonic() < until:
            try:
                async with self._engine.connect() as connection:
                    status = await connection.scalar(text("SELECT pg_xact_status(CAST(:xid AS xid8))"), {"xid": xid})
            except Exception as trouble:  # noqa: BLE001 - wait_for_cure raises what it cannot cure
                await patience.wait_for_cure(trouble)
                continue
            if status in ("committed", "aborted"):
                return bool(status == "committed")
            if status is None:
                break
            await asyncio.sleep(0.05)
        message = "The connection was lost while the change was being stored, and nobody can say whether it was."
        raise Unsettled(message) from failure


def _flush_and_commit(session: Session, xids: list[str] | None) -> None:
    """Store the unit in one go; `xids` receives the transaction's id before COMMIT is sent, if it wrote anything."""
    session.flush()
    if xids is not None and session.in_transaction():
        driver = session.connection().connection.driver_connection
        if xid := await_only(driver.fetchval(_XID)):  # type: ignore[union-attr]
            xids.append(xid)
    session.commit()


async def _outlast(commit: asyncio.Task[None]) -> None:
    """Wait for a COMMIT that is under way, however often the one who waits is cancelled."""
    while not commit.done():
        try:
            await asyncio.wait([commit])
        except asyncio.CancelledError:
            continue
    commit.exception()
