"""Answers kept for callers who may ask the same thing twice."""

from sqlalchemy import Index, Integer, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from service.db import words
from service.models.base import Base


class IdempotencyKey(Base):
    """The answer given to a key; the row is stored in the transaction that did the work."""

    __tablename__ = "idempotency_keys"
    __table_args__ = (Index(None, "created_at"),)

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    fingerprint: Mapped[str] = mapped_column(String(64))
    status: Mapped[int | None] = mapped_column(Integer)
    headers: Mapped[bytes | None] = mapped_column(LargeBinary)
    body: Mapped[bytes | None] = mapped_column(LargeBinary)
    created_at: Mapped[words.Moment]
