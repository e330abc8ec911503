"""The login history."""

from typing import Any

from sqlalchemy import CheckConstraint, Connection, Index, String, Table, event
from sqlalchemy.orm import Mapped, mapped_column

from service.db import words
from service.db.types import Key
from service.models.base import Base


class Login(Base):
    """One attempt to log in; its id is its time, in microseconds since 1970 in UTC."""

    __tablename__ = "logins"
    __table_args__ = (
        CheckConstraint(
            "outcome IN ('ok', 'wrong', 'unknown', 'inactive', 'throttled')", name="outcome", info={"field": "outcome"}
        ),
        Index(None, "user_id", "id"),
        Index(None, "email_key", "id"),
        Index(None, "email_key", "network", "id"),
        Index(None, "network", "id"),
        Index(None, "outcome", "id"),
        {"postgresql_partition_by": "RANGE (id)"},
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True, autoincrement=False)
    # No foreign key: PostgreSQL would check it, with locks, when a partition is dropped.
    user_id: Mapped[words.Ref | None]
    outcome: Mapped[str] = mapped_column(String(10))
    address: Mapped[str] = mapped_column(String(45))
    # The address, or the /64 of an IPv6 address: what the login limits count as one client.
    network: Mapped[str] = mapped_column(String(45))
    agent: Mapped[str | None] = mapped_column(String(200))
    # As typed, so it need not be the address of a user, nor an address at all.
    email: Mapped[str | None] = mapped_column(String(254))
    email_key: Mapped[words.Folded | None]


@event.listens_for(Login.__table__, "after_create")
def _create_default_partition(_table: Table, connection: Connection, **_: Any) -> None:
    """Give Base.metadata.create_all() what the revision makes."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("CREATE TABLE logins_default PARTITION OF logins DEFAULT")
