"""The unit of work: one AsyncSession in one transaction, committed before the response is sent."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import TypeVar

from sqlalchemy import MetaData
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.orm import Session
from sqlalchemy.util import await_only

from service.db import commits, trail
from service.db.audit import SYSTEM, TABLE, Audit, Recorded, RecordingSession, act_as, recorded
from service.db.failures import Cure, Retries, causes, cure
from service.db.pool import Pool
from service.db.session import UnitSession
from service.db.sqlite.member import WriterDbapi
from service.db.sqlite.transaction import SqliteTransaction
from service.db.sqlite.unit import Regrouped, sharing
from service.db.violations import Violations
from service.errors import RosterError

T = TypeVar("T")


def _always(_answer: object) -> bool:
    return True


class Units:
    """Runs units of work on one engine; `metadata` tells which field a constraint speaks of."""

    def __init__(self, engine: AsyncEngine, metadata: MetaData, *, deadline_seconds: float = 10.0) -> None:
        self._engine = engine
        self._audited = TABLE in metadata.tables
        self._kind = RecordingSession if self._audited else Session
        self._pool = _pool_for_driver(engine)
        self.violations = Violations(metadata)
        self._deadline_seconds = deadline_seconds
        self._store: Callable[[Session, Sequence[Recorded], list[commits.Mark]], None] = _commit
        if engine.dialect.name == "postgresql":
            self._store = _mark_and_commit
        # Called after a COMMIT that stored events.
        self.when_recorded: Callable[[], None] = _nothing

    async def run(
        self,
        work: Callable[[AsyncSession], Awaitable[T]],
        *,
        commit_if: Callable[[T], bool] = _always,
        audit: Audit = SYSTEM,
        alone: bool = False,
    ) -> T:
        """Run the work in one transaction, commit if `commit_if` holds for its answer, and return the answer.

        What changes is stored as events of the same transaction; `audit` is who acts.

        The work runs again, in a new transaction, when a second try cures what it met: it must have no effect but
        on its session. A connection lost at COMMIT is settled by asking PostgreSQL what became of the transaction.

        On SQLite units share a COMMIT (docs/decisions/0080), except one that is to be `alone`: long work, for which
        others would have to wait.

        Raises:
            Conflict: a constraint refused the change.
            Unavailable: no try succeeded before the deadline.
            Unsettled: nobody can say what became of a COMMIT.
        """
        retries: Retries | None = None
        while True:
            try:
                with sharing(commits=not alone) as shared:
                    try:
                        answer = await self._once(work, commit_if, audit)
                    except Exception:
                        await shared.confirm()
                        raise
                    await shared.confirm()
                    return answer
            except RosterError:
                # An answer, whatever it was made of.
                raise
            except Exception as failure:
                if conflict := self.violations.conflict(failure):
                    raise conflict from failure
                alone = alone or any(isinstance(each, Regrouped) for each in causes(failure))
                retries = retries or Retries(self._deadline_seconds)
                await retries.wait_for_cure(failure)

    async def _once(
        self, work: Callable[[AsyncSession], Awaitable[T]], commit_if: Callable[[T], bool], audit: Audit
    ) -> T:
        session = UnitSession(self._engine, self._kind, self._pool, is_audited=self._audited)
        act_as(session, audit)
        marks: list[commits.Mark] = []
        try:
            answer = await work(session)
            if commit_if(answer):
                # Cancelling during the flush rolls back; the COMMIT below is shielded and always completes.
                if session.uses_orm and (session.new or session.dirty or session.deleted):
                    await session.flush()
                events = [*recorded(session)] if self._audited else []
                await to_its_end(self._commit(session, events, marks))
                if events or session.events_stored:
                    self.when_recorded()
            return answer
        except Exception as failure:
            if not marks or cure(failure) is not Cure.RECONNECT:
                raise
            lost = failure
        finally:
            # After a COMMIT there is nothing left to give back.
            if session.is_open:
                await asyncio.shield(asyncio.ensure_future(session.end()))
        # Only now: the question needs a connection, and this unit has given its own back.
        if await commits.is_committed(self._engine, marks[0], lost):
            return answer
        raise lost

    async def _commit(self, session: UnitSession, events: Sequence[Recorded], marks: list[commits.Mark]) -> None:
        if session.is_direct:
            await _commit_directly(session, events, marks)
        else:
            await session.run_sync(self._store, events, marks)


def _pool_for_driver(engine: AsyncEngine) -> Pool | None:
    """Return the pool if BEGIN needs nothing of SQLAlchemy, which a pooler and an isolation level do."""
    sync = engine.sync_engine
    if isinstance(sync.dialect.dbapi, WriterDbapi):
        return engine.pool if isinstance(engine.pool, Pool) else None
    if engine.dialect.name != "postgresql" or sync.dispatch.begin or sync.get_execution_options():
        return None
    return engine.pool if isinstance(engine.pool, Pool) else None


def _nothing() -> None:
    """Do nothing: the default callback."""


async def _commit_directly(session: UnitSession, events: Sequence[Recorded], marks: list[commits.Mark]) -> None:
    if not (session.transaction or events):
        return
    transaction = await session.direct()
    if isinstance(transaction, SqliteTransaction):
        await transaction.commit(*trail.insertion(session, events))
        return
    mark = await (trail.store_directly(session, transaction, events) if events else transaction.mark())
    if mark is not None:
        marks.append(mark)
    await transaction.commit()


def _commit(session: Session, events: Sequence[Recorded], _marks: list[commits.Mark]) -> None:
    if events:
        trail.store(session, events)
    session.commit()


def _mark_and_commit(session: Session, events: Sequence[Recorded], marks: list[commits.Mark]) -> None:
    """Commit; `marks` receives the transaction's mark before COMMIT is sent, if it wrote anything."""
    if not (session.in_transaction() or events):
        return
    connection = session.connection().connection
    mark: commits.Mark | None
    if events:
        mark = trail.store_and_mark(session, events)
    else:
        mark = await_only(commits.Mark.of(connection.driver_connection))
    if mark is None:
        session.commit()
        return
    marks.append(mark)
    info = connection.info
    try:
        session.commit()
    finally:
        commits.check_confirmed(info)


async def to_its_end(work: Awaitable[T]) -> T:
    """Wait until the work is complete, also when the waiting task is cancelled."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        while not task.done():
            with suppress(asyncio.CancelledError):
                await asyncio.wait([task])
        if not task.cancelled():
            task.exception()
        raise
