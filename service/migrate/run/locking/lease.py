"""The lease: a row that names the active migrator. A failover loses session locks, but not the row."""

import secrets
from dataclasses import dataclass, field

from sqlalchemy import Connection, delete, insert, select, update

from service.db.clock import now
from service.migrate.errors import Refused
from service.migrate.state import ledger
from service.migrate.state.author import who


@dataclass(slots=True)
class Lease:
    """The lease of one migrator, which renews it at the start of each transaction."""

    token: str = field(default_factory=lambda: secrets.token_hex(16))

    def take(self, connection: Connection) -> bool:
        """Take the lease, and return whether an earlier run did not release it.

        A migrator that held it and still runs stops at its next renewal. The caller holds the migrators' lock and an
        open transaction.
        """
        is_left = bool(connection.execute(delete(ledger.LEASE)).rowcount)
        moment = now()
        values = {"id": 1, "token": self.token, "holder": who(), "taken_at": moment, "seen_at": moment}
        connection.execute(insert(ledger.LEASE), values)
        return is_left

    def renew(self, connection: Connection) -> None:
        """Renew the lease in the open transaction.

        Raises:
            Refused: another migrator has taken the lease; the caller must roll back.
        """
        mine = ledger.LEASE.c.token == self.token
        if connection.execute(update(ledger.LEASE).where(mine).values(seen_at=now())).rowcount:
            return
        holder = connection.execute(select(ledger.LEASE.c.holder)).scalar() or "it has finished"
        raise Refused(f"Another migrator took the lease ({holder}), so this one stopped. Its completed steps stay.")

    def give_back(self, connection: Connection) -> None:
        connection.execute(delete(ledger.LEASE).where(ledger.LEASE.c.token == self.token))
