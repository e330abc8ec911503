"""The audit trail."""

from sqlalchemy import BigInteger, CheckConstraint, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from service.db import words
from service.db.types import current_transaction
from service.models.base import IDS_ARE_NOT_REUSED, Base

_HAS_ACTOR = text("actor_id IS NOT NULL")


class Event(Base):
    """One change; without foreign keys, since it outlives who made it and what it is about."""

    __tablename__ = "events"
    __table_args__ = (
        CheckConstraint("via IN ('api', 'cli', 'import', 'system')", name="via", info={"field": "via"}),
        Index(None, "transaction_id", "id"),
        Index(None, "resource", "resource_id", "id"),
        # Events that no actor made are not listed by actor.
        Index(None, "actor_id", "id", postgresql_where=_HAS_ACTOR, sqlite_where=_HAS_ACTOR),
        Index(None, "created_at", "id"),
        IDS_ARE_NOT_REUSED,
    )

    id: Mapped[words.Id]
    # Ids are given out before COMMIT: with the transaction's id the feed waits for those that are still open.
    transaction_id: Mapped[int] = mapped_column(BigInteger, server_default=current_transaction())
    created_at: Mapped[words.Created]
    actor_id: Mapped[words.Ref | None]
    token_id: Mapped[words.Ref | None]
    via: Mapped[str] = mapped_column(String(10))
    action: Mapped[str] = mapped_column(String(50))
    resource: Mapped[str] = mapped_column(String(50))
    resource_id: Mapped[words.Ref | None]
    # What is known by a name, such as a role.
    resource_key: Mapped[str | None] = mapped_column(String(200))
    # JSON text: {field: [old, new]}.
    changes: Mapped[str] = mapped_column(Text)
    request_id: Mapped[str | None] = mapped_column(String(100))
