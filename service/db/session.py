"""The session of a unit of work: statements for the driver itself, and the ORM from its first use on."""

from typing import Any

from sqlalchemy import Connection, Dialect
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession
from sqlalchemy.orm import Session
from sqlalchemy.util import greenlet_spawn

from service.db.pool import Pool
from service.db.sqlite.transaction import SqliteTransaction
from service.db.transaction import Transaction


class UnitSession(AsyncSession):
    """An AsyncSession that makes its ORM session when it is first used, on the connection that `direct` began.

    `info` is kept through both; `events_stored` tells whether a statement has stored events.
    """

    def __init__(self, engine: AsyncEngine, kind: type[Session], pool: Pool | None, *, is_audited: bool) -> None:
        # `_enter_orm` calls AsyncSession's own.
        self.is_audited = is_audited
        self._engine = engine
        self._kind = kind
        # Where statements may go to the driver.
        self._pool = pool
        self._info: dict[Any, Any] = {}
        self._connection: Connection | None = None
        self.transaction: Transaction | SqliteTransaction | None = None
        self.events_stored = False

    @property
    def info(self) -> dict[Any, Any]:
        """What the session's users keep with it."""
        return self._info

    @property
    def uses_orm(self) -> bool:
        """Whether the ORM session exists."""
        return "_proxied" in self.__dict__

    @property
    def is_direct(self) -> bool:
        """Whether statements may go to the driver: before the ORM session exists."""
        return self._pool is not None and not self.uses_orm

    @property
    def is_open(self) -> bool:
        """Whether a transaction is to be ended."""
        if self.uses_orm:
            return self._connection is not None or self.in_transaction()
        return self.transaction is not None and not self.transaction.is_over

    @property
    def dialect(self) -> Dialect:
        return self._engine.dialect

    async def direct(self) -> Transaction | SqliteTransaction:
        """Return the transaction for statements in the driver's own words; `is_direct` must hold."""
        if self.transaction is None:
            assert self._pool is not None  # noqa: S101 - `is_direct`
            kind = SqliteTransaction if self.dialect.name == "sqlite" else Transaction
            self.transaction = await kind.start(self._pool)
        return self.transaction

    async def end(self) -> None:
        """Roll back what is not committed, and give the connection back."""
        if self.uses_orm:
            await self.close()
            if self._connection is not None:
                await greenlet_spawn(self._connection.close)
        elif self.transaction is not None:
            await self.transaction.close()

    def __getattr__(self, name: str) -> Any:
        if self.uses_orm:
            raise AttributeError(name)
        self._enter_orm()
        return getattr(self, name)

    def _enter_orm(self) -> None:
        bind: AsyncEngine | AsyncConnection = self._engine
        if self.transaction is not None:
            self._connection = Connection(self._engine.sync_engine, self.transaction.hand_over())
            bind = AsyncConnection(self._engine, self._connection)
        super().__init__(
            bind, sync_session_class=self._kind, expire_on_commit=False, join_transaction_mode="control_fully"
        )
        self.sync_session.info = self._info
        if self._connection is not None:
            # The ORM session knows of the transaction that it is in, which costs no statement.
            self.sync_session.connection()


def note_stored_events(session: AsyncSession) -> None:
    """Let the unit of work report events that a statement has stored already."""
    if isinstance(session, UnitSession):
        session.events_stored = True
