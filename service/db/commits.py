"""The outcome of a COMMIT whose connection was lost, by pg_xact_status."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Self

from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import AsyncEngine

from service.db.failures import sqlstate
from service.errors import Unsettled

_SETTLE_SECONDS = 10.0
_PAUSE_SECONDS = 0.02

# A server that recovers from a crash begins its statistics anew, and may give a lost transaction's id to another.
RECOVERED_AT = "pg_stat_get_bgwriter_stat_reset_time()::text"
_MARK = f"SELECT pg_current_xact_id_if_assigned()::text, {RECOVERED_AT}"
_SERVER = text(f"SELECT {RECOVERED_AT}, pg_is_in_recovery()")
_STATUS = text("SELECT pg_xact_status(CAST(CAST(:xid AS text) AS xid8))")
_NEVER_GIVEN = "22023"

_UNCONFIRMED = "unconfirmed"


@dataclass(frozen=True, slots=True)
class Mark:
    """Identifies a transaction after its connection was lost."""

    xid: str
    recovered_at: str

    @classmethod
    async def of(cls, driver: Any) -> Self | None:
        """Return the mark of the transaction that an asyncpg connection is in; `None` if it wrote nothing."""
        xid, recovered_at = await driver.fetchrow(_MARK)
        return None if xid is None else cls(xid, recovered_at)


class Unconfirmed(Unsettled):
    """The change is stored here, and the wait for a standby to confirm it was cut short."""


def listen(engine: AsyncEngine) -> None:
    """Note it on the connection when PostgreSQL warns that a COMMIT did not wait for its standbys."""

    @event.listens_for(engine.sync_engine, "connect")
    def hear_warnings(connection: Any, record: Any) -> None:
        def hear(_driver: Any, message: Any) -> None:
            # The warning's text is in the server's language; the function that gives it is not.
            if message.server_source_function == "SyncRepWaitForLSN":
                record.info[_UNCONFIRMED] = True

        connection.driver_connection.add_log_listener(hear)


def check_confirmed(info: dict[Any, Any]) -> None:
    """Return unless the last COMMIT of the connection, whose `info` this is, was acknowledged before its time.

    Raises:
        Unconfirmed: a failover may still lose what was stored.
    """
    if info.pop(_UNCONFIRMED, False):
        raise Unconfirmed("The change was stored, but no standby confirmed it: a failover may still lose it.")


async def is_committed(engine: AsyncEngine, mark: Mark, failure: Exception) -> bool:
    """Return whether the transaction was committed; wait while the transaction is in progress.

    Raises:
        Unsettled: the server cannot say, or could not be asked for too long.
    """
    with suppress(TimeoutError):
        async with asyncio.timeout(_SETTLE_SECONDS):
            while True:
                # An error of this query must not hide the error of the COMMIT.
                with suppress(Exception):
                    status = await _status(engine, mark)
                    if status is None:
                        break
                    if status != "in progress":
                        return status == "committed"
                await asyncio.sleep(_PAUSE_SECONDS)
    message = "The connection was lost while the change was being stored, and nobody can say whether it was."
    raise Unsettled(message) from failure


async def _status(engine: AsyncEngine, mark: Mark) -> str | None:
    """Return "committed", "aborted" or "in progress"; `None` when the server no longer knows."""
    async with engine.connect() as connection:
        recovered_at, standby = (await connection.execute(_SERVER)).one()
        if standby:
            # A standby may lag behind the primary.
            await connection.invalidate()
            return "in progress"
        same = recovered_at == mark.recovered_at
        try:
            status: str | None = await connection.scalar(_STATUS, {"xid": mark.xid})
        except Exception as trouble:
            if same or sqlstate(trouble) != _NEVER_GIVEN:
                raise
            return "aborted"
    if same or status is None:
        return status
    # After a crash the id may belong to another transaction, so only "aborted" is certain.
    return None if status == "committed" else "aborted"
