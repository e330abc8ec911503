"""Who may migrate, told by a row: a lock of a session is lost with a failover, and this row is not."""

import secrets
from dataclasses import dataclass, field

from sqlalchemy import Connection, delete, insert, select, update

from service.db.clock import now
from service.migrate.errors import Refused
from service.migrate.state import ledger


@dataclass(slots=True)
class Lease:
    """One migrator's claim; each of its transactions renews it first, or ends there."""

    token: str = field(default_factory=lambda: secrets.token_hex(16))

    def take(self, connection: Connection) -> bool:
        """Become the only one, and tell whether a run before this one was not ended.

        Whoever had it and lives on finds out in its next transaction. The caller holds the migrators' lock and an open
        transaction.
        """
        is_left = bool(connection.execute(delete(ledger.LEASE)).rowcount)
        moment = now()
        values = {"id": 1, "token": self.token, "holder": ledger.who(), "taken_at": moment, "seen_at": moment}
        connection.execute(insert(ledger.LEASE), values)
        return is_left

    def renew(self, connection: Connection) -> None:
        """Say that this migrator is at work, in the transaction that is open.

        Raises:
            Refused: another has taken the lease; nothing of this transaction may be kept.
        """
        mine = ledger.LEASE.c.token == self.token
        if connection.execute(update(ledger.LEASE).where(mine).values(seen_at=now())).rowcount:
            return
        holder = connection.execute(select(ledger.LEASE.c.holder)).scalar() or "nobody"
        raise Refused(f"Another migrator took over ({holder}), so this one stopped; what it has done stays.")

    def give_back(self, connection: Connection) -> None:
        connection.execute(delete(ledger.LEASE).where(ledger.LEASE.c.token == self.token))
